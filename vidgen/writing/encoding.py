"""Pictures to one file through PyAV, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import cast

import av
from av.video.stream import VideoStream

from vidgen.writing.files import replacing


@dataclass(frozen=True)
class Encoding:
    """A kind of file.

    Attributes:
        container: FFmpeg's name of the file format.
        codec: FFmpeg's name of the encoder.
        container_options: What the file format is told.
        codec_options: What the encoder is told.
    """

    container: str
    codec: str
    container_options: dict[str, str] = field(default_factory=dict)
    codec_options: dict[str, str] = field(default_factory=dict)


def encode(
    path: Path, pictures: Iterable[av.VideoFrame], encoding: Encoding, rate: Fraction
) -> None:
    """Writes pictures, each with its time, to a file that is whole or not there.

    Args:
        path: The file; replaced when it exists.
        pictures: At least one, all of the first one's size, pixel format and color labels.
        encoding: The kind of file.
        rate: Frames a second that the file declares.

    Raises:
        UserError: The file cannot be written.
    """
    pictures = iter(pictures)
    first = next(pictures)
    # Else the library's version is written into the file, and into a WebM a random number.
    options = {"fflags": "+bitexact", **encoding.container_options}
    with (
        replacing(path) as unfinished,
        av.open(str(unfinished), "w", format=encoding.container, options=options) as output,
    ):
        # x264 with several threads gave 6 different files of 10.
        settings = {"threads": "1", **encoding.codec_options}
        stream = cast(VideoStream, output.add_stream(encoding.codec, rate, settings))
        stream.width, stream.height = first.width, first.height
        stream.pix_fmt = first.format.name
        coder = stream.codec_context
        coder.colorspace, coder.color_range = first.colorspace, first.color_range
        coder.color_primaries, coder.color_trc = first.color_primaries, first.color_trc
        for picture in chain([first], pictures):
            output.mux(stream.encode(picture))
        output.mux(stream.encode())
