"""Precision and recall: how much of what is made is likely, and how much of what is real is made.

Source: Kynkäänniemi et al. (2019), used in StyleGAN2, Table 1. Each sample's manifold is the union
of balls around its features that reach to their third neighbour.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

NEIGHBOUR = 3
_ROWS_AT_ONCE = 1024


def precision_and_recall(
    real: Float[Tensor, "row feature"],
    generated: Float[Tensor, "other feature"],
    neighbour: int = NEIGHBOUR,
) -> tuple[float, float]:
    """Share of the generated features in the manifold of the real ones, and the other way round.

    Args:
        real: Features of real clips.
        generated: Features of generated clips.
        neighbour: Which neighbour a ball reaches to.

    Raises:
        ValueError: A sample has no such neighbour.
    """
    precision = inside_manifold(generated, real, neighbour)
    recall = inside_manifold(real, generated, neighbour)
    return float(precision.double().mean()), float(recall.double().mean())


def inside_manifold(
    points: Float[Tensor, "point feature"],
    sample: Float[Tensor, "row feature"],
    neighbour: int = NEIGHBOUR,
) -> Bool[Tensor, " point"]:
    """Which points lie in the ball of some feature of the sample."""
    points, sample = points.double(), sample.double()
    radii = neighbour_distances(sample, neighbour)
    return torch.cat(
        [(_distances(some, sample) <= radii).any(dim=1) for some in points.split(_ROWS_AT_ONCE)]
    )


def neighbour_distances(
    sample: Float64[Tensor, "row feature"], neighbour: int
) -> Float64[Tensor, " row"]:
    """Distance of each feature to its n-th neighbour; it is not its own.

    Raises:
        ValueError: There are not so many.
    """
    if len(sample) <= neighbour:
        raise ValueError(f"{len(sample)} features have no neighbour number {neighbour}")
    # The smallest distance is that to itself.
    return torch.cat(
        [
            _distances(some, sample).kthvalue(neighbour + 1, dim=1).values
            for some in sample.split(_ROWS_AT_ONCE)
        ]
    )


def _distances(
    first: Float64[Tensor, "row feature"], second: Float64[Tensor, "column feature"]
) -> Float64[Tensor, "row column"]:
    # By differences: by dot products, equal features would not be exactly 0 apart.
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
