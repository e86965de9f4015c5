"""What a metric of shapes is, and what it sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from vidgen.commands.columns import Columns, Measure
from vidgen.commands.judging import Tools
from voxel.commands.distances import Distance
from voxel.shape_game import ShapeGame

# Shapes that a model makes, also with each class in turn; real ones to compare with, and those of
# the training; reconstructions beside their truths.
SetName = Literal["generated", "balanced", "reference", "train", "pairs"]
PairOfSets = tuple[Distance, SetName, SetName]
# Of these another repeat draws others.
DRAWN: tuple[SetName, ...] = ("generated", "balanced", "pairs")


@dataclass(frozen=True)
class ShapeTools:
    """What metrics work with.

    Attributes:
        game: The model that is judged.
        origin: Tells its weights from any other's.
        threshold: Occupancy from which a cell is inside.
        points: Points on the surface of each shape.
        penalty: The SVM's C; `None` is the paper's.
        clips: What the metrics of features work with: the classifier, among others.
    """

    game: ShapeGame
    origin: str
    threshold: float
    points: int
    penalty: float | None
    clips: Tools


@dataclass(frozen=True)
class Evidence:
    """What is known of the sets of one repeat.

    Attributes:
        columns: By set.
        matrix: Distances of the shapes of a set to those of another.
        tools: What the metrics work with.
        classes: Names of the real shapes' classes.
    """

    columns: Mapping[SetName, Columns]
    matrix: Callable[[Distance, SetName, SetName], np.ndarray]
    tools: ShapeTools
    classes: Sequence[str] = ()


Figures = dict[str, Any]
Value = Callable[[Evidence], Figures]


@dataclass(frozen=True)
class ShapeMetric:
    """A metric of shapes.

    Attributes:
        name: As the user gives it.
        better: Which way it points: higher, lower, or neither.
        sets: What it must see.
        measure: What it needs to know of each of their shapes.
        value: The value and further figures.
        pairings: Distances that it needs.
        equal: Whether generated and real shapes must be equally many.
        extractor: Whether a classifier judges.
        describes: Whether it says as much of real shapes, which are then shown beside it.
    """

    name: str
    better: str
    sets: tuple[SetName, ...]
    measure: Callable[[ShapeTools], Measure]
    value: Value
    pairings: tuple[PairOfSets, ...] = field(default=())
    equal: bool = False
    extractor: bool = False
    describes: bool = False

    def label(self, tools: ShapeTools) -> str:
        """How the score is quoted: with the classifier's name in brackets, where there is one."""
        judge = tools.clips.extractor
        return f"{self.name}[{judge.name}]" if self.extractor and judge is not None else self.name
