"""What hangs together in a mesh but fell apart in the cells is joined along the mesh's surface.

A leg thinner than a cell meets a centre here and there. Between two such cells nothing is far from
an occupied one, so nothing is added as thin, and the leg becomes a row of dashes. Here the parts of
one piece of the mesh that share no face of a cell are joined, by the fewest further cells that the
piece's own surface passes through.

The shortest ways between all parts are a minimum spanning tree over the places where the
neighbourhoods of two parts meet (Mehlhorn, 1988, for Steiner trees).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64

from data.volumes.cleaning import CleanMesh
from data.volumes.surface import sampled_cells_of_pieces
from data.volumes.thin import Grid, Reach


def join_parts(inside: Grid, clean: CleanMesh, reach: Reach) -> None:
    """Adds cells between the parts of each piece of the mesh."""
    from scipy import ndimage

    parts = np.zeros(inside.shape, np.int32)
    ndimage.label(inside, output=parts)  # cells of one part share faces
    count = int(parts.max())
    if count < 2:
        return
    size = inside.shape[0]
    corners = clean.vertices[clean.faces]
    nodes = sampled_cells_of_pieces(corners, clean.components, size, reach.first, reach.last)
    piece, cell = np.divmod(nodes, size**3)
    part = parts.reshape(-1)[cell].astype(np.int64)
    is_apart = _touches_several(piece, part)[piece]
    if not is_apart.any():
        return
    nodes, cell, part = nodes[is_apart], cell[is_apart], part[is_apart]
    inside.reshape(-1)[cell[_between(part, _neighbours(nodes, cell, size), count)]] = True


def _touches_several(
    piece: Int64[np.ndarray, " node"], part: Int64[np.ndarray, " node"]
) -> Bool[np.ndarray, " piece"]:
    """Whether a piece's surface lies in several parts; 0 is no part."""
    pairs = np.unique(np.stack((piece, part), axis=1)[part > 0], axis=0)
    return np.bincount(pairs[:, 0], minlength=int(piece.max()) + 1) > 1


def _neighbours(
    nodes: Int64[np.ndarray, " node"], cell: Int64[np.ndarray, " node"], size: int
) -> Int64[np.ndarray, "edge 2"]:
    """Pairs of nodes of one piece whose cells share a face."""
    edges = []
    for stride in (size * size, size, 1):
        node = np.flatnonzero(cell // stride % size < size - 1)
        other = np.searchsorted(nodes, nodes[node] + stride)
        found = np.minimum(other, len(nodes) - 1)
        is_there = nodes[found] == nodes[node] + stride
        edges.append(np.stack((node[is_there], found[is_there]), axis=1))
    return np.concatenate(edges)


def _between(
    part: Int64[np.ndarray, " node"], edges: Int64[np.ndarray, "edge 2"], count: int
) -> Int64[np.ndarray, " added"]:
    """Nodes on the shortest ways between parts; `part` is 0 where no cell is occupied."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree

    shape = (len(part), len(part))
    graph = coo_array((np.ones(len(edges)), edges.T), shape=shape).tocsr()
    distance, before, source = dijkstra(
        graph,
        directed=False,
        indices=np.flatnonzero(part),
        min_only=True,
        return_predecessors=True,
        unweighted=True,
    )
    # Each node belongs to the part that is nearest; where two meet there is a way between them.
    nearest = np.where(np.isfinite(distance), part[np.maximum(source, 0)], 0)
    ends = np.sort(nearest[edges], axis=1)
    ways = np.flatnonzero((ends[:, 0] != ends[:, 1]) & (ends[:, 0] > 0))
    ways = ways[np.argsort(distance[edges[ways]].sum(axis=1), kind="stable")]
    _, first = np.unique(ends[ways], axis=0, return_index=True)
    shortest = ways[np.sort(first)]  # of each pair of parts, in ascending order of length
    rank = np.arange(1.0, len(shortest) + 1)
    tree = minimum_spanning_tree(
        coo_array((rank, ends[shortest].T), shape=(count + 1, count + 1)).tocsr()
    )
    node = edges[shortest[tree.data.astype(np.int64) - 1]].reshape(-1)
    added = []
    while len(node := node[part[node] == 0]):
        added.append(node)
        node = before[node]
    return np.concatenate(added) if added else np.empty(0, np.int64)
