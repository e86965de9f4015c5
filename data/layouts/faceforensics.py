"""FaceForensics, first version: `{train,val,test}/{original,altered,mask}/<name>.avi`."""

from __future__ import annotations

from data.layouts.layout import Layout, Options
from data.layouts.tree import Tree, join
from data.records import Found
from data.sources import DataError

NAME = "faceforensics"
SPLITS = ("train", "val", "test")
SOURCES = ("original", "altered")

# A name is <youtube id>_<n>_<source id>_<m>; ids have 11 letters and may hold underscores.
_ID_LENGTH = 11


def find(tree: Tree, options: Options) -> Layout | None:
    """The original (or altered) clips, each with the mask video of the same name."""
    base = _base(tree)
    if base is None:
        return None
    if options.source not in SOURCES:
        raise DataError(f"FaceForensics has no source '{options.source}': choose {SOURCES}")
    splits = SPLITS if options.split is None else (options.split,)
    found = []
    for split in splits:
        folder = join(base, split)
        masks = set(_videos(tree, join(folder, "mask")))
        for name in _videos(tree, join(folder, options.source)):
            mask = join(join(folder, "mask"), name) if name in masks else ""
            if not mask:
                tree.notes.add("without a mask of the same name", join(folder, name))
            path = join(join(folder, options.source), name)
            found.append(Found(path, "video", group=name[:_ID_LENGTH], mask=mask))
    if not found:
        raise DataError(
            f"'{tree.root}' holds no '{options.source}' videos in {' or '.join(splits)}"
        )
    return Layout(NAME, [], found)


def _base(tree: Tree) -> str | None:
    for path, folder in tree.folders.items():
        for split in set(SPLITS).intersection(folder.folders):
            below = join(path, split)
            originals = any(_videos(tree, join(below, source)) for source in SOURCES)
            if originals and "mask" in tree.folders[below].folders:
                return path
    return None


def _videos(tree: Tree, folder: str) -> list[str]:
    return tree.folders[folder].videos if folder in tree.folders else []
