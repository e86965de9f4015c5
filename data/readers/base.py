"""What every reader gives: the frames of one video by their numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import TypeVar

import numpy as np
from jaxtyping import Integer, UInt8

from data.sources import DataError

Indices = Sequence[int] | Integer[np.ndarray, " time"]
Frames = UInt8[np.ndarray, "time height width channel"]
# Not `typing.Self`, which the tests' type checker cannot follow.
AnyReader = TypeVar("AnyReader", bound="Reader")


class Reader(ABC):
    """Frames of one video. A context manager: open it where it is used, and close it after.

    Never keep one open or hand one to another process: decoders hold threads and decode ahead.

    Attributes:
        num_frames: Frames of the video.
        fps: Frames a second.
        size: Height and width of a frame, as displayed.
    """

    def __init__(self, num_frames: int, fps: float, size: tuple[int, int]) -> None:
        self.num_frames = num_frames
        self.fps = fps
        self.size = size

    def __len__(self) -> int:
        return self.num_frames

    def get(self, indices: Indices) -> Frames:
        """The frames of these numbers, in this order; repeats are allowed.

        Raises:
            DataError: A number is outside the video, or the file no longer reads as it did.
        """
        numbers = [int(index) for index in indices]
        outside = [number for number in numbers if not 0 <= number < self.num_frames]
        if outside:
            raise DataError(f"frame {outside[0]} of a video of {self.num_frames} frames was asked")
        if not numbers:
            return np.empty((0, *self.size, 3), np.uint8)
        wanted = sorted(set(numbers))
        frames = self._read(wanted)
        if numbers == wanted:
            return frames
        place = {number: position for position, number in enumerate(wanted)}
        return frames[[place[number] for number in numbers]]

    @abstractmethod
    def _read(self, wanted: list[int]) -> Frames:
        """Frames of these numbers, which are inside the video, ascending and without repeats."""

    def close(self) -> None:  # noqa: B027  (most readers hold nothing open)
        """Frees what the reader holds."""

    def __enter__(self: AnyReader) -> AnyReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
