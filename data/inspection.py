"""What one video is worth: checks a file, decodes it to its end, chooses its reader.

Runs in a child process (data/probe.py): the decoders may hang, crash or eat memory here.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from data.decord_check import decord_flaw
from data.entries import Film, decode_film, verified_entries
from data.limits import Limits
from data.readers.arrays import locate
from data.readers.pictures import DEFAULT_FPS, numbered_pictures, open_picture
from data.readers.pyav_video import opened
from data.readers.strip import strip_layout
from data.records import Found, VideoRecord
from data.sources import DataError

_LIKELY_FPS = (0.5, 1000.0)


def inspect(root: Path, found: Found, limits: Limits, progress: Callable[[], None]) -> VideoRecord:
    """What a sequential decode shows of one video.

    Args:
        root: The folder that is scanned.
        found: The video in it.
        limits: How large it may be.
        progress: Called after each decoded frame.

    Raises:
        DataError: The video cannot be used; the text says why.
        Exception: Whatever the decoders raise on files that they cannot read.
    """
    path = root.absolute() / found.path
    status = checked_status(root, path, found)
    inspections = {
        "video": _video,
        "frames": _frame_folder,
        "strip": _strip,
        "array": _array,
    }
    record = inspections[found.kind](path, found, limits, progress)
    if record.height * record.width > limits.max_pixels:
        raise DataError(_too_large(record.height, record.width, limits))
    if record.num_frames > limits.max_frames:
        raise DataError(f"more than {limits.max_frames:,} frames: cut it, or raise max_frames")
    return replace(record, num_bytes=status.st_size, modified_ns=status.st_mtime_ns)


def checked_status(root: Path, path: Path, found: Found) -> os.stat_result:
    """Size and time of a file or folder, once it is known to be one.

    Whether a link may lead out of the root is for the layout to decide, which lists the files.

    Raises:
        DataError: It is missing, something else, or not readable.
    """
    try:
        status = path.stat()
    except (OSError, RuntimeError) as error:  # a circle of links raises RuntimeError
        reason = getattr(error, "strerror", None) or "a circle of links"
        raise DataError(f"cannot be found: {reason}") from error
    is_wanted, noun = (
        (stat.S_ISDIR, "folder") if found.kind == "frames" else (stat.S_ISREG, "regular file")
    )
    if not is_wanted(status.st_mode):
        raise DataError(f"not a {noun} but {_kind_of_file(status.st_mode)}")
    if status.st_size == 0 and found.kind != "frames":
        raise DataError("the file is empty")
    if not os.access(path, os.R_OK):
        raise DataError("may not be read: change its permissions")
    return status


def _kind_of_file(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFREG: "a file",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def _too_large(height: int, width: int, limits: Limits) -> str:
    return (
        f"frames of {width} x {height} pixels are more than the {limits.max_pixels:,} allowed: "
        "shrink it, or raise max_pixels"
    )


def _video(path: Path, found: Found, limits: Limits, progress: Callable[[], None]) -> VideoRecord:
    with opened(path) as container:
        stream = container.streams.video[0]
        if stream.codec_context.width * stream.codec_context.height > limits.max_pixels:
            raise DataError(
                _too_large(stream.codec_context.height, stream.codec_context.width, limits)
            )
        claimed = stream.frames
        rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    film = decode_film(path, limits.max_frames, progress)
    num_frames = len(film.checksums)
    if num_frames == 0:
        reason = "its first frame is damaged" if film.damage else "no frame can be decoded"
        raise DataError(reason)
    if num_frames > limits.max_frames:
        raise DataError(f"more than {limits.max_frames:,} frames: cut it, or raise max_frames")
    height, width = film.height, film.width
    if film.rotation % 180:
        height, width = width, height
    record = VideoRecord(
        found,
        "pyav",
        num_frames,
        _likely_fps([float(rate) for rate in rates if rate]),
        height,
        width,
        film.rotation,
        verified_entries(path, film, progress),
        note=_note(film, claimed),
    )
    if limits.decoder == "pyav":
        return record
    flaw = decord_flaw(path, record, progress)
    if not flaw:
        return replace(record, reader="decord")
    return replace(record, note="; ".join(filter(None, [record.note, flaw])))


def _note(film: Film, claimed: int) -> str:
    """What the user should know of a file that is used all the same."""
    num_frames = len(film.checksums)
    if film.damage:
        return f"damaged after frame {num_frames - 1} ({film.damage}); used up to there"
    if claimed and claimed != num_frames:
        return f"its header promises {claimed} frames; {num_frames} can be decoded"
    return ""


def _likely_fps(rates: list[float]) -> float:
    low, high = _LIKELY_FPS
    return next(
        (rate for rate in rates if math.isfinite(rate) and low <= rate <= high), DEFAULT_FPS
    )


def _frame_folder(
    path: Path, found: Found, limits: Limits, progress: Callable[[], None]
) -> VideoRecord:
    pictures = numbered_pictures(path)
    if not pictures:
        raise DataError("holds no pictures")
    sizes = []
    for picture_path in pictures:
        with open_picture(picture_path) as picture:
            sizes.append(picture.size)
        progress()
    width, height = sizes[0]
    others = sum(size != sizes[0] for size in sizes)
    note = f"{others} pictures of another size are resized to {width} x {height}" if others else ""
    return VideoRecord(found, "frames", len(pictures), DEFAULT_FPS, height, width, note=note)


def _strip(path: Path, found: Found, limits: Limits, progress: Callable[[], None]) -> VideoRecord:
    with open_picture(path) as picture:
        width, height = picture.size
    if height * width > limits.max_pixels:
        raise DataError(_too_large(height, width, limits))
    num_frames, side = strip_layout(height, width)
    return VideoRecord(found, "strip", num_frames, DEFAULT_FPS, side, side)


def _array(path: Path, found: Found, limits: Limits, progress: Callable[[], None]) -> VideoRecord:
    video = locate(path, found.item)
    return VideoRecord(found, "array", video.num_frames, DEFAULT_FPS, video.height, video.width)
