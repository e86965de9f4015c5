"""FaceForensics++: `original_sequences/youtube/c23/videos/NNN.mp4` and manipulations beside it."""

from __future__ import annotations

import json
import os
import re

from data.layouts.layout import Layout, Options
from data.layouts.splits import split_folder
from data.layouts.tree import Tree, join
from data.records import Found
from data.sources import DataError

NAME = "faceforensics++"
METHODS = (
    "Deepfakes",
    "Face2Face",
    "FaceSwap",
    "NeuralTextures",
    "FaceShifter",
    "DeepFakeDetection",
)

_LIST = re.compile(r"(train|val|test)\.json")


def find(tree: Tree, options: Options) -> Layout | None:
    """The videos of one source at one compression, with masks where a manipulation has them."""
    base = _base(tree)
    if base is None:
        return None
    folder = _source_folder(tree, base, options)
    masks = _masks(tree, base, options.source)
    found = []
    for name in tree.folders[folder].videos:
        stem = os.path.splitext(name)[0]
        if masks and stem not in masks:
            tree.notes.add("without a mask", join(folder, name))
        # The video that a manipulation was made of comes first in its name: <target>_<source>.
        group = stem.split("_")[0]
        found.append(Found(join(folder, name), "video", group=group, mask=masks.get(stem, "")))
    if options.split is not None:
        found = _members(tree, found, options)
    return Layout(NAME, [], found)


def _base(tree: Tree) -> str | None:
    for path, folder in tree.folders.items():
        if {"original_sequences", "manipulated_sequences"}.intersection(folder.folders):
            return path
        # Re-releases: one plain folder of videos for each source.
        if "original" in folder.folders and set(METHODS).intersection(folder.folders):
            return path
    return None


def _source_folder(tree: Tree, base: str, options: Options) -> str:
    source, videos = options.source, f"{options.compression}/videos"
    # Older downloads have no level that tells youtube's from the actors' videos.
    places = (
        f"original_sequences/youtube/{videos}" if source == "original" else "",
        f"original_sequences/{videos}" if source == "original" else "",
        f"original_sequences/actors/{videos}" if source == "actors" else "",
        f"manipulated_sequences/{source}/{videos}",
        source,
    )
    for place in places:
        if place and _videos(tree, join(base, place)):
            return join(base, place)
    seen = [path for path, folder in tree.folders.items() if folder.videos and "masks" not in path]
    raise DataError(
        f"'{tree.root}' has no videos of source '{source}' with compression"
        f" '{options.compression}': choose among {', '.join(seen) or 'none'}"
    )


def _masks(tree: Tree, base: str, source: str) -> dict[str, str]:
    """Mask of each video by its stem; an original borrows that of the first manipulation of it."""
    masks: dict[str, str] = {}
    for method in METHODS if source == "original" else (source,):
        folder = join(base, f"manipulated_sequences/{method}/masks/videos")
        for name in _videos(tree, folder):
            stem = os.path.splitext(name)[0]
            key = stem.split("_")[0] if source == "original" else stem
            masks.setdefault(key, join(folder, name))
    return masks


def _members(tree: Tree, found: list[Found], options: Options) -> list[Found]:
    lists = split_folder(tree.root, options.split_lists, _LIST)
    if lists is None:
        raise DataError(
            f"no train.json, val.json, test.json in or beside '{tree.root}': give their folder"
            " as split_lists, or leave the split out"
        )
    path = lists / f"{options.split}.json"
    try:
        identities = {name for pair in json.loads(path.read_text()) for name in pair}
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"'{path}' is no list of pairs of names: {error}") from None
    members = [one for one in found if identities.issuperset(_identities(one.path))]
    if not members:
        raise DataError(f"none of the {len(identities)} names of '{path}' is in '{tree.root}'")
    return members


def _identities(path: str) -> list[str]:
    return os.path.splitext(path.rpartition("/")[2])[0].split("_")


def _videos(tree: Tree, folder: str) -> list[str]:
    return tree.folders[folder].videos if folder in tree.folders else []
