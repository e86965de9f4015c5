"""Files that are either whole or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time

from av import FFmpegError

from vidgen.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """An empty file to fill, which takes the name `path` when the block ends well.

    It lies in the same folder, so that the renaming is one step of the file system: a process
    killed at any moment leaves the old file or the new one. If the block fails it is removed; if
    the process is killed it stays, for `remove_leftovers`.

    Args:
        path: The final name; its folder is made when missing.

    Raises:
        UserError: The file cannot be written; one line with the system's reason.
    """
    # A short name of its own: the final one may already have the 255 bytes a name can have.
    unfinished = path.parent / f".{os.getpid()}-{secrets.token_hex(4)}.part"
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not tempfile.mkstemp: its files are closed to everybody else, whatever the umask.
            unfinished.open("xb").close()
            yield unfinished
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except (OSError, FFmpegError) as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"cannot write {path}: {reason}; choose another folder or make room"
        ) from error


def remove_leftovers(folder: Path, idle_seconds: float = 3600) -> None:
    """Removes the unfinished files of writers that were killed.

    Args:
        folder: Where they wrote; it need not exist.
        idle_seconds: What was written to since then is left to a writer that may still live.
    """
    for unfinished in folder.glob(".*.part"):
        # Another process may have been faster, and what cannot be removed does no harm.
        with suppress(OSError):
            if unfinished.stat().st_mtime < time() - idle_seconds:
                unfinished.unlink()
