"""Kernel distance: an unbiased comparison of two clouds of features, for small samples too.

Source: Bińkowski et al. (2018), KID; on features of clips, KVD (Unterthiner et al., 2018). Around
0, and as often below it, where both samples are of one distribution.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor

NUM_SUBSETS = 100
LARGEST_SUBSET = 1000


def cubic_kernel(
    first: Float64[Tensor, "row feature"], second: Float64[Tensor, "column feature"]
) -> Float64[Tensor, "row column"]:
    """(x·y / d + 1)³ of each pair, d the number of features."""
    return (first @ second.T / first.shape[1] + 1) ** 3


def squared_discrepancy(
    first: Float[Tensor, "row feature"], second: Float[Tensor, "other feature"]
) -> float:
    """Unbiased estimate of the squared maximum mean discrepancy: no row meets itself.

    Raises:
        ValueError: One of them has fewer than two rows.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError("two rows or more are needed on both sides")
    first, second = first.double(), second.double()
    within = [_mean_off_diagonal(cubic_kernel(rows, rows)) for rows in (first, second)]
    return float(within[0] + within[1] - 2 * cubic_kernel(first, second).mean())


def kernel_distance(
    first: Float[Tensor, "row feature"],
    second: Float[Tensor, "other feature"],
    num_subsets: int = NUM_SUBSETS,
    largest_subset: int = LARGEST_SUBSET,
    seed: int = 0,
) -> tuple[float, float]:
    """Mean and standard deviation of the discrepancy over random subsets of equal size.

    Args:
        first: Features.
        second: Those of the other sample.
        num_subsets: How many are drawn; one of everything where the samples are no larger.
        largest_subset: Rows of a subset, at most as many as the smaller sample has.
        seed: Draws them.
    """
    size = min(largest_subset, len(first), len(second))
    if size == len(first) == len(second):
        return squared_discrepancy(first, second), 0.0
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(num_subsets):
        chosen = [torch.randperm(len(rows), generator=generator)[:size] for rows in (first, second)]
        values.append(squared_discrepancy(first[chosen[0]], second[chosen[1]]))
    spread = torch.tensor(values, dtype=torch.float64)
    return float(spread.mean()), float(spread.std(correction=0))


def _mean_off_diagonal(square: Float64[Tensor, "n n"]) -> Float64[Tensor, ""]:
    count = len(square)
    return (square.sum() - square.trace()) / (count * (count - 1))
