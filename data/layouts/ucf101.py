"""UCF-101: `<Class>/v_<Class>_gNN_cNN.avi`, or all in one folder, with the lists of its splits."""

from __future__ import annotations

import os
import re
from pathlib import Path

from data.layouts.layout import Layout, Options
from data.layouts.splits import lines_of, split_folder
from data.layouts.tree import Tree, join, natural_key
from data.records import Found
from data.sources import DataError

NAME = "ucf101"

_CLIP = re.compile(r"v_(?P<action>[^_]+)_(?P<group>g\d+)_c\d+(_piece\d+)?", re.IGNORECASE)
# Of what `python -m data stabilize` cuts from one video.
_PIECE = re.compile(r"_piece\d+$")
_LIST = re.compile(r"(train|test)list\d+\.txt|classInd\.txt", re.IGNORECASE)


def find(tree: Tree, options: Options) -> Layout | None:
    """The clips of a UCF-101 folder; labels follow classInd.txt where it exists, less one."""
    clips, strays = _named_clips(tree)
    if not clips or len(strays) > len(clips):
        return None
    for path in strays:
        tree.notes.add("left out, not named v_<Class>_gNN_cNN", path)
    actions = _actions(clips)
    lists = split_folder(tree.root, options.split_lists, _LIST)
    classes = _classes(lists, set(actions.values()))
    labels = {name.casefold(): label for label, name in enumerate(classes)}
    found = [
        Found(path, "video", label=labels[actions[path].casefold()], group=clip["group"].lower())
        for path, clip in clips.items()
    ]
    if options.split is not None:
        found = _members(tree, found, lists, options)
    return Layout(NAME, classes, found)


def _named_clips(tree: Tree) -> tuple[dict[str, re.Match[str]], list[str]]:
    clips: dict[str, re.Match[str]] = {}
    strays = []
    for path, folder in tree.below(""):
        for name in folder.videos:
            match = _CLIP.fullmatch(os.path.splitext(name)[0])
            if match:
                clips[join(path, name)] = match
            else:
                strays.append(join(path, name))
    return clips, strays


def _actions(clips: dict[str, re.Match[str]]) -> dict[str, str]:
    """The class of each clip: its folder's name, or in the flat variant the name's second field.

    The folder comes first because the data set spells one class in two ways: the folder
    HandstandPushups holds files named v_HandStandPushups_*.
    """
    parents = {path: path.rpartition("/")[0] for path in clips}
    fields = {clip["action"].casefold() for clip in clips.values()}
    flat = len(set(parents.values())) == 1 and (
        len(fields) > 1 or _last(parents[next(iter(clips))]).casefold() not in fields
    )
    if not flat:
        return {path: _last(parent) for path, parent in parents.items()}
    spelling: dict[str, str] = {}
    return {
        path: spelling.setdefault(clip["action"].casefold(), clip["action"])
        for path, clip in clips.items()
    }


def _classes(lists: Path | None, seen: set[str]) -> list[str]:
    """All of classInd.txt, so that a label means the same with any part of the data set."""
    listed = []
    if lists is not None and (lists / "classInd.txt").is_file():
        numbered = (line.split(maxsplit=1) for line in lines_of(lists / "classInd.txt"))
        listed = [name for _, name in sorted((int(number), name) for number, name in numbered)]
    known = {name.casefold() for name in listed}
    return listed + sorted((name for name in seen if name.casefold() not in known), key=natural_key)


def _members(tree: Tree, found: list[Found], lists: Path | None, options: Options) -> list[Found]:
    if options.split not in ("train", "test"):
        raise DataError(f"UCF-101 has no split '{options.split}': choose train or test")
    if lists is None:
        raise DataError(
            f"no split lists in or beside '{tree.root}': put ucfTrainTestlist there,"
            " give its path as split_lists, or leave the split out"
        )
    path = lists / f"{options.split}list{options.fold:02d}.txt"
    if not path.is_file():
        raise DataError(f"no list '{path}': choose another fold than {options.fold}")
    listed = {_stem(line.split()[0]) for line in lines_of(path)}
    members = [one for one in found if _stem(one.path) in listed]
    if not members:
        raise DataError(f"none of the {len(listed)} videos of '{path}' is in '{tree.root}'")
    for stem in sorted(listed - {_stem(one.path) for one in members}):
        tree.notes.add(f"missing, listed in {path.name}", stem)
    return members


def _stem(path: str) -> str:
    # Neither folder nor ending: flat copies and re-encoded ones use the published lists too.
    return _PIECE.sub("", os.path.splitext(_last(path))[0].casefold())


def _last(path: str) -> str:
    return path.rpartition("/")[2]
