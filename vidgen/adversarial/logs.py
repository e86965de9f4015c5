"""What a training says while it runs: log.jsonl, TensorBoard, and a line with an estimate."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class RunLog:
    """The figures of a run: one JSON line a logged step, and the same for TensorBoard.

    Args:
        run: The run folder.
        first_step: Lines of later steps, left by a run that was killed, are dropped.
    """

    def __init__(self, run: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._path = run / "log.jsonl"
        _drop_lines_after(self._path, first_step)
        self._file = self._path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(run), purge_step=first_step + 1)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Adds a line; a full disk costs lines, not the run."""
        with suppress(OSError):
            self._file.write(json.dumps({"step": step, **figures}) + "\n")
            self._file.flush()
        with suppress(OSError):
            for name, value in figures.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Writes what is still held back."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._board.close()


class NoLog:
    """The log of the processes that leave writing to the first."""

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class StepProgress:
    """Progress with an estimate: a bar on a terminal, else a plain line now and then.

    Args:
        done: Steps already made.
        total: Steps of the whole run.
        shown: Whether this process speaks at all.
        seconds_between: Between plain lines.
    """

    def __init__(
        self, done: int, total: int, shown: bool = True, seconds_between: float = 15.0
    ) -> None:
        self._first, self._total, self._shown = done, total, shown
        self._began = self._spoke = time.monotonic()
        self._seconds_between = seconds_between
        self._bar: Progress | None = None
        if shown and sys.stdout.isatty():
            columns = (
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[figures]}"),
            )
            self._bar = Progress(*columns, console=Console())
            self._task = self._bar.add_task("", total=total, completed=done, figures="")
            self._bar.start()

    def update(self, step: int, figures: Mapping[str, float] | None = None) -> None:
        """Tells of a finished step."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step)
            if figures is not None:
                self._bar.update(self._task, figures=_short(figures))
            return
        now = time.monotonic()
        due = now - self._spoke >= self._seconds_between or step == self._total
        if self._shown and due and figures is not None:
            self._spoke = now
            rate = (now - self._began) / max(step - self._first, 1)
            left = rate * (self._total - step)
            self.say(
                f"step {step}/{self._total} · {rate:.2f} s a step · about {_clock(left)} left · "
                f"{_short(figures)}"
            )

    def say(self, text: str) -> None:
        """A line above the bar."""
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False)
        elif self._shown:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def close(self) -> None:
        """Gives the terminal back."""
        if self._bar is not None:
            self._bar.stop()


def _short(figures: Mapping[str, float]) -> str:
    return " · ".join(f"{name} {value:.3g}" for name, value in figures.items() if "/" in name)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _drop_lines_after(path: Path, step: int) -> None:
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            continue  # half a line of a run that was killed while it wrote
    draft = path.with_suffix(".partial")
    draft.write_text("".join(kept), encoding="utf-8")
    draft.replace(path)
