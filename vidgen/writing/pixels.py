"""What every writer asks of its pixels, checked once and put in the files' order."""

from __future__ import annotations

from fractions import Fraction
from math import isfinite

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

Rate = int | float | Fraction


def checked_clip(
    pixels: UInt8[np.ndarray | Tensor, "channel time height width"],
) -> UInt8[np.ndarray, "channel time height width"]:
    """The clip as an array in main memory.

    Raises:
        ValueError: Not uint8, not four axes, an empty axis, or neither grey nor RGB.
    """
    array = pixels.numpy(force=True) if isinstance(pixels, torch.Tensor) else np.asarray(pixels)
    if array.dtype != np.uint8:
        raise ValueError(f"pixels must be uint8 in 0..255, not {array.dtype}: use to_pixels first")
    if array.ndim != 4 or array.shape[0] not in (1, 3) or 0 in array.shape:
        raise ValueError(
            "a clip to write must be (channel, time, height, width) with 1 or 3 channels and no "
            f"empty axis, not {array.shape}"
        )
    return array


def rgb_frames(
    pixels: UInt8[np.ndarray | Tensor, "channel time height width"],
) -> UInt8[np.ndarray, "time height width 3"]:
    """The clip frame by frame in colour; grey is repeated for red, green and blue.

    Raises:
        ValueError: As for `checked_clip`.
    """
    clip = checked_clip(pixels)
    clip = np.broadcast_to(clip, (3, *clip.shape[1:]))
    return np.ascontiguousarray(clip.transpose(1, 2, 3, 0))


def exact_rate(fps: Rate) -> Fraction:
    """Frames a second as the fraction that was meant: 29.97002997 is 30000/1001.

    Raises:
        ValueError: Not a positive, finite number.
    """
    if isinstance(fps, Fraction) or isfinite(fps):
        rate = Fraction(fps).limit_denominator(1001)
        if rate > 0:
            return rate
    raise ValueError(f"fps must be a positive number of frames a second, not {fps}")
