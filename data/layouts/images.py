"""Videos kept as images: folders of numbered frames, and strips of square frames in a row."""

from __future__ import annotations

import os
import re
from itertools import pairwise

from PIL import Image

from data.layouts.folders import classed, sections, top_folder
from data.layouts.layout import Layout, Options
from data.layouts.tree import Folder, Tree, join
from data.records import Found

FRAMES = "frames"
STRIPS = "strips"

_NUMBER = re.compile(r"(\d+)\D*$")
# Two frames side by side may as well be one wide picture; MoCoGAN's strips have 32 and more.
_FEWEST_FRAMES = 4
_IMAGES_OPENED = 12


def find_frames(tree: Tree, options: Options) -> Layout | None:
    """Each folder that directly holds numbered images is one video."""
    videos, labelled = [], []
    for section in sections(tree, options.split):
        for path, folder in tree.below(section):
            if not _is_video(folder):
                for name in folder.images:
                    place = join(path, name)
                    tree.notes.add("left out, image in no folder of numbered frames", place)
                continue
            videos.append(path)
            # <root>/<video> has no class, <root>/<class>/<video> has.
            name = top_folder(section, path)
            labelled.append(name if join(section, name) != path else "")
            _note_gaps(tree, path, folder)
    classes, labels = classed(labelled, videos, tree.notes)
    found = [Found(path or ".", "frames", label=labels[path]) for path in videos if path in labels]
    return Layout(FRAMES, classes, found) if found else None


def find_strips(tree: Tree, options: Options) -> Layout | None:
    """Each image is one video, its frames side by side or one below the other."""
    videos, labelled = [], []
    for section in sections(tree, options.split):
        for path, folder in tree.below(section):
            videos += [join(path, name) for name in folder.images]
            labelled += [top_folder(section, path)] * len(folder.images)
    classes, labels = classed(labelled, videos, tree.notes)
    found = [Found(path, "strip", label=labels[path]) for path in videos if path in labels]
    return Layout(STRIPS, classes, found) if found else None


def looks_like_strips(tree: Tree) -> bool:
    """Whether most of a few images from all over the tree are many frames long."""
    places = [
        join(path, name)
        for path, folder in tree.folders.items()
        for name in folder.images[:: max(1, len(folder.images) - 1)]
    ]
    sampled = places[:: max(1, len(places) // _IMAGES_OPENED)]
    wide = [_is_strip(os.path.join(tree.root, place)) for place in sampled]
    return sum(wide) * 2 > len(wide)


def looks_like_frames(tree: Tree) -> bool:
    """Whether the tree holds at least as many folders of numbered images as video files."""
    folders = sum(_is_video(folder) for folder in tree.folders.values())
    return folders > 0 and folders >= tree.count_videos()


def _is_video(folder: Folder) -> bool:
    numbers = _numbers(folder.images)
    return any(after - before == 1 for before, after in pairwise(numbers))


def _numbers(images: list[str]) -> list[int]:
    matches = (_NUMBER.search(os.path.splitext(name)[0]) for name in images)
    return [int(match[1]) for match in matches if match]


def _note_gaps(tree: Tree, path: str, folder: Folder) -> None:
    numbers = _numbers(folder.images)
    if len(set(numbers)) != numbers[-1] - numbers[0] + 1:
        tree.notes.add("with gaps in the numbers of its frames", path)


def _is_strip(path: str) -> bool:
    try:
        with Image.open(path) as image:
            long, short = max(image.size), min(image.size)
    except OSError:
        return False
    return long % short == 0 and long >= _FEWEST_FRAMES * short
