"""Whether decord gives a file's true frames, found out by asking it for many.

After a seek in an XviD AVI with B-frames decord returns frames from elsewhere in the film, and for
clips cut out of others it counts frames that are not there, all without a word. Its pixels are
PyAV's to the last bit where it is right, so the comparison allows no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from data.readers.decord_video import DecordReader
from data.readers.pyav_video import PyAVReader
from data.records import VideoRecord

_WINDOW = 16
_MOST_WINDOWS = 12


def decord_flaw(path: Path, record: VideoRecord, progress: Callable[[], None]) -> str:
    """Why decord must not read a file, or "".

    Args:
        path: The video file.
        record: What is known of it from PyAV, entry points included.
        progress: Called after each window.
    """
    starts = _starts(record)
    try:
        with DecordReader(path, record) as in_one_go:
            counted = in_one_go.claimed_frames()
            if counted != record.num_frames:
                return f"decord counts {counted} frames"
            if not in_one_go.has_sane_times():
                return "decord reads no sane time stamps in it"
            for start in starts:
                window = range(start, min(start + _WINDOW, record.num_frames))
                with PyAVReader(path, record) as truth:
                    frames = truth.get(window)
                with DecordReader(path, record) as afresh:
                    readings = (afresh.get(window), in_one_go.get(window))
                if not all(np.array_equal(frames, reading) for reading in readings):
                    return f"decord gives wrong frames at {start}"
                progress()
    except Exception:  # its own errors have no common class below Exception
        return "decord cannot decode it"
    return ""


def _starts(record: VideoRecord) -> Iterable[int]:
    """First and last window, those at entry points and just before, and some between; shuffled."""
    last = max(0, record.num_frames - _WINDOW)
    generator = np.random.default_rng(record.num_frames)
    keys = [entry.frame for entry in record.entries if entry.fast == 0]
    chosen = [*keys, *(frame - _WINDOW // 2 for frame in keys)]
    chosen = [start for start in chosen if 0 < start < last]
    between = generator.integers(last + 1, size=_MOST_WINDOWS // 3).tolist()
    if len(chosen) > _MOST_WINDOWS - len(between):
        chosen = generator.choice(chosen, _MOST_WINDOWS - len(between), replace=False).tolist()
    starts = list({0, last, *chosen, *between})
    return [starts[position] for position in generator.permutation(len(starts))]
