"""Which faces of a mesh belong together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int64


class Pieces(NamedTuple):
    """How the faces of a mesh hang together.

    Attributes:
        components: Number of each face's piece, from 0 without gaps.
        num_open_edges: Edges that an odd number of faces share.
    """

    components: Int64[np.ndarray, " face"]
    num_open_edges: int


def pieces(corners: Int64[np.ndarray, "face 3"]) -> Pieces:
    """The pieces of a mesh: what is closed by itself stays by itself.

    Two faces that alone share an edge are of one piece. Boxes that touch at a corner or have an
    edge in common, where four faces meet, are two: they may overlap, and counted as one they would
    lose what they have in common. Pieces that are open are joined where their rims meet, so that
    the sides of a box whose edges do not match still enclose something.

    Args:
        corners: Numbers of each face's corners in ascending order.
    """
    a, b, c = corners.T
    count = int(c.max()) + 1
    keys = np.concatenate((a * count + b, b * count + c, a * count + c))
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    num_faces = np.diff(np.append(starts, len(keys)))
    pairs = starts[num_faces == 2]
    face = order % len(corners)
    piece = _joined(face[pairs], face[pairs + 1], len(corners))
    if len(pairs) < len(starts):
        odd = np.repeat(num_faces != 2, num_faces)
        piece = _joined_at_rims(keys[order][odd], face[odd], piece, count)
    return Pieces(piece, int((num_faces % 2).sum()))


def _joined_at_rims(
    edges: Int64[np.ndarray, " side"],
    face: Int64[np.ndarray, " side"],
    piece: Int64[np.ndarray, " face"],
    count: int,
) -> Int64[np.ndarray, " face"]:
    """Joins pieces at corners of their rims: edges that an odd number of their own faces have."""
    sides = np.stack((edges, piece[face]), axis=1)
    own, num_faces = np.unique(sides, axis=0, return_counts=True)
    rims, rim_piece = own[num_faces % 2 == 1].T
    corner = np.concatenate((rims // count, rims % count))
    order = np.argsort(corner, kind="stable")
    corner, at_corner = corner[order], np.tile(rim_piece, 2)[order]
    is_same = corner[1:] == corner[:-1]
    joined = _joined(at_corner[1:][is_same], at_corner[:-1][is_same], int(piece.max()) + 1)
    return joined[piece]


def _joined(
    first: Int64[np.ndarray, " pair"], second: Int64[np.ndarray, " pair"], count: int
) -> Int64[np.ndarray, " {count}"]:
    """Numbers of the connected groups of 0 ... count - 1, without gaps."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)
