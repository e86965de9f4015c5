"""A folder listed once: which videos, images and arrays lie where. No file is opened."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from data.sources import DataError

# fmt: off
VIDEO_ENDINGS = frozenset((
    ".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".ogv", ".ts", ".vob", ".webm", ".wmv",
))
IMAGE_ENDINGS = frozenset((
    ".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
))
# fmt: on
ARRAY_ENDINGS = frozenset((".h5", ".hdf5", ".npy", ".npz"))

NAMES_SHOWN = 4
_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sorting by it puts frame2 before frame10, whatever the case of the letters."""
    parts: list[str | int] = list(_DIGITS.split(name.casefold()))
    parts[1::2] = map(int, parts[1::2])
    return parts, name


def printable(name: str) -> str:
    """A file name that fits on one line of any terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)


class Notes:
    """Counts what was left out, by kind, and remembers a few names of each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._names: dict[str, list[str]] = {}

    def add(self, kind: str, name: str) -> None:
        """Count one more of a kind, such as "hidden, left out"."""
        self._counts[kind] += 1
        names = self._names.setdefault(kind, [])
        if len(names) < NAMES_SHOWN:
            names.append(printable(name))

    def lines(self) -> list[str]:
        """One line for each kind: how many, what, and the first names."""
        return [
            f"{count} {kind}: {', '.join(self._names[kind])}"
            + (f" and {count - NAMES_SHOWN} more" if count > NAMES_SHOWN else "")
            for kind, count in self._counts.items()
        ]


@dataclass
class Folder:
    """What lies directly in one folder, each list in natural order."""

    folders: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    arrays: list[str] = field(default_factory=list)

    def holds_media(self) -> bool:
        """Whether a video, image or array lies directly in it."""
        return bool(self.videos or self.images or self.arrays)


class Tree:
    """All folders below a root, by their path relative to it ("" is the root itself).

    Args:
        root: Folder to list.
        follow_links: Also follow links that lead out of the root.

    Raises:
        DataError: The root is missing, is no folder, is empty or cannot be listed.
    """

    def __init__(self, root: Path, follow_links: bool = False) -> None:
        self.root = _existing_folder(root)
        self.folders: dict[str, Folder] = {}
        self.endings: Counter[str] = Counter()
        self.notes = Notes()
        self._follow_links = follow_links
        self._real_root = os.path.realpath(self.root)
        self._followed: set[str] = set()
        self._list_all()
        self._order = list(self.folders)
        self._position = {path: position for position, path in enumerate(self._order)}
        self._with_media = self._above_media()

    def below(self, folder: str) -> Iterator[tuple[str, Folder]]:
        """The folder and all below it as (relative path, contents), in natural order."""
        start = folder + "/" if folder else ""
        # Depth first: a folder's descendants follow it without a gap.
        for position in range(self._position[folder], len(self._order)):
            path = self._order[position]
            if path != folder and not path.startswith(start):
                return
            yield path, self.folders[path]

    def subfolders(self, folder: str) -> list[str]:
        """Paths of its direct subfolders that hold media at any depth."""
        paths = (join(folder, name) for name in self.folders[folder].folders)
        return [path for path in paths if path in self._with_media]

    def count_videos(self) -> int:
        """Video files in the whole tree."""
        return sum(len(folder.videos) for folder in self.folders.values())

    def _list_all(self) -> None:
        waiting = [""]
        while waiting:
            path = waiting.pop()
            folder = self._listed(path, self._entries(path))
            self.folders[path] = folder
            waiting += [join(path, name) for name in reversed(folder.folders)]

    def _entries(self, path: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(os.path.join(self.root, path)) as unordered:
                entries = sorted(unordered, key=lambda entry: natural_key(entry.name))
        except OSError as error:
            if not path:
                raise DataError(f"'{self.root}' cannot be listed: {error.strerror}") from None
            self.notes.add(f"left out, cannot be listed ({error.strerror})", path)
            return []
        if not path and not entries:
            raise DataError(f"'{self.root}' is empty: give the folder that holds the videos")
        return entries

    def _above_media(self) -> set[str]:
        found: set[str] = set()
        for path, folder in self.folders.items():
            while folder.holds_media() and path not in found:
                found.add(path)
                path = path.rpartition("/")[0]
        return found

    def _listed(self, path: str, entries: list[os.DirEntry[str]]) -> Folder:
        folder = Folder()
        for entry in entries:
            place = join(path, entry.name)
            if entry.name.startswith("."):
                self.notes.add("left out, hidden", place)
            elif entry.is_symlink() and not self._kept_link(entry, place):
                continue
            elif entry.is_dir():
                folder.folders.append(entry.name)
            elif entry.is_file():
                self._sort_in(folder, entry.name, place)
            else:
                self.notes.add("left out, neither file nor folder", place)
        return folder

    def _sort_in(self, folder: Folder, name: str, place: str) -> None:
        ending = os.path.splitext(name)[1].lower()
        self.endings[ending] += 1
        if ending in VIDEO_ENDINGS:
            folder.videos.append(name)
        elif ending in IMAGE_ENDINGS:
            folder.images.append(name)
        elif ending in ARRAY_ENDINGS:
            folder.arrays.append(name)
        else:
            self.notes.add("left out, no video by its name", place)

    def _kept_link(self, entry: os.DirEntry[str], place: str) -> bool:
        target = os.path.realpath(entry.path)
        inside = target == self._real_root or target.startswith(self._real_root + os.sep)
        if not os.path.exists(target):
            self.notes.add("left out, broken link", place)
        elif not inside and not self._follow_links:
            self.notes.add("left out, link out of the folder (follow_links reads it)", place)
        elif entry.is_dir() and (inside or target in self._followed):
            # Its files are listed where they lie; following it could also go round for ever.
            self.notes.add("left out, link to a folder that is read anyway", place)
        else:
            if entry.is_dir():
                self._followed.add(target)
            return True
        return False


def join(folder: str, name: str) -> str:
    """Relative path of a name in a folder, "" being the root."""
    return f"{folder}/{name}" if folder else name


def _existing_folder(root: Path) -> Path:
    root = Path(root).expanduser()
    try:
        if root.is_dir():
            return root
        if root.exists():
            raise DataError(f"'{root}' is a file: give the folder that holds it")
        parent = next(parent for parent in root.absolute().parents if parent.is_dir())
    except OSError as error:
        raise DataError(f"'{root}' cannot be opened: {error.strerror}") from None
    raise DataError(f"no folder '{root}': the path exists only as far as '{parent}'")
