"""Which data set a folder holds: the layouts of datasets in use, recognised in this order.

UCF-101, FaceForensics, FaceForensics++, arrays, frame folders, strips, class folders, and last one
flat folder, which fits whatever holds a video. Nothing is decoded here: names decide, and for
images and arrays the header of a few files.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import get_args

from data.layouts import arrays, faceforensics, faceforensics_plus, folders, images, ucf101
from data.layouts.layout import Layout, LayoutName, Options, Recogniser, Split
from data.layouts.tree import Tree
from data.sources import DataError

__all__ = ["NAMES", "Layout", "LayoutName", "Options", "Split", "recognise"]

_RECOGNISERS: dict[str, Recogniser] = {
    ucf101.NAME: ucf101.find,
    faceforensics.NAME: faceforensics.find,
    faceforensics_plus.NAME: faceforensics_plus.find,
    arrays.NAME: arrays.find,
    images.FRAMES: images.find_frames,
    images.STRIPS: images.find_strips,
    folders.CLASS_FOLDERS: folders.find_class_folders,
    folders.FLAT: folders.find_flat,
}

# Recognisers that would take files that only lie beside the videos, such as thumbnails, if they
# were tried on every folder: a first look must approve.
_FIRST_LOOKS: dict[str, Callable[[Tree], bool]] = {
    arrays.NAME: arrays.looks_like_arrays,
    images.FRAMES: lambda tree: (
        images.looks_like_frames(tree) and not images.looks_like_strips(tree)
    ),
    images.STRIPS: images.looks_like_strips,
}

NAMES = get_args(LayoutName)


def recognise(
    root: Path,
    name: str = "auto",
    *,
    split: Split | None = None,
    fold: int = 1,
    split_lists: Path | None = None,
    compression: str = "c23",
    source: str = "original",
    follow_links: bool = False,
) -> Layout:
    """The videos that a folder holds, by the first layout that fits or by the named one.

    Args:
        root: Folder of the data set.
        name: `auto`, or the layout to take it for.
        split: Part for training, validation or test; `None` takes every video.
        fold: Number of UCF-101's split list.
        split_lists: Folder of the split files; `None` looks in the root and beside it.
        compression: FaceForensics++: `raw`, `c0`, `c23` or `c40`.
        source: FaceForensics: `original`, `altered`, `actors` or the name of a manipulation.
        follow_links: Also read what links lead to outside the root.

    Raises:
        DataError: The folder cannot be read, holds no video, or is not of the named layout.
    """
    if name not in NAMES:
        close = get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise DataError(f"no layout '{name}': {hint}choose among {', '.join(NAMES)}")
    tree = Tree(root, follow_links)
    options = Options(split, fold, split_lists, compression, source)
    layout = _first_fit(tree, options) if name == "auto" else _RECOGNISERS[name](tree, options)
    if layout is None or not layout.found:
        wanted = "video" if name == "auto" else f"'{name}' data"
        raise DataError(f"no {wanted} in '{tree.root}': {_seen(tree)}")
    _note_unused(tree, layout)
    layout.notes = tree.notes.lines()
    return layout


def _first_fit(tree: Tree, options: Options) -> Layout | None:
    for name, find in _RECOGNISERS.items():
        if _FIRST_LOOKS.get(name, lambda tree: True)(tree):
            layout = find(tree, options)
            if layout is not None:
                return layout
    return None


def _note_unused(tree: Tree, layout: Layout) -> None:
    """Files of a kind that the layout does not read, such as thumbnails beside videos."""
    kind = layout.found[0].kind
    for path, folder in tree.folders.items():
        unread = {"video": folder.videos, "frames": folder.images, "array": folder.arrays}
        unread.pop("frames" if kind == "strip" else kind)
        for label, names in unread.items():
            for name in names:
                what = "image" if label == "frames" else label
                tree.notes.add(f"left out, {what} beside {layout.name}", f"{path}/{name}")


def _seen(tree: Tree) -> str:
    if not tree.endings:
        return "; ".join(tree.notes.lines()) or "saw only empty folders"
    counts = (
        f"{count} {ending or 'without ending'}" for ending, count in tree.endings.most_common(6)
    )
    return f"saw only files {', '.join(counts)}"
