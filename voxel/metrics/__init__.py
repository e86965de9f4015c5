"""How good volumes are: against the truth, as a set against another, and in themselves."""

from voxel.metrics.alignment import aligned_scores, average_precision_grid
from voxel.metrics.densities import density, jensen_shannon_divergence
from voxel.metrics.health import ShapeHealth, shape_health
from voxel.metrics.overlap import average_precision, intersection_over_union
from voxel.metrics.points import chamfer_distance, f_score, surface_points
from voxel.metrics.sets import (
    SetScores,
    chamfer_distances,
    overlap_distances,
    set_scores,
)

__all__ = [
    "SetScores",
    "ShapeHealth",
    "aligned_scores",
    "average_precision",
    "average_precision_grid",
    "chamfer_distance",
    "chamfer_distances",
    "density",
    "f_score",
    "intersection_over_union",
    "jensen_shannon_divergence",
    "overlap_distances",
    "set_scores",
    "shape_health",
    "surface_points",
]
