"""A folder of videos stabilized: the same tree of MP4s, and a report that says what became of each.

Every video has one line of JSON in the report, written when its files are finished. So whatever
ends a run, the next one goes on behind the last finished video.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.folder import scanned_folder
from data.layouts import LayoutName, Options
from data.mp4 import mp4_file
from data.progress import shown_progress
from data.readers import open_reader
from data.records import VideoRecord
from data.sources import DataError
from data.stabilization import Frame, Piece, Stabilization
from data.stabilization_report import PARTIAL, REPORT, Outcome, line_of, read_report, write_report
from data.workers import mapped

_SCAN = ".scan.json"

# Decoded frames that one process holds at a time.
_BYTES_AT_ONCE = 64 << 20
# Pieces that are tried of one video, kept or not.
_MOST_PIECES = 100
_PIECE = re.compile(r"_piece\d+$")


@dataclass
class Report:
    """What became of a folder.

    Attributes:
        outcomes: One a video, in the layout's order; unreadable ones come last.
        num_skipped: Videos that an earlier run had finished.
    """

    outcomes: list[Outcome]
    num_skipped: int


def stabilize(
    root: Path,
    destination: Path,
    settings: Stabilization,
    layout: LayoutName = "auto",
    options: Options | None = None,
    follow_links: bool = False,
    num_workers: int = 2,
) -> Report:
    """Stabilizes every video of a folder; a video that fails costs a line of the report.

    Args:
        root: Folder of videos.
        destination: Folder for the MP4s, at the same relative paths, and for the report.
        settings: How to stabilize, and what is kept.
        layout: How the root is laid out.
        options: Which part of the data set is wanted.
        follow_links: Also read what links lead to outside the root.
        num_workers: Processes that work; 0 works in this one.

    Raises:
        DataError: The root cannot be used, the destination holds something else or cannot be
            written, or a process was killed.
    """
    root, destination = Path(root).expanduser(), Path(destination).expanduser().absolute()
    with _reserved(root, destination):
        catalog = scanned_folder(
            root, layout, options or Options(), follow_links, destination / _SCAN
        )
        work = _Stabilizer(root, destination, settings, _names(catalog.records))
        finished = read_report(destination)
        # Written anew because a killed run may have left half a line.
        write_report(destination, list(finished.values()))
        waiting = [
            record
            for record in catalog.records
            if _key(record) not in finished
            or finished[_key(record)].made_of != work.made_of(record)
        ]
        num_skipped = len(catalog.records) - len(waiting)
        with shown_progress("Stabilizing") as progress, open(destination / REPORT, "a") as report:
            for number, outcome in enumerate(mapped(work, waiting, num_workers), 1):
                finished[outcome.path, outcome.item] = outcome
                report.write(line_of(outcome))
                report.flush()
                progress(number, len(waiting))
        outcomes = [finished[_key(record)] for record in catalog.records]
        outcomes += [Outcome(one.path, one.item, reason=one.reason) for one in catalog.rejects]
        write_report(destination, outcomes)
    return Report(outcomes, num_skipped)


@contextmanager
def _reserved(root: Path, destination: Path) -> Iterator[None]:
    """The destination for this process alone, after a look whether it may be written to."""
    source, target = root.resolve(), destination.resolve()
    if target == source or source in target.parents or target in source.parents:
        raise DataError(f"'{destination}' and '{root}' lie within each other: choose a new folder")
    try:
        if destination.exists() and not (destination / REPORT).exists():
            strangers = set(os.listdir(destination)) - {_SCAN}
            if strangers:
                raise DataError(f"'{destination}' holds other files: choose a new folder")
        destination.mkdir(parents=True, exist_ok=True)
        lock = os.open(destination, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"'{destination}' cannot be made: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in destination.glob(f".*{PARTIAL}"):  # by a run that was killed
            left.unlink()
        yield
    except BlockingIOError:
        raise DataError(f"another process writes to '{destination}'") from None
    finally:
        os.close(lock)


def _key(record: VideoRecord) -> tuple[str, int]:
    return record.found.path, record.found.item


def _names(records: list[VideoRecord]) -> dict[tuple[str, int], str]:
    """Where each video goes: its own path without the ending, unless another one goes there too."""
    names = {_key(record): _bare_name(record) for record in records}
    counts = Counter(name.casefold() for name in names.values())
    for key, name in names.items():
        whole = _PIECE.sub("", name)
        if counts[name.casefold()] > 1 or (whole != name and counts[whole.casefold()]):
            names[key] = key[0]
    return names


def _bare_name(record: VideoRecord) -> str:
    found = record.found
    name = found.path if found.kind == "frames" else os.path.splitext(found.path)[0]
    return f"{name}_{found.item:05d}" if found.kind == "array" else name


@dataclass(frozen=True)
class _Stabilizer:
    """Stabilizes one video at a time and writes its pieces."""

    root: Path
    destination: Path
    settings: Stabilization
    names: dict[tuple[str, int], str]

    def made_of(self, record: VideoRecord) -> dict[str, Any]:
        seen = {"num_bytes": record.num_bytes, "modified_ns": record.modified_ns}
        return seen | asdict(self.settings)

    def __call__(self, record: VideoRecord) -> Outcome:
        outcome = Outcome(*_key(record), made_of=self.made_of(record))
        self._remove(record)
        try:
            self._make(record, outcome)
        except OSError as error:
            # The disk is full, or the folder gone: later videos would fare no better.
            self._remove(record)
            raise DataError(f"'{outcome.path}' cannot be stabilized: {error}") from None
        except Exception as error:  # decoders raise anything at all
            self._remove(record)
            outcome.files, outcome.reason = [], str(error) or type(error).__name__
            return outcome
        if not outcome.files:
            outcome.reason = _summary(outcome.failures)
        return outcome

    def _make(self, record: VideoRecord, outcome: Outcome) -> None:
        """Cuts the video into pieces: where one ends, the next begins."""
        skipped = self.settings.skip_frames
        frames = enumerate(_frames(self.root, record, skipped), skipped)
        following = next(frames, None)
        num_tried = 0
        while following is not None and num_tried < _MOST_PIECES:
            num_tried += 1
            path = self._path(record, len(outcome.files))
            unfinished = self.destination / f".{os.getpid()}{PARTIAL}"
            try:
                number, first = following
                piece, following = self._written(unfinished, record.fps, first, frames)
                self._judge(piece, number, unfinished, path, outcome)
            finally:
                unfinished.unlink(missing_ok=True)

    def _written(
        self, path: Path, fps: float, first: Frame, frames: Iterator[tuple[int, Frame]]
    ) -> tuple[Piece, tuple[int, Frame] | None]:
        """One piece, and the numbered frame before which it ended, if any."""
        piece = Piece(first, self.settings)
        with mp4_file(path, fps) as add:
            add(first)
            for numbered in frames:
                shown = piece.add(numbered[1])
                if shown is None:
                    return piece, numbered
                add(shown)
        return piece, None

    def _path(self, record: VideoRecord, num_kept: int) -> Path:
        """The first piece has the video's name, later ones are numbered."""
        suffix = f"_piece{num_kept + 1}" if num_kept else ""
        return self.destination / f"{self.names[_key(record)]}{suffix}.mp4"

    def _remove(self, record: VideoRecord) -> None:
        """What another run has made of the video, with other settings or not to the end."""
        for number in range(_MOST_PIECES):
            self._path(record, number).unlink(missing_ok=True)

    def _judge(
        self, piece: Piece, number: int, unfinished: Path, path: Path, outcome: Outcome
    ) -> None:
        facts: dict[str, Any] = {"first_frame": number, "num_frames": piece.num_frames}
        reason = piece.verdict()
        if reason:
            outcome.failures.append(facts | {"reason": reason})
            return
        drift = piece.drift()
        facts["file"] = path.relative_to(self.destination).as_posix()
        facts["error"], facts["unseen"] = round(piece.error, 3), round(piece.unseen, 4)
        facts["drift"] = None if drift is None else round(drift, 3)
        outcome.files.append(facts)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.rename(path)


def _frames(root: Path, record: VideoRecord, start: int) -> Iterator[Frame]:
    """The frames of a video from one on, decoded some at a time."""
    at_once = max(1, _BYTES_AT_ONCE // (record.height * record.width * 3))
    for begin in range(start, record.num_frames, at_once):
        # Opened for each run: a reader that is kept open decodes ahead.
        with open_reader(root, record) as reader:
            yield from reader.get(range(begin, min(begin + at_once, record.num_frames)))


def _summary(failures: list[dict[str, Any]]) -> str:
    if not failures:
        return "no frames after those skipped at its start"
    first = failures[0]
    place = f"from frame {first['first_frame']} on, {first['num_frames']} frames were followed"
    more = f"; {len(failures) - 1} later pieces failed too" if len(failures) > 1 else ""
    return f"{place}: {first['reason']}{more}"
