"""Many clips in one picture or film."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vidgen.compiled_ops import import_torchvision

_PADDING_LEVEL = 255


def grid(
    clips: UInt8[Tensor, "count channel time height width"],
    columns: int | None = None,
    padding: int = 2,
) -> UInt8[Tensor, "channel time grid_height grid_width"]:
    """One clip that shows all clips side by side, row by row.

    Args:
        clips: Pixels of clips of one size and length.
        columns: Clips in a row; `None` makes the grid about as wide as high.
        padding: White pixels around each clip; a single clip gets none.

    Raises:
        ValueError: No clips, or not five axes, or no columns.
    """
    clips = _checked(clips)
    count, channels, num_frames, height, width = clips.shape
    columns = ceil(sqrt(count)) if columns is None else columns
    if columns < 1:
        raise ValueError(f"columns must be at least 1, not {columns}")
    if count == 1:
        return clips[0]
    # make_grid lays out images of any number of channels: a clip is one with channel * time.
    # A single channel it would triple.
    images = clips.reshape(count, channels * num_frames, height, width)
    if images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    utilities = import_torchvision().utils
    picture = utilities.make_grid(images, nrow=columns, padding=padding, pad_value=_PADDING_LEVEL)
    return picture[: channels * num_frames].unflatten(0, (channels, num_frames))


def frame_sheet(
    clips: UInt8[Tensor, "count channel time height width"],
    num_frames: int = 16,
    padding: int = 2,
) -> UInt8[Tensor, "channel 1 sheet_height sheet_width"]:
    """A picture (a clip of one frame) with a row for each clip and its frames from left to right.

    Args:
        clips: Pixels of clips of one size and length.
        num_frames: Most frames in a row; of longer clips, evenly spaced ones from first to last.
        padding: White pixels around each frame.

    Raises:
        ValueError: No clips, or not five axes.
    """
    clips = _checked(clips)
    length = clips.shape[2]
    shown = np.linspace(0, length - 1, min(length, num_frames)).round().astype(int)
    # (count, channel, time, height, width) -> (count * time, channel, 1, height, width)
    frames = clips[:, :, shown].transpose(1, 2).flatten(0, 1).unsqueeze(2)
    return grid(frames, columns=len(shown), padding=padding)


def enlarged(
    pixels: UInt8[Tensor, "channel time height width"], side: int = 768
) -> UInt8[Tensor, "channel time larger_height larger_width"]:
    """The clip with every pixel repeated, as often as its longer side stays within `side`.

    Small clips are hard to look at, and in a video file the repeated pixels keep the sharp colors
    that halved color planes blur.
    """
    factor = max(1, side // max(pixels.shape[-2:]))
    return pixels.repeat_interleave(factor, -2).repeat_interleave(factor, -1)


def _checked(
    clips: UInt8[Tensor, "count channel time height width"],
) -> UInt8[Tensor, "count channel time height width"]:
    if clips.ndim != 5 or clips.dtype != torch.uint8 or 0 in clips.shape:
        raise ValueError(
            "clips must be uint8 (count, channel, time, height, width) with no empty axis, not "
            f"{clips.dtype} {tuple(clips.shape)}"
        )
    return clips
