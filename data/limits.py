"""How much time, memory and size a scan allows one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from data.sources import DataError

Decoder = Literal["pyav", "decord"]


@dataclass(frozen=True)
class Limits:
    """How much a scan allows one file.

    Args:
        stall_seconds: Longest wait for the decoder's next frame.
        total_seconds: Longest wait for one file.
        memory_bytes: Memory of the child process that decodes, what numpy and PyAV need included.
        max_pixels: Pixels of one frame, or of a whole strip.
        max_frames: Frames of one video.
        decoder: Who reads video files. "decord" takes every file whose seeks it was seen to get
            right, and leaves the rest to PyAV; "pyav" is the faster on all files measured
            (benchmarks/reading.py), and its scan is shorter.
    """

    stall_seconds: float = 30.0
    total_seconds: float = 3600.0
    memory_bytes: int = 2 << 30
    max_pixels: int = 1 << 26
    max_frames: int = 200_000
    decoder: Decoder = "decord"

    def __post_init__(self) -> None:
        for name in ("stall_seconds", "total_seconds", "memory_bytes", "max_pixels", "max_frames"):
            if not getattr(self, name) > 0:
                raise DataError(f"{name} is {getattr(self, name)!r}: give a number above 0.")
        if self.decoder not in get_args(Decoder):
            raise DataError(f"decoder is {self.decoder!r}: choose pyav or decord.")
