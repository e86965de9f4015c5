"""Frames to an MP4 that every reader here reads, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from av.video.stream import VideoStream

Frame = UInt8[np.ndarray, "height width 3"]

_CODEC = {
    # Far finer than what is trained on can show.
    "crf": "12",
    "preset": "medium",
    # No B-frames: then no file needs an edit list, which some readers take for missing frames.
    "bf": "0",
    # With several threads x264 gives other bytes every time.
    "threads": "1",
}
# 30000/1001 is the finest rate in use; a float is no exact one.
_FINEST_RATE = 1001


@contextmanager
def mp4_file(path: Path, fps: float) -> Iterator[Callable[[Frame], None]]:
    """Opens an H.264 file (yuv420p) and gives a function that adds one frame to it.

    Frames are all of the first one's size; odd sizes grow by one repeated row or column.

    Args:
        path: The file; replaced when it exists.
        fps: Frames a second.

    Raises:
        av.error.FFmpegError: The file cannot be written.
    """
    import av
    from av.video.reformatter import ColorRange, Colorspace

    rate = Fraction(fps).limit_denominator(_FINEST_RATE)
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", options=options) as output:
        stream = cast("VideoStream", output.add_stream("libx264", rate, _CODEC))
        stream.pix_fmt = "yuv420p"
        # Labelled, because a player guesses by the size how to turn it back into colors.
        coder = stream.codec_context
        coder.colorspace, coder.color_range = Colorspace.ITU601, ColorRange.MPEG
        count = 0

        def add(frame: Frame) -> None:
            nonlocal count
            height, width = frame.shape[:2]
            frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            if count == 0:
                stream.height, stream.width = frame.shape[:2]
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(
                format="yuv420p",
                dst_colorspace=Colorspace.ITU601,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
            )
            picture.colorspace, picture.color_range = Colorspace.ITU601, ColorRange.MPEG
            picture.pts, picture.time_base = count, 1 / rate
            output.mux(stream.encode(picture))
            count += 1

        yield add
        output.mux(stream.encode())
