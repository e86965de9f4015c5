"""A predicted volume against the true one, cell by cell."""

from __future__ import annotations

from math import nan

import numpy as np
from jaxtyping import Bool, Float


def intersection_over_union(
    one: Bool[np.ndarray, "*cells"], other: Bool[np.ndarray, "*cells"]
) -> float:
    """Cells in both over cells in either; 1 when both are empty."""
    union = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / union if union else 1.0


def average_precision(
    scores: Float[np.ndarray, "*cells"], truth: Bool[np.ndarray, "*cells"]
) -> float:
    """Area under the steps of precision over recall, sum of (R_n - R_(n-1)) P_n.

    Equal scores are one threshold, so constant scores give the share of true cells.

    Args:
        scores: The higher, the likelier the cell is true.
        truth: The cells that are.

    Returns:
        In [0, 1]; NaN when no cell is true.
    """
    order = np.argsort(-scores.ravel(), kind="stable")
    return float(
        precision_sums(truth.ravel()[order][None], last_of_equals(scores.ravel()[order]))[0]
    )


def last_of_equals(ordered: Float[np.ndarray, " cells"]) -> Bool[np.ndarray, " cells"]:
    """Where a run of equal scores ends."""
    return np.append(np.diff(ordered) != 0, True)


def precision_sums(
    truths: Bool[np.ndarray, "truths cells"], ends: Bool[np.ndarray, " cells"]
) -> Float[np.ndarray, " truths"]:
    """Average precisions of one order of the cells for many truths.

    Args:
        truths: In the order of falling scores.
        ends: The cells after which a threshold lies.

    Returns:
        In [0, 1]; NaN where no cell is true.
    """
    places = np.flatnonzero(ends)
    found = np.cumsum(truths, axis=1, dtype=np.int32)[:, places]
    gained = np.diff(found, axis=1, prepend=np.int32(0))
    total = found[:, -1]
    sums = (gained * (found / (places + 1))).sum(axis=1)
    return np.where(total > 0, sums / np.maximum(total, 1), nan)
