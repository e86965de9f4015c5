"""The cells that a mesh's surface passes through, by samples denser than the cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64, Int64

from data.volumes.crossings import expanded

# Cells between samples.
_SPACING = 0.5
_SAMPLES_AT_ONCE = 1 << 22


def sampled_cells(
    corners: Float64[np.ndarray, "face 3 3"],
    size: int,
    first: Int64[np.ndarray, " 3"],
    last: Int64[np.ndarray, " 3"],
) -> Bool[np.ndarray, "{size} {size} {size}"]:
    """Cells that hold a sample of the triangles.

    Args:
        corners: In units of cells.
        size: Cells along a side.
        first: First cells along the axes; what lies before, by rounding, is counted there.
        last: Last cells, inclusive.
    """
    cells = np.zeros((size, size, size), bool)
    for _, (x, y, z) in _samples(corners, first, last):
        cells[x, y, z] = True
    return cells


def sampled_cells_of_pieces(
    corners: Float64[np.ndarray, "face 3 3"],
    piece: Int64[np.ndarray, " face"],
    size: int,
    first: Int64[np.ndarray, " 3"],
    last: Int64[np.ndarray, " 3"],
) -> Int64[np.ndarray, " found"]:
    """The same of each piece by itself: piece · size³ + place of the cell, in ascending order.

    Args:
        corners: In units of cells.
        piece: The number of each triangle's piece.
        size: Cells along a side.
        first: First cells along the axes.
        last: Last cells, inclusive.
    """
    found = []
    for face, (x, y, z) in _samples(corners, first, last):
        found.append(np.unique(piece[face] * size**3 + (x * size + y) * size + z))
    return np.unique(np.concatenate(found))


def _samples(
    corners: Float64[np.ndarray, "face 3 3"],
    first: Int64[np.ndarray, " 3"],
    last: Int64[np.ndarray, " 3"],
) -> Iterator[tuple[Int64[np.ndarray, " sample"], Int64[np.ndarray, "3 sample"]]]:
    """Faces of samples and the cells that hold them, as many at once as memory bears."""
    corner, long_edge, short_edge, counts = _sampling(corners)
    total = np.cumsum(counts.prod(axis=1))
    breaks = np.flatnonzero(np.diff(total // _SAMPLES_AT_ONCE)) + 1
    for part in np.split(np.arange(len(counts)), breaks):
        numbers = counts[part].prod(axis=1)
        face, number = expanded(np.zeros(len(part), np.int64), numbers)
        steps = counts[part][face]
        s = number // steps[:, 1] / (steps[:, 0] - 1)
        t = number % steps[:, 1] / (steps[:, 1] - 1)
        keep = s + t <= 1
        face, s, t = part[face[keep]], s[keep, None], t[keep, None]
        points = corner[face] + s * long_edge[face] + t * short_edge[face]
        yield face, np.clip(points.astype(np.int64), first, last).T


def _sampling(
    corners: Float64[np.ndarray, "face 3 3"],
) -> tuple[
    Float64[np.ndarray, "face 3"],
    Float64[np.ndarray, "face 3"],
    Float64[np.ndarray, "face 3"],
    Int64[np.ndarray, "face 2"],
]:
    """The corner where the longest edge meets the shortest, these two, and samples along each.

    A sliver is then sampled along its length and not all over a square of it.
    """
    # Edge k lies opposite to corner k, so two edges meet at the corner of the third one's number.
    edges = np.roll(corners, -1, axis=1) - np.roll(corners, 1, axis=1)
    order = np.argsort((edges**2).sum(axis=2), axis=1)
    rows = np.arange(len(corners))
    shortest, middle, longest = order.T
    corner = corners[rows, middle]
    # The longest edge joins this corner to the one opposite to the shortest.
    long_edge = corners[rows, shortest] - corner
    short_edge = corners[rows, longest] - corner
    lengths = np.stack([np.linalg.norm(edge, axis=1) for edge in (long_edge, short_edge)], axis=1)
    return (
        corner,
        long_edge,
        short_edge,
        np.maximum(np.ceil(lengths / _SPACING).astype(np.int64), 1) + 1,
    )
