"""Files that are whole: hashes, and names that change over at once or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(text: str, place: str) -> str:
    """A text that holds its own SHA-256.

    Args:
        text: With nothing yet at the place.
        place: What stands in front of the empty quotation marks that the digest goes into.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    return text.replace(f'{place}""', f'{place}"{digest}"', 1)


def flush(path: Path) -> None:
    """Puts a file or a folder's list of names on the disk, past the system's own memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def point(pointer: Path, name: str) -> None:
    """Lets a file that holds one name, such as `latest`, hold another."""
    draft = pointer.with_name(f".{pointer.name}.partial")
    draft.write_text(name + "\n", encoding="utf-8")
    flush(draft)
    os.replace(draft, pointer)
    flush(pointer.parent)


def pointed(pointer: Path) -> str:
    """The name that a pointer holds."""
    return pointer.read_text(encoding="utf-8", errors="replace").strip()
