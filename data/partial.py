"""A folder that appears complete or not at all, made by one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from data.sources import DataError


@contextmanager
def partial_folder(destination: Path, unfinished: Collection[str]) -> Iterator[Path]:
    """A folder beside the destination for a half-made one, which one process at a time may use.

    One that was left by a killed process is taken over; Ctrl-C leaves it too, for what took long
    and can be used again.

    Args:
        destination: What it is to become.
        unfinished: Names of files in it that are of no use unless whole.

    Raises:
        DataError: It cannot be made, or another process is at it.
    """
    partial = destination.with_name(f".{destination.name}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        lock = os.open(partial, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"'{partial}' cannot be made: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise DataError(f"'{destination}' is being prepared by another process") from None
    try:
        _remove(partial, unfinished)
        yield partial
    except KeyboardInterrupt:
        _remove(partial, unfinished)
        raise
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    else:
        shutil.rmtree(partial, ignore_errors=True)
    finally:
        os.close(lock)


def put_in_place(partial: Path, destination: Path) -> None:
    """Replaces the destination by the finished folder."""
    old = destination.with_name(f".{destination.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if destination.exists():
        destination.rename(old)
    partial.rename(destination)
    shutil.rmtree(old, ignore_errors=True)


def _remove(folder: Path, names: Collection[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)
