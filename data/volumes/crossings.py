"""Where lines through the cells' centres cross the triangles of a mesh."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64


def crossings(
    corners: Float64[np.ndarray, "face 3 3"],
) -> tuple[
    Int64[np.ndarray, " crossing"],
    Int64[np.ndarray, " crossing"],
    Int64[np.ndarray, " crossing"],
    Float64[np.ndarray, " crossing"],
]:
    """Where lines through whole (u, v) cross triangles of corners (u, v, w): face, u, v and w.

    Each row v cuts a triangle between two of its edges, and each edge is cut at the same place to
    the last bit whichever triangle asks, since its ends are taken in the order of v. So a line
    that meets an edge exactly belongs to one of the two triangles there and never to both.
    """
    order = np.argsort(corners[:, :, 1], axis=1)
    first, middle, last = (
        np.take_along_axis(corners, order[:, [at], None], axis=1)[:, 0] for at in range(3)
    )
    # Rows with first.v <= v < last.v.
    begin = np.ceil(first[:, 1]).astype(np.int64)
    face, v = expanded(begin, np.ceil(last[:, 1]).astype(np.int64))
    a, b, c = first[face], middle[face], last[face]
    is_above = (b[:, 1] <= v)[:, None]
    long_u, long_w = _cut(a, c, v)
    short_u, short_w = _cut(np.where(is_above, b, a), np.where(is_above, c, b), v)
    left, right = np.minimum(long_u, short_u), np.maximum(long_u, short_u)
    row, u = expanded(np.ceil(left).astype(np.int64), np.ceil(right).astype(np.int64))
    share = (u - long_u[row]) / (short_u - long_u)[row]
    height = long_w[row] + share * (short_w - long_w)[row]
    return face[row], u, v[row], height


def _cut(
    start: Float64[np.ndarray, "row 3"],
    end: Float64[np.ndarray, "row 3"],
    v: Int64[np.ndarray, " row"],
) -> tuple[Float64[np.ndarray, " row"], Float64[np.ndarray, " row"]]:
    """u and w of edges where they reach v; start.v <= v < end.v."""
    share = (v - start[:, 1]) / (end[:, 1] - start[:, 1])
    return (
        start[:, 0] + share * (end[:, 0] - start[:, 0]),
        start[:, 2] + share * (end[:, 2] - start[:, 2]),
    )


def expanded(
    begin: Int64[np.ndarray, " range"], end: Int64[np.ndarray, " range"]
) -> tuple[Int64[np.ndarray, " number"], Int64[np.ndarray, " number"]]:
    """All numbers of many ranges, each with the index of its range."""
    lengths = np.maximum(end - begin, 0)
    index = np.repeat(np.arange(len(lengths)), lengths)
    numbers = np.arange(len(index)) - np.repeat(np.cumsum(lengths) - lengths - begin, lengths)
    return index, numbers
