"""A line that tells how far a long look at many files has come."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Anything quicker needs no progress shown.
_SECONDS_BEFORE = 2.0
_SECONDS_BETWEEN_LINES = 10.0

Progress = Callable[[int, int], None]


@contextmanager
def shown_progress(title: str) -> Iterator[Progress]:
    """Gives a function to call with the number done and of all; shows it on standard error.

    A bar with the time left in a terminal, a plain line every ten seconds elsewhere, nothing for
    work that is done in two seconds.
    """
    if not sys.stderr.isatty():
        yield _plain(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, visible=False)
        began = time.monotonic()

        def progress(done: int, total: int) -> None:
            visible = time.monotonic() - began > _SECONDS_BEFORE
            bar.update(task, completed=done, total=total, visible=visible)

        yield progress


def _plain(title: str) -> Progress:
    last = time.monotonic() + _SECONDS_BEFORE - _SECONDS_BETWEEN_LINES

    def progress(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > _SECONDS_BETWEEN_LINES:
            last = now
            sys.stderr.write(f"{title}: {done} of {total}\n")

    return progress
