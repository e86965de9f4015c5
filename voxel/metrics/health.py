"""What volumes look like in themselves: how full, in how many parts, how decided, how symmetric."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from voxel.meshes import component_labels
from voxel.metrics.overlap import intersection_over_union

_UNDECIDED = (0.1, 0.9)


@dataclass(frozen=True)
class ShapeHealth:
    """Means over a set of volumes.

    Attributes:
        occupancy: Share of cells at or above the threshold.
        components: Connected parts, over faces, edges and corners.
        largest_share: Share of the occupied cells that the largest part has; of an empty volume 0.
        undecided: Share of cells with a probability strictly between 0.1 and 0.9.
        mirror_overlap: Intersection over union with the volume mirrored left to right, along its
            first axis.
        empty: Share of volumes in which nothing reaches the threshold.
    """

    occupancy: float
    components: float
    largest_share: float
    undecided: float
    mirror_overlap: float
    empty: float


def shape_health(
    occupancies: Float[np.ndarray, "count depth height width"], threshold: float = 0.5
) -> ShapeHealth:
    """Statistics of volumes of probabilities.

    Args:
        occupancies: In [0, 1]; at least one volume.
        threshold: From where a cell is occupied.
    """
    solid = occupancies >= threshold
    sizes = [np.bincount(component_labels(each).ravel())[1:] for each in solid]
    low, high = _UNDECIDED
    return ShapeHealth(
        occupancy=float(solid.mean()),
        components=float(np.mean([len(size) for size in sizes])),
        largest_share=float(np.mean([s.max() / s.sum() if len(s) else 0.0 for s in sizes])),
        undecided=float(((occupancies > low) & (occupancies < high)).mean()),
        mirror_overlap=float(np.mean([intersection_over_union(s, s[::-1]) for s in solid])),
        empty=float(np.mean([len(size) == 0 for size in sizes])),
    )
