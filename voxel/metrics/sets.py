"""A set of generated shapes against a set of real ones, by distances between shapes.

Sources: MMD and COV, Achlioptas et al. (2018); 1-NNA, Yang et al., PointFlow (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import KDTree


@dataclass(frozen=True)
class SetScores:
    """What a matrix of distances says.

    Attributes:
        minimum_matching_distance: Mean distance of a real shape to the nearest generated one.
        coverage: Share of real shapes that are the nearest of some generated one.
        nearest_neighbour_accuracy: Share of shapes whose nearest other one is of their own set;
            0.5 is ideal, 1 means that the sets are unlike, 0 that one is a copy of the other.
    """

    minimum_matching_distance: float
    coverage: float
    nearest_neighbour_accuracy: float


def set_scores(
    generated: Float[np.ndarray, "generated generated"],
    across: Float[np.ndarray, "generated real"],
    real: Float[np.ndarray, "real real"],
) -> SetScores:
    """MMD, COV and 1-NNA.

    Args:
        generated: Distances among the generated shapes.
        across: From each generated shape to each real one.
        real: Distances among the real shapes.

    Raises:
        ValueError: There are not as many of one as of the other: 1-NNA would favour the larger.
    """
    if across.shape[0] != across.shape[1]:
        raise ValueError(
            f"{across.shape[0]} generated and {across.shape[1]} real shapes: take as many of each"
        )
    among_generated, among_real = generated.copy(), real.copy()
    np.fill_diagonal(among_generated, np.inf)
    np.fill_diagonal(among_real, np.inf)
    # A tie between the sets counts as the other set: a copy is recognised as one.
    own = np.concatenate(
        [
            among_generated.min(axis=1) < across.min(axis=1),
            among_real.min(axis=1) < across.min(axis=0),
        ]
    )
    return SetScores(
        minimum_matching_distance=float(across.min(axis=0).mean()),
        coverage=len(np.unique(across.argmin(axis=1))) / across.shape[1],
        nearest_neighbour_accuracy=float(own.mean()),
    )


def chamfer_distances(
    ones: Sequence[Float[np.ndarray, "_ 3"]], others: Sequence[Float[np.ndarray, "_ 3"]]
) -> Float[np.ndarray, "ones others"]:
    """Chamfer distance (squared, both ways added) of each to each; see `surface_points`."""
    one_trees, other_trees = [KDTree(p) for p in ones], [KDTree(p) for p in others]
    distances = np.zeros((len(ones), len(others)))
    for row, (one, one_tree) in enumerate(zip(ones, one_trees, strict=True)):
        for column, (other, other_tree) in enumerate(zip(others, other_trees, strict=True)):
            there, back = other_tree.query(one)[0], one_tree.query(other)[0]
            distances[row, column] = np.mean(there**2) + np.mean(back**2)
    return distances


def overlap_distances(
    ones: Bool[np.ndarray, "ones ..."], others: Bool[np.ndarray, "others ..."]
) -> Float[np.ndarray, "ones others"]:
    """1 - intersection over union of each volume with each; 0 between empty ones."""
    one = ones.reshape(len(ones), -1).astype(np.float32)
    other = others.reshape(len(others), -1).astype(np.float32)
    both = (one @ other.T).astype(float)
    either = one.sum(axis=1)[:, None] + other.sum(axis=1)[None] - both
    return np.where(either > 0, 1 - both / np.maximum(either, 1), 0.0)
