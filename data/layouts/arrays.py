"""Videos kept as arrays: .npy, .npz and, with h5py, HDF5; one file may hold many videos."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from data.layouts.folders import classed, sections, top_folder
from data.layouts.layout import Layout, Options
from data.layouts.tree import Tree, join
from data.readers.arrays import count_items
from data.records import Found
from data.sources import DataError

NAME = "arrays"


def find(tree: Tree, options: Options) -> Layout | None:
    """Every video of every array file; classes from within the files, else from their folders."""
    videos: list[tuple[str, int]] = []
    within: list[str] = []
    folders: list[str] = []
    for section in sections(tree, options.split):
        for path, folder in tree.below(section):
            for name in folder.arrays:
                file = join(path, name)
                count = _count(tree.root / file)
                videos += [(file, item) for item in range(count)]
                within += _class_names(tree.root / file, count)
                folders += [top_folder(section, path)] * count
    names = within if any(within) else folders
    classes, labels = classed(names, videos, tree.notes)
    found = [
        Found(path, "array", label=labels[path, item], item=item)
        for path, item in videos
        if (path, item) in labels
    ]
    return Layout(NAME, classes, found) if found else None


def looks_like_arrays(tree: Tree) -> bool:
    """Whether some array of the tree holds videos, and no video files lie there."""
    if tree.count_videos():
        return False
    files = [
        tree.root / path / name for path, folder in tree.folders.items() for name in folder.arrays
    ]
    return any(_holds_videos(file) for file in files)


def _holds_videos(file: Path) -> bool:
    try:
        return count_items(file) > 0
    except DataError:
        return False


def _count(file: Path) -> int:
    try:
        return count_items(file)
    except DataError:
        # Named all the same: the scan opens it again and reports what is wrong.
        return 1


def _class_names(file: Path, count: int) -> list[str]:
    """Class of each video as the file or the list beside it tells, "" where nothing does."""
    names: list[Any] = []
    try:
        if file.suffix.lower() == ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                names = arrays["labels"].tolist() if "labels" in arrays.files else []
        elif file.suffix.lower() in (".h5", ".hdf5"):
            listed = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
            names = [record.get("category", "") for record in listed]
    except (OSError, ValueError, AttributeError):
        names = []
    return [str(name) for name in names] if len(names) == count else [""] * count
