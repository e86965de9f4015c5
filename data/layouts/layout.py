"""What recognising a folder asks and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from data.layouts.tree import Tree
from data.records import Found

Split = Literal["train", "val", "test"]
LayoutName = Literal[
    "auto",
    "ucf101",
    "faceforensics",
    "faceforensics++",
    "arrays",
    "frames",
    "strips",
    "class_folders",
    "flat",
]


@dataclass(frozen=True)
class Options:
    """Which part of a data set is wanted; each layout heeds those that it knows.

    Attributes:
        split: Part for training, validation or test; `None` takes every video.
        fold: Number of the split list, as in trainlist01.txt.
        split_lists: Folder of the split files; `None` looks in the root and beside it.
        compression: FaceForensics++: `raw`, `c0`, `c23` or `c40`.
        source: FaceForensics: `original`, `altered`, `actors` or the name of a manipulation.
    """

    split: Split | None = None
    fold: int = 1
    split_lists: Path | None = None
    compression: str = "c23"
    source: str = "original"


@dataclass
class Layout:
    """The videos that a folder holds, named but not yet opened.

    Attributes:
        name: Which layout was recognised.
        classes: Names of the classes in the order of their labels; empty without labels.
        found: Candidates, in natural order.
        notes: What was left out or looks odd, a line each.
    """

    name: str
    classes: list[str]
    found: list[Found]
    notes: list[str] = field(default_factory=list)


# Each recogniser gives the layout, or None where the folder is not of its kind.
Recogniser = Callable[[Tree, Options], Layout | None]
