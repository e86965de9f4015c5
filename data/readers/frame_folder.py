"""Frames of a video that is stored as a folder of numbered pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from data.readers.base import Frames, Reader
from data.readers.pictures import numbered_pictures, open_picture, pixels
from data.records import VideoRecord
from data.sources import DataError


class FrameFolderReader(Reader):
    """Frames of a folder of pictures, in the natural order of their names.

    Pictures of another size than the first are resized to it.
    """

    def __init__(self, path: Path, record: VideoRecord) -> None:
        super().__init__(record.num_frames, record.fps, (record.height, record.width))
        try:
            self._pictures = numbered_pictures(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be listed ({error.strerror})") from error
        if len(self._pictures) != self.num_frames:
            raise DataError(
                f"{path}: holds {len(self._pictures)} pictures where the scan saw "
                f"{self.num_frames}; scan again"
            )

    def _read(self, wanted: list[int]) -> Frames:
        height, width = self.size
        frames = np.empty((len(wanted), height, width, 3), np.uint8)
        for position, number in enumerate(wanted):
            with open_picture(self._pictures[number]) as picture:
                frame = pixels(picture)
            if frame.shape[:2] != self.size:
                resized = Image.fromarray(frame).resize((width, height), Image.Resampling.BICUBIC)
                frame = np.asarray(resized)
            frames[position] = frame
        return frames
