"""Where in space two sets of shapes have their surfaces (Achlioptas et al., 2018, JSD)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

CELLS = 28
_RADIUS = 0.5


def density(clouds: Iterable[Float[np.ndarray, "_ 3"]]) -> Float[np.ndarray, " cells"]:
    """The share of all points that lies nearest to each cell of a 28³ grid.

    Only cells whose middle is within the ball of diameter 1 around 0 count; a point outside the
    ball goes to the nearest of them.

    Args:
        clouds: Points of each shape, centred, longest side 1; see `surface_points`.

    Raises:
        ValueError: There is no point.
    """
    middles = _middles()
    tree, counts = KDTree(middles), np.zeros(len(middles))
    for points in clouds:
        counts += np.bincount(tree.query(points)[1], minlength=len(middles))
    if not counts.any():
        raise ValueError("a density needs at least one point")
    return counts / counts.sum()


def jensen_shannon_divergence(
    one: Float[np.ndarray, " cells"], other: Float[np.ndarray, " cells"]
) -> float:
    """Of two distributions, in bits: 0 where they are equal, 1 where they share nothing."""
    middle = (one + other) / 2
    return (_relative_entropy(one, middle) + _relative_entropy(other, middle)) / 2


def _relative_entropy(
    one: Float[np.ndarray, " cells"], other: Float[np.ndarray, " cells"]
) -> float:
    here = one > 0
    return float((one[here] * np.log2(one[here] / other[here])).sum())


def _middles() -> Float[np.ndarray, "cells 3"]:
    """The grid's points, from one side of the ball to the other."""
    line = np.linspace(-_RADIUS, _RADIUS, CELLS)
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[np.linalg.norm(grid, axis=1) <= _RADIUS]
