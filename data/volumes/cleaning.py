"""A mesh as the voxeliser wants it: corners merged, doubles dropped, upright, in units of cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from data.sources import DataError
from data.volumes.meshes import Mesh
from data.volumes.orientation import Up, upright_points
from data.volumes.pieces import pieces

# Three indices of a face fit into one 64-bit number.
_MOST_VERTICES = 1 << 21


class CleanMesh(NamedTuple):
    """Triangles in units of cells.

    Attributes:
        vertices: Places, none twice, all in use.
        faces: Corners of each triangle, none twice.
        components: Number of the piece that each face belongs to.
        num_open_edges: Edges that an odd number of faces share; 0 for a closed surface.
    """

    vertices: Float64[np.ndarray, "vertex 3"]
    faces: Int64[np.ndarray, "face 3"]
    components: Int64[np.ndarray, " face"]
    num_open_edges: int


def cleaned(mesh: Mesh, size: int, pad: float, up: Up) -> CleanMesh:
    """A mesh turned upright, scaled evenly to fit the grid, and put into its middle.

    A side of about an odd number of cells is centred on a cell's middle, one of an even number on
    a border, so that the number of cells along it is the rounded length: `middle_of` says where.

    Faces that are there twice are kept once: programs for drawing write both sides of a sheet,
    and to a parity count two faces at one place are none.

    Args:
        mesh: Finite vertices.
        size: Cells along a side of the grid.
        pad: Cells left free at both ends of the longest side.
        up: Its axis that points upwards.

    Raises:
        DataError: It has no extent, or no face with an area.
    """
    vertices, faces = _merged(mesh)
    corners = np.sort(faces, axis=1)
    is_flat = (corners[:, 0] == corners[:, 1]) | (corners[:, 1] == corners[:, 2])
    if is_flat.all():
        raise DataError(f"none of its {len(faces)} faces has an area")
    if len(vertices) > _MOST_VERTICES:
        raise DataError(f"more than {_MOST_VERTICES:,} vertices: decimate the mesh")
    count = len(vertices)
    keys = (corners[:, 0] * count + corners[:, 1]) * count + corners[:, 2]
    _, first = np.unique(np.where(is_flat, -1, keys), return_index=True)
    kept = np.sort(first[1:] if is_flat.any() else first)
    faces = faces[kept]
    scaled = _scaled(upright_points(vertices, up), faces, size, pad)
    return CleanMesh(scaled, faces, *pieces(corners[kept]))


def middle_of(lengths: Float64[np.ndarray, " axis"], size: int) -> Float64[np.ndarray, " axis"]:
    """Where the middle of an object lies that is so many cells long along each axis.

    Half a cell below the grid's own middle where the rounded length is odd and the size even, or
    the other way round: then both ends lie near borders of cells, and few centres near the surface.
    """
    return (size - (np.rint(lengths) - size) % 2) / 2


def _merged(mesh: Mesh) -> tuple[Float64[np.ndarray, "vertex 3"], Int64[np.ndarray, "face 3"]]:
    """Vertices at exactly the same place become one, as in STL, where each face has its own."""
    # Adding 0 makes -0 and 0 one place.
    points = mesh.vertices + 0.0
    order = np.lexsort(points.T)
    is_new = np.ones(len(points), bool)
    is_new[1:] = (points[order][1:] != points[order][:-1]).any(axis=1)
    numbers = np.empty(len(points), np.int64)
    numbers[order] = np.cumsum(is_new) - 1
    return points[order][is_new], numbers[mesh.faces]


def _scaled(
    points: Float64[np.ndarray, "vertex 3"],
    faces: Int64[np.ndarray, "face 3"],
    size: int,
    pad: float,
) -> Float64[np.ndarray, "vertex 3"]:
    used = points[np.unique(faces)]
    low, high = used.min(axis=0), used.max(axis=0)
    with np.errstate(all="ignore"):
        # Halves first: the sum of two large numbers may be none.
        scale = (size - 2 * pad) / float((high - low).max())
        middle = middle_of((high - low) * scale, size)
        scaled = (points - (low / 2 + high / 2)) * scale + middle
    if not (0 < scale < np.inf and np.isfinite(scaled[faces]).all()):
        raise DataError(f"its size cannot be used: from {low.tolist()} to {high.tolist()}")
    return scaled
