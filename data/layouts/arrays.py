"""Videos kept as arrays: .npy, .npz and, with h5py, HDF5; one file may hold many videos."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

from data.layouts.folders import classed, sections, top_folder
from data.layouts.layout import Layout, Options
from data.layouts.tree import Tree, join
from data.records import Found

NAME = "arrays"

VIDEOS_KEY, LABELS_KEY = "videos", "labels"
_COLOURS = (1, 3, 4)
# Moving digits are published time first, (20, 10000, 64, 64): few frames, many videos.
_MOST_FRAMES_FIRST = 64


def find(tree: Tree, options: Options) -> Layout | None:
    """Every video of every array file; labels from the file, else from its class folder."""
    files, labelled, rows = [], [], {}
    for section in sections(tree, options.split):
        for path, folder in tree.below(section):
            for name in folder.arrays:
                place = join(path, name)
                rows[place] = _labels(tree.root / place)
                if rows[place] is None:
                    tree.notes.add("left out, array that is no video", place)
                    continue
                files.append(place)
                labelled.append(top_folder(section, path))
    inside = sorted({label for place in files for label in rows[place] or [] if label >= 0})
    if inside:
        classes = [str(label) for label in range(inside[-1] + 1)]
        found = [
            Found(place, "array", label=label, item=item)
            for place in files
            for item, label in enumerate(rows[place] or [])
        ]
    else:
        classes, labels = classed(labelled, files, tree.notes)
        found = [
            Found(place, "array", label=labels[place], item=item)
            for place in files
            if place in labels
            for item in range(len(rows[place] or []))
        ]
    return Layout(NAME, classes, found) if found else None


def looks_like_arrays(tree: Tree) -> bool:
    """Whether the tree holds arrays that may be videos, and no video files."""
    if tree.count_videos():
        return False
    return any(
        _labels(tree.root / path / name) is not None
        for path, folder in tree.folders.items()
        for name in folder.arrays
    )


def num_videos(shape: tuple[int, ...]) -> int:
    """Videos in an array of this shape; 0 where it is no array of videos.

    (N, T, H, W, C) and (N, T, C, H, W) hold N, (N, T, H, W) and time-first (T, N, H, W) hold N,
    (T, H, W, C), (T, C, H, W) and (T, H, W) hold one.
    """
    if 0 in shape or not 3 <= len(shape) <= 5:
        return 0
    if len(shape) == 5:
        return shape[0]
    if len(shape) == 3 or shape[3] in _COLOURS or shape[1] in _COLOURS:
        return 1
    return shape[1] if shape[0] <= _MOST_FRAMES_FIRST < shape[1] else shape[0]


def _labels(path: Path) -> list[int] | None:
    """Label of each video in a file, -1 without; None where the file holds no videos."""
    try:
        shape, labels = _header(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        # The scan opens the file again and reports what is wrong with it.
        return [-1]
    count = num_videos(shape)
    if not count:
        return None
    return labels if labels and len(labels) == count else [-1] * count


def _header(path: Path) -> tuple[tuple[int, ...], list[int]]:
    ending = os.path.splitext(path)[1].lower()
    if ending == ".npy":
        return np.load(path, mmap_mode="r", allow_pickle=False).shape, []
    if ending == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            labels = arrays[LABELS_KEY].ravel().tolist() if LABELS_KEY in arrays else []
        return _shape_in_zip(path), labels
    import h5py

    with h5py.File(path, "r") as file:
        labels = [int(label) for label in file[LABELS_KEY][()]] if LABELS_KEY in file else []
        return file[VIDEOS_KEY].shape, labels


def _shape_in_zip(path: Path) -> tuple[int, ...]:
    # np.load would unpack the whole array only to tell its shape.
    with zipfile.ZipFile(path) as archive, archive.open(VIDEOS_KEY + ".npy") as member:
        version = np.lib.format.read_magic(member)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(member)[0]
        return np.lib.format.read_array_header_2_0(member)[0]
