"""Frames of a video file through decord, for files whose seeks the scan has found right."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.readers.base import Frames, Reader
from data.records import VideoRecord
from data.sources import DataError

_LONGEST_SECONDS = 1e6


class DecordReader(Reader):
    """Frames of a video file as decord gives them.

    decord lies on some files without a word, so use it only where a record names it.
    """

    def __init__(self, path: Path, record: VideoRecord) -> None:
        import decord

        super().__init__(record.num_frames, record.fps, (record.height, record.width))
        # It prints to stderr what it also raises.
        decord.logging.set_level(decord.logging.QUIET)
        self._path = path
        try:
            # One thread: with more, a clip of 16 frames comes later, not sooner.
            self._video = decord.VideoReader(str(path), num_threads=1)
        except Exception as error:  # its errors have no common class below Exception
            raise DataError(f"{path}: decord cannot open it") from error

    def claimed_frames(self) -> int:
        """How many frames decord counts, true or not."""
        return len(self._video)

    def has_sane_times(self) -> bool:
        """Whether its time stamps could be seconds of a film; without them its seeks go astray."""
        times = self._video.get_frame_timestamp(range(len(self._video)))
        return bool(np.isfinite(times).all() and (np.abs(times) < _LONGEST_SECONDS).all())

    def _read(self, wanted: list[int]) -> Frames:
        try:
            frames = self._video.get_batch(wanted)
        except Exception as error:
            raise DataError(f"{self._path}: decord cannot decode it any more") from error
        # Another part of the program may have set decord's global bridge to torch.
        array = frames.asnumpy() if hasattr(frames, "asnumpy") else np.asarray(frames)
        if array.shape != (len(wanted), *self.size, 3):
            raise DataError(f"{self._path}: decord gives frames of shape {array.shape[1:]}")
        return array

    def close(self) -> None:
        """Drops the decoder at once: left alone it would decode ahead into memory."""
        del self._video
