"""Entry points of a video file, each tried out against a decode from the first frame to the last.

A file is decoded whole once, and of each frame a checksum kept. Then decoding is started at key
frames, and between them with the frames left out that no other frame needs; the checksums tell
which frame of the film comes out. What a file says of itself (time stamps, frame count, index)
decides only where to try.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.readers.pyav_video import frames_from, opened
from data.records import Entry

if TYPE_CHECKING:
    import av

# Frames between entry points: closer ones cost a longer scan, wider ones longer run-ups.
_SPACING = 24
_KEY_SPACING = 8
_MOST_ENTRIES = 2000
# Each entry point is followed to the next one and this much further.
_OVERLAP = 8
# More frames than lean on the part before a key frame; where more differ, the file is damaged.
_MOST_DROPPED = 8
# Trying places between key frames takes about twice as long as decoding the film, and pays only
# where this share of the frames can be left out.
_HASTY_SHARE = 0.25
_HASTY_FRAMES = 5000


@dataclass
class Film:
    """What a decode from the first frame to the last has shown.

    Attributes:
        checksums: One of each frame.
        height: Rows of the first frame, as stored.
        width: Columns of the first frame, as stored.
        rotation: Degrees to turn frames counter-clockwise for display.
        num_bidirectional: Frames coded from a later one: those that can usually be left out.
        damage: The decoder's complaint that ended it, or "".
    """

    checksums: list[int] = field(default_factory=list)
    height: int = 0
    width: int = 0
    rotation: int = 0
    num_bidirectional: int = 0
    damage: str = ""

    def unique_places(self) -> dict[int, int]:
        """Index of each frame that looks like no other, by its checksum."""
        counts = Counter(self.checksums)
        return {value: at for at, value in enumerate(self.checksums) if counts[value] == 1}


def checksum(frame: av.VideoFrame) -> int:
    """A number that tells a decoded frame from others, by its size and every pixel of it."""
    value = frame.width << 16 ^ frame.height
    planes = frame.planes
    if not frame.format.is_planar or any(plane.line_size <= 0 for plane in planes):
        return zlib.crc32(frame.to_ndarray(format="rgb24").tobytes(), value)
    sample_bytes = 2 if any(part.bits > 8 for part in frame.format.components) else 1
    for plane in planes:
        memory = np.frombuffer(plane, np.uint8)  # pyright: ignore  (a plane is a buffer)
        rows = memory[: plane.height * plane.line_size]
        # What lies right of the picture in memory belongs to nobody and may change.
        rows = rows.reshape(plane.height, plane.line_size)[:, : plane.width * sample_bytes]
        value = zlib.crc32(rows.tobytes(), value)
    return value


def decode_film(path: Path, max_frames: int, progress: Callable[[], None]) -> Film:
    """Decodes a file from its first frame to its last, or to where it is damaged.

    Args:
        path: The video file.
        max_frames: Where to stop, one frame later.
        progress: Called after each frame.

    Raises:
        DataError: The file holds no picture.
        av.error.FFmpegError: FFmpeg cannot open it, or not decode one frame of it.
    """
    import av.error
    import av.video.frame

    film = Film()
    with opened(path) as container:
        try:
            for frame in frames_from(container, Entry(timestamp=0, frame=0)):
                if frame.is_corrupt:
                    # What FFmpeg paints over a gap is nothing to learn from.
                    film.damage = "a broken frame"
                    break
                if not film.checksums:
                    film.height, film.width = frame.height, frame.width
                    film.rotation = round(frame.rotation / 90) * 90 % 360
                film.checksums.append(checksum(frame))
                film.num_bidirectional += frame.pict_type == av.video.frame.PictureType.B
                progress()
                if len(film.checksums) > max_frames:
                    break
        except av.error.FFmpegError as error:
            if not film.checksums or isinstance(error, MemoryError):
                raise
            film.damage = error.strerror or type(error).__name__
    return film


def verified_entries(path: Path, film: Film, progress: Callable[[], None]) -> tuple[Entry, ...]:
    """Places where decoding may start, in the order of their frames; the beginning is not listed.

    Args:
        path: The video file.
        film: What `decode_film` has shown of it.
        progress: Called after each frame.
    """
    places = film.unique_places()
    entries: dict[int, Entry] = {}
    tries = _tries(path, film)
    num_frames = len(film.checksums)
    ends = [*(min(following.frame + _OVERLAP, num_frames) for following in tries[1:]), num_frames]
    for attempt, end in zip(tries, ends, strict=False):
        entry = _try_out(path, attempt, end, film.checksums, places, progress)
        if entry is not None and entry.frame > 0:
            known = entries.get(entry.frame)
            # A key frame is the cheaper way to the same frame.
            if known is None or entry.fast < known.fast:
                entries[entry.frame] = entry
    return tuple(entries[frame] for frame in sorted(entries))


def _tries(path: Path, film: Film) -> list[Entry]:
    """Where to try: `frame` is a guess that only spaces the tries."""
    import av.error

    num_frames = len(film.checksums)
    hasty = num_frames <= _HASTY_FRAMES and film.num_bidirectional >= _HASTY_SHARE * num_frames
    spacing = max(_KEY_SPACING, num_frames // _MOST_ENTRIES)
    keys: list[Entry] = []
    # Where the file is damaged, the tries before the damage still stand.
    with opened(path) as container, suppress(av.error.FFmpegError):
        for number, packet in enumerate(container.demux(container.streams.video[0])):
            timestamp = packet.dts if packet.pts is None else packet.pts
            if not packet.is_keyframe or timestamp is None:
                continue
            if not keys or number - keys[-1].frame >= spacing:
                keys.append(Entry(timestamp, number))
    tries: list[Entry] = []
    ends = [*(key.frame for key in keys[1:]), num_frames]
    for key, end in zip(keys, ends, strict=False):
        if key.frame > 0:
            tries.append(key)
        if hasty:
            for fast in range(_SPACING, end - key.frame, _SPACING):
                tries.append(Entry(key.timestamp, key.frame + fast, fast=fast))
    return tries


def _try_out(
    path: Path,
    attempt: Entry,
    until: int,
    checksums: list[int],
    places: dict[int, int],
    progress: Callable[[], None],
) -> Entry | None:
    """Decodes from one place and finds which frames come out; `None` when that is unclear."""
    import av.error

    seen: list[int] = []
    shift = None
    with opened(path) as container:
        try:
            for frame in frames_from(container, attempt):
                seen.append(checksum(frame))
                progress()
                # The last frame that looks like no other says where we are: those before it may
                # have come in haste, with gaps.
                if seen[-1] in places:
                    shift = places[seen[-1]] - (len(seen) - 1)
                if shift is not None and shift + len(seen) >= until:
                    break
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
    if shift is None:
        return None
    skip = len(seen)
    while skip > 0 and _same(checksums, shift + skip - 1, seen[skip - 1]):
        skip -= 1
    if skip == len(seen) or skip > _MOST_DROPPED + attempt.fast:
        return None
    return Entry(attempt.timestamp, shift + skip, skip, attempt.fast)


def _same(checksums: list[int], number: int, value: int) -> bool:
    return 0 <= number < len(checksums) and checksums[number] == value
