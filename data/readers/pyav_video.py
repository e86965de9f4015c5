"""Frames of a video file through PyAV, from entry points that the scan has verified.

Seeking by time stamps is where decoders go wrong: an XviD AVI with B-frames has none that can be
trusted, and a seek lands some frames early or late. So nothing here is computed from time stamps or
from the container's index. The scan tries each entry point (data/entries.py), through the very
function that reads here, and notes which frame comes out; frame 0 is had by opening the file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from data.containers import container_format
from data.readers.base import Frames, Reader
from data.records import Entry, VideoRecord
from data.sources import DataError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter

BEGINNING = Entry(timestamp=0, frame=0)

# Opening and seeking anew costs as much as decoding about this many small frames.
_WORTH_A_SEEK = 16


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """A video file opened as what its first bytes say it is, its decoder set to one thread.

    Raises:
        DataError: The file holds no picture, or is no container read here.
        av.error.FFmpegError: FFmpeg refuses it.
    """
    import av
    import av.logging

    av.logging.set_level(av.logging.PANIC)
    with av.open(
        str(path),
        format=container_format(path),
        container_options={"protocol_whitelist": "file"},
        metadata_errors="replace",
    ) as container:
        if not container.streams.video:
            raise DataError("holds no picture, only sound or other data")
        container.streams.video[0].codec_context.thread_count = 1
        yield container


def frames_from(container: InputContainer, entry: Entry) -> Iterator[av.VideoFrame]:
    """Decodes on from an entry point, in display order, the frames it says to drop included.

    The container must be fresh: a decoder that has worked before may order frames differently.
    """
    stream = container.streams.video[0]
    codec = stream.codec_context
    if entry.frame > 0:
        container.seek(entry.timestamp, stream=stream)
    codec.skip_frame = "NONREF" if entry.fast else "DEFAULT"
    for number, packet in enumerate(container.demux(stream)):
        if entry.fast and number == entry.fast:
            codec.skip_frame = "DEFAULT"
        yield from packet.decode()


class PyAVReader(Reader):
    """Frames of a video file, each decoded from the last verified entry point before it."""

    def __init__(self, path: Path, record: VideoRecord) -> None:
        super().__init__(record.num_frames, record.fps, (record.height, record.width))
        self._path = path
        self._quarter_turns = record.rotation // 90
        self._entries = [BEGINNING, *record.entries]
        self._entry_frames = [entry.frame for entry in self._entries]

    def _read(self, wanted: list[int]) -> Frames:
        from av.video.reformatter import VideoReformatter

        frames = np.empty((len(wanted), *self.size, 3), np.uint8)
        reformatter = VideoReformatter()
        done = 0
        while done < len(wanted):
            run = self._run(wanted, done)
            entry = self._entry_before(wanted[done])
            numbers = wanted[run.start : run.stop]
            for position, frame in zip(run, self._decode(entry, numbers), strict=True):
                frames[position] = self._picture(reformatter, frame)
            done = run.stop
        return frames

    def _entry_before(self, number: int) -> Entry:
        return self._entries[bisect_right(self._entry_frames, number) - 1]

    def _run(self, wanted: list[int], begin: int) -> range:
        """Positions of the wanted frames that are best had in one go, from `begin` on."""
        end = begin + 1
        while end < len(wanted):
            if self._entry_before(wanted[end]).frame - wanted[end - 1] > _WORTH_A_SEEK:
                break
            end += 1
        return range(begin, end)

    def _decode(self, entry: Entry, numbers: list[int]) -> Iterator[av.VideoFrame]:
        """The frames of these ascending numbers, read on from one entry point."""
        import av.error

        remaining = iter(numbers)
        following = next(remaining)
        try:
            with opened(self._path) as container:
                for number, frame in enumerate(
                    frames_from(container, entry), entry.frame - entry.skip
                ):
                    if number == following:
                        yield frame
                        following = next(remaining, None)
                        if following is None:
                            return
        except av.error.FFmpegError as error:
            raise DataError(
                f"{self._path}: cannot be decoded any more ({error.strerror})"
            ) from error
        raise DataError(f"{self._path}: frame {following} is no longer there; scan again")

    def _picture(
        self, reformatter: VideoReformatter, frame: av.VideoFrame
    ) -> UInt8[np.ndarray, "height width channel"]:
        """One frame as red, green, blue, of the video's size and the right way up."""
        height, width = self.size[::-1] if self._quarter_turns % 2 else self.size
        picture = reformatter.reformat(frame, width, height, format="rgb24", threads=1)
        return np.rot90(picture.to_ndarray(), self._quarter_turns)
