"""Frames of a video that is stored as one picture: square frames side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.readers.base import Frames, Reader
from data.readers.pictures import open_picture, pixels
from data.records import VideoRecord
from data.sources import DataError


def strip_layout(height: int, width: int) -> tuple[int, int]:
    """Number of frames in a strip and the side of each, in pixels; a remainder is left out."""
    side = min(height, width)
    return max(height, width) // side, side


class StripReader(Reader):
    """Frames of a picture that holds them from left to right, or from top to bottom."""

    def __init__(self, path: Path, record: VideoRecord) -> None:
        super().__init__(record.num_frames, record.fps, (record.height, record.width))
        self._path = path

    def _read(self, wanted: list[int]) -> Frames:
        with open_picture(self._path) as picture:
            strip = pixels(picture)
        num_frames, side = strip_layout(*strip.shape[:2])
        if (num_frames, (side, side)) != (self.num_frames, self.size):
            raise DataError(f"{self._path}: no longer {self.num_frames} frames; scan again")
        if strip.shape[0] > side:
            return strip[: num_frames * side].reshape(num_frames, side, side, 3)[wanted]
        frames = strip[:, : num_frames * side].reshape(side, num_frames, side, 3)
        return np.ascontiguousarray(frames.swapaxes(0, 1)[wanted])
