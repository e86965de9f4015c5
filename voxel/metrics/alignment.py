"""Average precision at 20³ after the best alignment, 3D-VAE-GAN's score on IKEA (section 4.3).

The truth is not in a canonical pose, so the paper lets each prediction be permuted, flipped and
moved by up to 10 % before it is scored. The largest of 6,000 scores lifts any predictor, chance
too: always give the score without alignment beside it.

Set here, where the paper is silent: predictions come to 20³ by area averages, volumes of truth by
their maxima; both get two empty cells on every side, so that nothing is moved out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch.nn import functional

from voxel.metrics.overlap import (
    intersection_over_union,
    last_of_equals,
    precision_sums,
)

GRID = 20
_SHIFT = 2  # 10 % of the grid
_FLIPS = list(product((False, True), repeat=3))


@dataclass(frozen=True)
class AlignedScores:
    """Scores of one prediction.

    Attributes:
        average_precision: As predicted.
        aligned_average_precision: At the best of the 6,000 alignments.
        iou: Intersection over union at the threshold 0.5, as predicted.
        aligned_iou: The same at the alignment that is best for it.
    """

    average_precision: float
    aligned_average_precision: float
    iou: float
    aligned_iou: float


def average_precision_grid(
    volume: Float[np.ndarray, "depth height width"], truth: bool, size: int = GRID
) -> Float[np.ndarray, "{size} {size} {size}"]:
    """A volume at 20³: averages of a prediction, maxima of a truth."""
    resize = functional.adaptive_max_pool3d if truth else functional.adaptive_avg_pool3d
    given = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32))[None, None]
    return resize(given, size)[0, 0].numpy()


def aligned_scores(
    scores: Float[np.ndarray, "size size size"], truth: Bool[np.ndarray, "size size size"]
) -> AlignedScores:
    """Average precision and IoU, as predicted and at the best alignment.

    The truth is moved instead of the prediction: then the cells are ordered once.

    Args:
        scores: Probabilities; 20³ in the paper.
        truth: Not empty.

    Raises:
        ValueError: The truth is empty: it has no average precision.
    """
    if not truth.any():
        raise ValueError("the average precision of an empty truth is not defined: leave it out")
    padded = np.pad(scores, _SHIFT).ravel()
    order = np.argsort(-padded, kind="stable")
    ends = last_of_equals(padded[order])
    predicted = padded >= 0.5
    best_precision = best_iou = 0.0
    for poses in _moved(truth):
        best_precision = max(best_precision, precision_sums(poses[:, order], ends).max())
        both = (poses & predicted).sum(axis=1)
        either = np.maximum((poses | predicted).sum(axis=1), 1)
        best_iou = max(best_iou, (both / either).max())
    still = np.pad(truth, _SHIFT).ravel()
    return AlignedScores(
        average_precision=float(precision_sums(still[order][None], ends)[0]),
        aligned_average_precision=float(best_precision),
        iou=intersection_over_union(predicted, still),
        aligned_iou=float(best_iou),
    )


def _moved(truth: Bool[np.ndarray, "size size size"]) -> Iterator[Bool[np.ndarray, "125 cells"]]:
    """The truth in 48 poses (mirrored ones too), each with its 125 shifts."""
    for axes in permutations(range(3)):
        for flips in _FLIPS:
            turned = np.flip(truth.transpose(axes), tuple(axis for axis in range(3) if flips[axis]))
            padded = np.pad(turned, 2 * _SHIFT)
            side = truth.shape[0] + 2 * _SHIFT
            windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side, side))
            yield windows.reshape(-1, side**3)
