"""A mesh becomes occupied cells: by parity where it is solid, by its surface where it is thin.

Solid. A line through the cells' centres enters a closed surface and leaves it again: between the
first and the second crossing, the third and the fourth it is inside. Each piece of the mesh that is
closed is counted by itself, along x, y and z, and a cell is inside a piece if two of the three
lines say so; pieces may overlap and touch. Of fifteen ways tried on whole, broken and flipped
meshes this was the quickest but one and the most exact. A cavity that is a piece of its own is
filled.

Thin. A board may lie between the centres: where a line enters and leaves it without meeting one,
the cell half-way is taken. A leg may slip between all lines: there the surface is sampled more
densely than the cells. Both add cells only where no cell within reach is occupied, and one more
around those to hold on to the rest. So the shell of a solid adds nothing, and a board or an open
sheet becomes one cell thick. What then lies apart although the mesh hangs together there, as a leg
that meets a centre only here and there, is joined along the surface.

Open meshes. A line that crosses a piece an odd number of times says nothing; the other two must
then agree. What stays undecided is empty but for its surface. An open box is filled where it has
walls on both sides along two axes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from data.sources import DataError
from data.volumes.cleaning import CleanMesh, cleaned
from data.volumes.crossings import crossings, expanded
from data.volumes.joining import join_parts
from data.volumes.meshes import Mesh
from data.volumes.orientation import Up
from data.volumes.thin import Grid, Reach, add_ends, add_rods, add_sheets, reach_of

# Another number makes prepared volumes out of date.
METHOD = 3
# Cells of all pieces' boxes that are voted on at once: 32 MB of votes.
_CELLS_AT_ONCE = 1 << 22


class Voxels(NamedTuple):
    """What became of a mesh.

    Attributes:
        volume: The occupied cells, z up.
        num_open_edges: Edges that an odd number of faces share; 0 for a closed surface.
    """

    volume: Grid
    num_open_edges: int


class _Fill(NamedTuple):
    """What the lines along one axis say.

    Attributes:
        place: Cells between pairs of crossings, by their place in the grid.
        vote: The same cells by their place in the box of their piece.
        sheets: Cells where a line crosses something thinner than a cell, or open.
    """

    place: Int64[np.ndarray, " cell"]
    vote: Int64[np.ndarray, " cell"]
    sheets: Int64[np.ndarray, " sheet"]


def voxelized(mesh: Mesh, size: int, pad: float | None = None, up: Up = "z") -> Voxels:
    """The solid that a mesh encloses, as cells whose centre is inside, and its thin parts.

    The occupied cells reach from end to end of the longest side and lie in the middle of the grid,
    half a cell below it where they are odd in number. So the surface of a volume, written without
    blur or smoothing, gives the same cells again.

    Args:
        mesh: Triangles, in any unit, with any number of pieces, closed or not.
        size: Cells along a side.
        pad: Cells left free at both ends of the longest side; `None` leaves a sixteenth of the
            size.
        up: The mesh's axis that points upwards; it becomes z.

    Raises:
        DataError: The mesh has no extent or no face with an area.
    """
    clean = cleaned(mesh, size, size / 16 if pad is None else pad, up)
    inside = np.zeros((size, size, size), bool)
    sheets = np.zeros_like(inside)
    reach = reach_of(clean, size)
    for faces, components in _pieces(clean):
        _fill_pieces(inside, sheets, clean.vertices, faces, components, reach)
    add_sheets(inside, sheets)
    add_rods(inside, clean, reach)
    add_ends(inside, clean, reach)
    join_parts(inside, clean, reach)
    if not inside.any():
        raise DataError("no cell is occupied")
    return Voxels(_centred(inside), clean.num_open_edges)


def _pieces(clean: CleanMesh) -> list[tuple[Int64[np.ndarray, "_ 3"], Int64[np.ndarray, " _"]]]:
    """Faces and their pieces' numbers, in groups whose boxes fit into memory together."""
    order = np.argsort(clean.components, kind="stable")
    faces, components = clean.faces[order], clean.components[order]
    low, high = _boxes(clean.vertices, faces, components)
    total = np.cumsum((high - low).prod(axis=1))
    group = total // _CELLS_AT_ONCE
    first_face = np.searchsorted(components, np.flatnonzero(np.diff(group)) + 1)
    return list(zip(np.split(faces, first_face), np.split(components, first_face), strict=True))


def _boxes(
    vertices: Float64[np.ndarray, "vertex 3"],
    faces: Int64[np.ndarray, "face 3"],
    components: Int64[np.ndarray, " face"],
) -> tuple[Int64[np.ndarray, "piece 3"], Int64[np.ndarray, "piece 3"]]:
    """First cell and the one behind the last whose centres may lie in each piece.

    `components` is sorted.
    """
    starts = np.flatnonzero(np.diff(components, prepend=-1))
    corners = vertices[faces]  # (face, corner, axis)
    low = np.minimum.reduceat(corners.min(axis=1), starts)
    high = np.maximum.reduceat(corners.max(axis=1), starts)
    return np.ceil(low - 0.5).astype(np.int64), np.floor(high + 0.5).astype(np.int64) + 1


def _fill_pieces(
    inside: Grid,
    sheets: Grid,
    vertices: Float64[np.ndarray, "vertex 3"],
    faces: Int64[np.ndarray, "face 3"],
    components: Int64[np.ndarray, " face"],
    reach: Reach,
) -> None:
    """Marks the cells and sheets of some pieces; `components` is sorted."""
    low, high = _boxes(vertices, faces, components)
    sides = np.maximum(high - low, 0)
    offsets = np.concatenate(([0], np.cumsum(sides.prod(axis=1))))
    _, piece = np.unique(components, return_inverse=True)
    # Cells' centres become whole numbers, which makes every comparison below exact.
    corners = vertices[faces] - 0.5
    fills = [
        _filled_along(axis, corners, piece, low, sides, offsets, inside.shape[0], reach)
        for axis in range(3)
    ]
    votes = np.zeros(offsets[-1], np.int64)
    for fill in fills:
        votes += np.bincount(fill.vote, minlength=len(votes))
        sheets.reshape(-1)[fill.sheets] = True
    # A cell with two votes is among the cells of the first or of the second axis.
    for fill in fills[:2]:
        inside.reshape(-1)[fill.place[votes[fill.vote] >= 2]] = True


def _filled_along(
    axis: int,
    corners: Float64[np.ndarray, "face 3 3"],
    piece: Int64[np.ndarray, " face"],
    low: Int64[np.ndarray, "piece 3"],
    sides: Int64[np.ndarray, "piece 3"],
    offsets: Int64[np.ndarray, " _"],
    size: int,
    reach: Reach,
) -> _Fill:
    """Cells between the crossings of the lines along one axis, and cells of sheets."""
    strides = np.array([size * size, size, 1])
    line, height, is_even = _crossed_lines(axis, corners, piece, size)
    # Where every line has an even number of crossings, pairs of one line follow each other.
    first, second = height[is_even][::2], height[is_even][1::2]
    paired = line[is_even][::2]
    begin, end = np.ceil(first).astype(np.int64), np.ceil(second).astype(np.int64)
    pair, along = expanded(begin, end)
    cells = _cells(axis, paired[pair], along, size)
    number = paired[pair] // (size * size)
    local, side = cells - low[number], sides[number]
    vote = (local[:, 0] * side[:, 1] + local[:, 1]) * side[:, 2] + local[:, 2]
    is_thin = begin == end
    middle = np.concatenate(((first + second)[is_thin] / 2, height[~is_even]))
    middle_cells = np.clip(np.rint(middle).astype(np.int64), reach.first[axis], reach.last[axis])
    thin_lines = np.concatenate((paired[is_thin], line[~is_even]))
    sheets = _cells(axis, thin_lines, middle_cells, size)
    return _Fill(cells @ strides, vote + offsets[number], sheets @ strides)


def _crossed_lines(
    axis: int,
    corners: Float64[np.ndarray, "face 3 3"],
    piece: Int64[np.ndarray, " face"],
    size: int,
) -> tuple[
    Int64[np.ndarray, " crossing"], Float64[np.ndarray, " crossing"], Bool[np.ndarray, " crossing"]
]:
    """Crossings line by line in ascending order: line, height, and whether its line has pairs.

    A line has the number (piece · size + u) · size + v: every piece has its own.
    """
    u_axis, v_axis = _across(axis)
    face, u, v, height = crossings(corners[:, :, [u_axis, v_axis, axis]])
    line = (piece[face] * size + u) * size + v
    order = np.lexsort((height, line))
    line, height = line[order], height[order]
    starts = np.flatnonzero(np.diff(line, prepend=-1))
    counts = np.diff(np.append(starts, len(line)))
    return line, height, np.repeat(counts % 2 == 0, counts)


def _cells(
    axis: int, line: Int64[np.ndarray, " cell"], along: Int64[np.ndarray, " cell"], size: int
) -> Int64[np.ndarray, "cell 3"]:
    """x, y and z of cells on lines along an axis."""
    u_axis, v_axis = _across(axis)
    cells = np.empty((len(line), 3), np.int64)
    cells[:, u_axis], cells[:, v_axis], cells[:, axis] = line // size % size, line % size, along
    return cells


def _across(axis: int) -> tuple[int, int]:
    """The other two axes, in ascending order."""
    return (1 if axis == 0 else 0), (1 if axis == 2 else 2)


def _centred(inside: Grid) -> Grid:
    """The volume moved by whole cells until the occupied ones are in the middle."""
    size, others = inside.shape[0], ((1, 2), (0, 2), (0, 1))
    ranges = [np.flatnonzero(inside.any(axis=axes)) for axes in others]
    steps = [(size - (at[-1] + 1 - at[0])) // 2 - at[0] for at in ranges]
    return np.roll(inside, steps, axis=(0, 1, 2))
