"""Video files in class folders, or in one flat folder; and how a folder becomes a label."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

from data.layouts.layout import Layout, Options
from data.layouts.tree import Notes, Tree, join, natural_key
from data.records import Found
from data.sources import DataError

Video = TypeVar("Video", bound=Hashable)

CLASS_FOLDERS = "class_folders"
FLAT = "flat"

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}


def find_class_folders(tree: Tree, options: Options) -> Layout | None:
    """Each video is labelled by the topmost folder that it lies in."""
    videos, labelled = _videos(tree)
    classes, labels = classed(labelled, videos, tree.notes)
    found = [Found(path, "video", label=labels[path]) for path in videos if path in labels]
    depth = min((one.path.count("/") for one in found), default=0)
    for one in found:
        if classes and one.path.count("/") > depth:
            tree.notes.add("in a folder within its class folder", one.path)
    if not classes:
        return None
    return Layout(CLASS_FOLDERS, classes, of_split(tree, found, options.split))


def find_flat(tree: Tree, options: Options) -> Layout | None:
    """Every video below the root, without labels."""
    videos, _ = _videos(tree)
    found = [Found(path, "video") for path in videos]
    return Layout(FLAT, [], of_split(tree, found, options.split)) if found else None


def sections(tree: Tree) -> dict[str, str]:
    """Folders below which the videos lie, each with the part of the data set that it is.

    These are the folders train, val and test, whatever their spelling; else the one folder that
    holds everything, as part "".
    """
    base = _base(tree)
    parts = {path: _split_of(path) for path in tree.subfolders(base)}
    if not parts or not all(parts.values()) or tree.folders[base].holds_media():
        return {base: ""}
    return parts


def of_split(tree: Tree, found: list[Found], split: str | None) -> list[Found]:
    """The videos of one part; labels were given before, so that they mean the same in all parts.

    Raises:
        DataError: The folder is not divided, or has no such part.
    """
    if split is None:
        return found
    parts = sections(tree)
    chosen = tuple(path + "/" for path, part in parts.items() if part == split)
    if not chosen:
        known = ", ".join(parts) if any(parts.values()) else "none: leave the split out"
        raise DataError(f"'{tree.root}' has no folder of split '{split}', it has {known}")
    return [one for one in found if (one.path + "/").startswith(chosen)]


def classed(
    labelled: list[str], videos: Sequence[Video], notes: Notes
) -> tuple[list[str], dict[Video, int]]:
    """Labels of the videos from the names of their class folders.

    Where most videos lie in class folders, those outside have no label and are left out; where
    most lie outside, the folders mean nothing and all stay without a label.

    Args:
        labelled: Name of each video's class folder, "" without one.
        videos: Paths of the videos, or whatever tells them apart.
        notes: Receives what was left out.

    Returns:
        Names of the classes in natural order, and the label of each video that is kept, -1
        without classes.
    """
    if sum(bool(name) for name in labelled) * 2 <= len(videos):
        return [], dict.fromkeys(videos, -1)
    classes = sorted(set(labelled) - {""}, key=natural_key)
    numbers = {name: label for label, name in enumerate(classes)}
    labels = {}
    for path, name in zip(videos, labelled, strict=True):
        if name:
            labels[path] = numbers[name]
        else:
            notes.add("left out, in no class folder", str(path))
    return classes, labels


def _base(tree: Tree) -> str:
    """The root, or the folder to which single folders lead that only wrap another."""
    base = ""
    while not tree.folders[base].holds_media():
        inner = tree.subfolders(base)
        if len(inner) != 1 or tree.folders[inner[0]].holds_media() or _split_of(inner[0]):
            break
        base = inner[0]
    return base


def _videos(tree: Tree) -> tuple[list[str], list[str]]:
    videos, labelled = [], []
    for section in sections(tree):
        for path, folder in tree.below(section):
            videos += [join(path, name) for name in folder.videos]
            labelled += [top_folder(section, path)] * len(folder.videos)
    return videos, labelled


def top_folder(section: str, path: str) -> str:
    """Name of the first folder on the way from a section down to a folder, "" at the section."""
    return path[len(section) :].strip("/").split("/")[0]


def _split_of(path: str) -> str:
    return _SPLIT_NAMES.get(path.rpartition("/")[2].casefold(), "")
