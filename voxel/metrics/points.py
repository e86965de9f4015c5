"""Distances between surfaces, by points drawn on them."""

from __future__ import annotations

import numpy as np
import trimesh
from jaxtyping import Float
from scipy.spatial import KDTree

POINTS = 2048


def surface_points(
    mesh: trimesh.Trimesh,
    count: int = POINTS,
    seed: int = 0,
    frame: Float[np.ndarray, "2 3"] | None = None,
) -> Float[np.ndarray, "{count} 3"]:
    """Points uniform over a surface, of the mesh centred and scaled to a longest side of 1.

    Args:
        mesh: With at least one face.
        count: Number of points.
        seed: Of the drawing.
        frame: Lowest and highest corner of what is centred and scaled in the mesh's place, a truth
            that it must not be moved away from; `None` is the mesh itself.
    """
    points = np.asarray(trimesh.sample.sample_surface(mesh, count, seed=seed)[0])
    low, high = mesh.bounds if frame is None else frame
    return (points - (low + high) / 2) / np.max(high - low)


def chamfer_distance(one: Float[np.ndarray, "one 3"], other: Float[np.ndarray, "other 3"]) -> float:
    """Mean squared distance to the nearest point of the other set, both ways added."""
    there, back = _nearest(one, other), _nearest(other, one)
    return float(np.mean(there**2) + np.mean(back**2))


def f_score(
    generated: Float[np.ndarray, "generated 3"],
    reference: Float[np.ndarray, "reference 3"],
    tolerance: float = 0.01,
) -> float:
    """Harmonic mean of the shares of points that have one of the other set within the tolerance.

    Args:
        generated: Precision is the share of these.
        reference: Recall is the share of these.
        tolerance: In the points' unit; 1 % of the longest side of `surface_points`.
    """
    precision = np.mean(_nearest(generated, reference) <= tolerance)
    recall = np.mean(_nearest(reference, generated) <= tolerance)
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _nearest(
    points: Float[np.ndarray, "points 3"], others: Float[np.ndarray, "others 3"]
) -> Float[np.ndarray, " points"]:
    return np.asarray(KDTree(others).query(points)[0])
