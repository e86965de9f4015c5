"""Which frames of a video make a clip: length, stride or rate, start, short videos.

The picture behind it, for three frames at stride 2 (a span of 5) in a video of eight frames:

    video    0 1 2 3 4 5 6 7
    first    x . x . x            span = (3 - 1) * 2 + 1 = 5
    last           x . x . x      starts 0 to 8 - 5 = 3, both ends included

No decoder is in sight here: everything is a matter of counts and rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Int64

from data.sources import DataError

Start = Literal["random", "centre", "first"]
Short = Literal["loop", "repeat_last", "skip", "error"]

# A product such as 3 * 29.97 / 29.97 may fall short of its whole number by a rounding error.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class ClipSampler:
    """Chooses the frames of a clip.

    Args:
        num_frames: Frames in a clip.
        stride: Frames of the video from one frame of the clip to the next.
        fps: Frames a second of the clip, whatever the video's own rate: each frame is the one on
            display at its time, so a 50 fps and a 25 fps video give the same motion. `None` counts
            frames instead, by `stride`.
        start: Where a clip starts: at random over all places where it fits, so that it is centred,
            or at the first frame.
        short: What to do with a video shorter than the clip: start it again, repeat its last
            frame, leave the video out, or stop with an error.
        hop: Frames of the video from one window's start to the next; 1 gives every window.

    Raises:
        DataError: A setting has no meaning.
    """

    num_frames: int
    stride: int = 1
    fps: float | None = None
    start: Start = "random"
    short: Short = "loop"
    hop: int = 1

    def __post_init__(self) -> None:
        for name in ("num_frames", "stride", "hop"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise DataError(f"{name} is {value!r}: give a whole number of 1 or more.")
        if self.start not in get_args(Start):
            raise DataError(f"start is {self.start!r}: choose one of {', '.join(get_args(Start))}.")
        if self.short not in get_args(Short):
            raise DataError(f"short is {self.short!r}: choose one of {', '.join(get_args(Short))}.")
        if self.fps is None:
            return
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise DataError(f"fps is {self.fps!r}: give frames a second above 0, or leave it out.")
        if self.stride != 1:
            raise DataError(
                f"fps {self.fps:g} and stride {self.stride} both set the pace: give only one."
            )

    def span(self, video_fps: float) -> int:
        """Frames of the video from the clip's first frame to its last, both included."""
        return int(self._offsets(video_fps)[-1]) + 1

    def usable(self, num_frames: int, video_fps: float) -> bool:
        """Whether a video of this many frames can give clips; False means leave it out."""
        if num_frames < 1:
            return False
        return self.short != "skip" or num_frames >= self.span(video_fps)

    def indices(
        self, num_frames: int, video_fps: float, generator: np.random.Generator
    ) -> Int64[np.ndarray, " time"]:
        """Frame numbers of one clip from a video of `num_frames` frames.

        Args:
            num_frames: Frames in the video.
            video_fps: Frames a second of the video.
            generator: Draws the start; left alone unless `start` is "random".

        Raises:
            DataError: The video is empty, or too short and `short` is "skip" or "error".
        """
        last_start = num_frames - self.span(video_fps)
        if last_start < 0 or num_frames < 1:
            return self._short(num_frames, video_fps)
        if self.start == "random":
            start = int(generator.integers(last_start + 1))
        else:
            start = last_start // 2 if self.start == "centre" else 0
        return start + self._offsets(video_fps)

    def windows(self, num_frames: int, video_fps: float) -> list[Int64[np.ndarray, " time"]]:
        """Frame numbers of every window, `hop` frames apart; one for a short video that is used.

        Raises:
            DataError: The video is empty or too short, and `short` is "error".
        """
        if not self.usable(num_frames, video_fps) and self.short != "error":
            return []
        last_start = num_frames - self.span(video_fps)
        if last_start < 0:
            return [self._short(num_frames, video_fps)]
        offsets = self._offsets(video_fps)
        return [start + offsets for start in range(0, last_start + 1, self.hop)]

    def spread(
        self, num_frames: int, video_fps: float, count: int
    ) -> Int64[np.ndarray, "clip time"]:
        """Frame numbers of `count` clips evenly spaced from a video's first frame to its last.

        A single clip is the one in the middle; a short video gives the same clip every time.

        Raises:
            DataError: The video is empty, or too short and `short` is "skip" or "error".
        """
        last_start = num_frames - self.span(video_fps)
        if last_start < 0 or num_frames < 1:
            return np.stack([self._short(num_frames, video_fps)] * count)
        starts = np.arange(count) * last_start // max(count - 1, 1)
        if count == 1:
            starts += last_start // 2
        return starts[:, None] + self._offsets(video_fps)

    def _offsets(self, video_fps: float) -> Int64[np.ndarray, " time"]:
        """Frames of the video since the clip's first, for each frame of the clip."""
        steps = np.arange(self.num_frames, dtype=np.int64)
        if self.fps is None:
            return steps * self.stride
        if not (math.isfinite(video_fps) and video_fps > 0):
            raise DataError(
                f"A video claims {video_fps!r} frames a second, so fps {self.fps:g} has no meaning "
                "for it: use stride instead."
            )
        return np.floor(steps * (video_fps / self.fps) + _ROUNDING).astype(np.int64)

    def _short(self, num_frames: int, video_fps: float) -> Int64[np.ndarray, " time"]:
        if num_frames < 1 or self.short in ("skip", "error"):
            raise DataError(
                f"A video of {num_frames} frames is shorter than a clip of "
                f"{self.span(video_fps)}: use shorter clips, a smaller stride, or short=loop."
            )
        offsets = self._offsets(video_fps)
        if self.short == "loop":
            return offsets % num_frames
        return np.minimum(offsets, num_frames - 1)
