"""What metrics need to know of each volume: the columns that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import nan

import numpy as np
import torch
from torch import Tensor

from vidgen.commands import measures as clip_measures
from vidgen.commands.clip_sets import NumberedClips
from vidgen.metrics.extractors.base import Extractor
from voxel.meshes import EmptyShape, surface
from voxel.metrics import (
    aligned_scores,
    average_precision,
    average_precision_grid,
    chamfer_distance,
    f_score,
    intersection_over_union,
    shape_health,
    surface_points,
)
from voxel.shape_game import ShapeGame

_SEED, _DENSE_POINTS = 0, 50_000


class Health:
    """What each volume looks like in itself.

    Args:
        threshold: Occupancy from which a cell is inside.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.key = f"health of volumes at {threshold:g}"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """The fields of `ShapeHealth`."""
        each = [asdict(shape_health(volume, self._threshold)) for volume in _arrays(made)]
        return {name: torch.tensor([health[name] for health in each]) for name in each[0]}


class Surface:
    """Points on the surface of each volume, centred, longest side 1.

    An empty volume has all its points in the middle: far from every shape, not infinitely so.

    Args:
        threshold: Occupancy from which a cell is inside.
        count: Points of a volume.
    """

    def __init__(self, threshold: float, count: int) -> None:
        self._threshold, self._count = threshold, count
        self.key = f"{count} surface points at {threshold:g}"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`points`."""
        clouds = [
            points_of(volume[0], self._threshold, self._count).astype(np.float32)
            for volume in _arrays(made)
        ]
        return {"points": torch.from_numpy(np.stack(clouds))}


class Cells:
    """The occupied cells of each volume, eight in a byte.

    Args:
        threshold: Occupancy from which a cell is inside.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.key = f"cells at {threshold:g}"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`cells`."""
        solid = (made.clips >= self._threshold).flatten(1).numpy(force=True)
        return {"cells": torch.from_numpy(np.packbits(solid, axis=1))}


class Agreement:
    """How well reconstructions agree with their truths, cell by cell and surface by surface.

    Both surfaces are measured in the truth's frame, whose longest side is 1. The points are so many
    that they lie closer together than the F-score's tolerance of 1 %.

    Args:
        threshold: Occupancy from which a cell is inside.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.key = f"agreement of volumes at {threshold:g}, {_DENSE_POINTS} surface points"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`ap`, `iou`, `fscore` and `chamfer`; not a number where the truth is empty."""
        columns: dict[str, list[float]] = {"ap": [], "iou": [], "fscore": [], "chamfer": []}
        for predicted, truth in _arrays(made):
            solid = truth >= 0.5
            values = dict.fromkeys(columns, nan)
            if solid.any():
                values = self._agreement(predicted, solid)
            for name, value in values.items():
                columns[name].append(value)
        return _tensors(columns)

    def _agreement(self, predicted: np.ndarray, solid: np.ndarray) -> dict[str, float]:
        true_surface = surface(solid.astype(np.float32))
        frame = true_surface.bounds
        theirs = surface_points(true_surface, _DENSE_POINTS, _SEED, frame)
        ours = points_of(predicted, self._threshold, _DENSE_POINTS, frame)
        return {
            "ap": average_precision(predicted, solid),
            "iou": intersection_over_union(predicted >= self._threshold, solid),
            "fscore": f_score(ours, theirs),
            "chamfer": chamfer_distance(ours, theirs),
        }


class Alignment:
    """Reconstructions against their truths at 20³, as they are and at the best alignment."""

    key = "agreement at 20 cells a side, best of 6,000 alignments"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`ap20`, `ap20_aligned`, `iou20` and `iou20_aligned`; not a number without a truth."""
        names = ("ap20", "ap20_aligned", "iou20", "iou20_aligned")
        columns: dict[str, list[float]] = {name: [] for name in names}
        for predicted, truth in _arrays(made):
            solid = average_precision_grid(truth, truth=True) >= 0.5
            values: Sequence[float] = [nan] * len(names)
            if solid.any():
                scores = aligned_scores(average_precision_grid(predicted, truth=False), solid)
                values = list(asdict(scores).values())
            for name, value in zip(names, values, strict=True):
                columns[name].append(value)
        return _tensors(columns)


class Described:
    """A model's own features of volumes (3D-GAN, section 4.2).

    Args:
        game: The model.
        origin: Tells its weights from any other's.
    """

    def __init__(self, game: ShapeGame, origin: str) -> None:
        self._game = game
        self.key = f"features by {origin}"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`features`."""
        return {"features": self._game.features(made.clips).float()}


class Classified(clip_measures.Judged):
    """Logits and features by a classifier of shapes: volumes as grey clips in [-1, 1].

    Args:
        extractor: Made by `python -m voxel fit_classifier`.
        batch_size: Volumes that it sees at once.
    """

    def __init__(self, extractor: Extractor, batch_size: int) -> None:
        super().__init__(extractor, batch_size)
        self.key = f"volumes by {self.key}"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`logits` and `features`."""
        return super().__call__(NumberedClips(2 * made.clips - 1, made.labels))


def points_of(
    volume: np.ndarray, threshold: float, count: int, frame: np.ndarray | None = None
) -> np.ndarray:
    """Points (count, 3) on the surface of a volume's cells, all at 0 where none is occupied.

    Probabilities are cut off first: real volumes have none, and would have other surfaces.

    Args:
        volume: Occupancies (x, y, z).
        threshold: Occupancy from which a cell is inside.
        count: Number of points.
        frame: See `surface_points`.
    """
    try:
        mesh = surface((volume >= threshold).astype(np.float32))
    except EmptyShape:
        return np.zeros((count, 3))
    return surface_points(mesh, count, _SEED, frame)


def _arrays(made: NumberedClips) -> np.ndarray:
    """Volumes (batch, channel, x, y, z)."""
    return made.clips.float().numpy(force=True)


def _tensors(columns: dict[str, list[float]]) -> dict[str, Tensor]:
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in columns.items()}
