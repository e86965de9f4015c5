"""A clip in whichever kind of file its name asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from vidgen.writing.images import write_gif, write_png_strip
from vidgen.writing.pixels import Rate
from vidgen.writing.videos import write_mp4, write_webm


def write_clip(
    path: Path,
    pixels: UInt8[np.ndarray | Tensor, "channel time height width"],
    fps: Rate,
) -> None:
    """Writes a clip as what the name ends in: `.mp4`, `.webm`, `.gif`, or `.png` for a strip.

    Args:
        path: The file; replaced when it exists.
        pixels: The clip, grey or RGB.
        fps: Frames a second; a strip holds none.

    Raises:
        UserError: The file cannot be written.
        ValueError: Another ending, or not a clip, or not a rate.
    """
    suffix = path.suffix.lower()
    if suffix == ".png":
        write_png_strip(path, pixels)
        return
    writers = {".mp4": write_mp4, ".webm": write_webm, ".gif": write_gif}
    if suffix not in writers:
        raise ValueError(f"cannot write {path.name}: it must end in .mp4, .webm, .gif or .png")
    writers[suffix](path, pixels, fps)
