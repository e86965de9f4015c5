"""What of a mesh is thinner than a cell: its sheets, its rods, and the ends of its longest side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from data.volumes.cleaning import CleanMesh
from data.volumes.surface import sampled_cells

# Cells by which an end may miss the border that it was scaled to.
_ROUNDING = 1e-6
# Cells along the longest side of a face that is as good as its corners.
_SMALL = 1.5

Grid = Bool[np.ndarray, "size size size"]


class Reach(NamedTuple):
    """The cells that a mesh reaches into, along each axis; none outside are occupied.

    Attributes:
        first: The first ones.
        last: The last ones, inclusive.
        longest: Axis along which it is longest.
    """

    first: Int64[np.ndarray, " 3"]
    last: Int64[np.ndarray, " 3"]
    longest: int


def reach_of(clean: CleanMesh, size: int) -> Reach:
    """The cells that a mesh reaches into, of a grid with `size` cells along a side."""
    corners = clean.vertices[clean.faces].reshape(-1, 3)
    low, high = corners.min(axis=0), corners.max(axis=0)
    first = np.clip(np.floor(low + _ROUNDING).astype(np.int64), 0, size - 1)
    last = np.clip(np.ceil(high - _ROUNDING).astype(np.int64) - 1, first, size - 1)
    return Reach(first, last, int(np.argmax(high - low)))


def add_sheets(inside: Grid, sheets: Grid) -> None:
    """Adds cells that lines cross without meeting a centre, where no solid is near."""
    thin = sheets & ~_dilated(inside)
    inside |= _grown(thin, sheets)


def add_rods(inside: Grid, clean: CleanMesh, reach: Reach) -> None:
    """Adds what the lines have missed: samples of the surface where nothing is near."""
    size = inside.shape[0]
    reached = _dilated(inside)
    corners = clean.vertices[clean.faces]
    spread = corners.max(axis=1) - corners.min(axis=1)
    x, y, z = np.clip(corners.astype(np.int64), 0, size - 1).transpose(2, 0, 1)
    # Small faces near the solid are most faces of most meshes, and have nothing to add.
    is_far = (spread.max(axis=1) > _SMALL) | ~reached[x, y, z].all(axis=1)
    if not is_far.any():
        return
    thin = sampled_cells(corners[is_far], size, reach.first, reach.last) & ~reached
    if thin.any():
        is_near = _dilated(_dilated(thin))[x, y, z].any(axis=1) | is_far
        inside |= _grown(thin, sampled_cells(corners[is_near], size, reach.first, reach.last))


def add_ends(inside: Grid, clean: CleanMesh, reach: Reach) -> None:
    """Adds the surface at an end of the longest side where no cell of its last layer is occupied.

    Less than half a cell is missing there, but the object would be scaled by what it seems to be.
    """
    corners = clean.vertices[clean.faces]
    along = corners[:, :, reach.longest]
    for layer in (reach.first[reach.longest], reach.last[reach.longest]):
        at_layer = np.zeros_like(inside)
        np.moveaxis(at_layer, reach.longest, 0)[layer] = True
        if (inside & at_layer).any():
            continue
        # One cell more on both sides, to hold on to the rest.
        is_near = (along.min(axis=1) <= layer + 2) & (along.max(axis=1) >= layer - 1)
        surface = sampled_cells(corners[is_near], inside.shape[0], reach.first, reach.last)
        inside |= _grown(surface & at_layer, surface)


def _grown(thin: Grid, surface: Grid) -> Grid:
    """Thin parts with the surface one cell around them, so that they hold on to the solid."""
    return surface & _dilated(thin) if thin.any() else thin


def _dilated(grid: Grid) -> Grid:
    """Each cell's 26 neighbours too."""
    for axis in range(3):
        wide = grid.copy()
        before, behind = np.moveaxis(wide, axis, 0), np.moveaxis(grid, axis, 0)
        before[1:] |= behind[:-1]
        before[:-1] |= behind[1:]
        grid = wide
    return grid
