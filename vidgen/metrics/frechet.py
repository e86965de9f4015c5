"""Fréchet distance between two clouds of features, each taken for a Gaussian.

Sources: TGANv2 (Saito et al., 2020), §5.7, on C3D's fc7 ("FID"); Unterthiner et al. (2018), on I3D
("FVD"). Biased upward in small samples, the more so the larger the features: compare equal counts
only.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor


class Moments:
    """Mean and covariance of rows that come in pieces, in float64.

    Attributes:
        count: Rows so far.
        mean: Of each feature.
    """

    def __init__(self, num_features: int) -> None:
        self.count = 0
        self.mean: Tensor = torch.zeros(num_features, dtype=torch.float64)
        self._scatter: Tensor = torch.zeros(num_features, num_features, dtype=torch.float64)

    def update(self, features: Float[Tensor, "row feature"]) -> None:
        """Adds rows.

        The scatter is of deviations from the mean (Chan et al., 1979): sums of squares would cancel
        where the mean is large against the spread.
        """
        rows = features.double().cpu()
        mean = rows.mean(dim=0)
        deviations = rows - mean
        shift, total = mean - self.mean, self.count + len(rows)
        self._scatter += deviations.T @ deviations
        self._scatter += shift.outer(shift) * (self.count * len(rows) / total)
        self.mean = self.mean + shift * (len(rows) / total)
        self.count = total

    def covariance(self, correction: int = 1) -> Float64[Tensor, "feature feature"]:
        """Scatter over n - correction.

        Raises:
            ValueError: There are not more rows than the correction.
        """
        if self.count <= correction:
            raise ValueError(f"a covariance needs more than {correction} rows, not {self.count}")
        return self._scatter / (self.count - correction)


def frechet_distance(first: Moments, second: Moments, correction: int = 1) -> float:
    """‖μ1 - μ2‖² + tr(C1 + C2 - 2 (C1 C2)^½).

    The trace of the root is the sum of the roots of the eigenvalues of C1^½ C2 C1^½, a symmetric
    matrix; those below 0 are rounding. No ridge is added.

    Args:
        first: Moments of one sample.
        second: Those of the other.
        correction: 1 divides the covariances by n - 1, 0 by n as StyleGAN-V's tool does.
    """
    ours, theirs = first.covariance(correction), second.covariance(correction)
    root = _symmetric_root(ours)
    eigenvalues = torch.linalg.eigvalsh(root @ theirs @ root)
    cross = eigenvalues.clamp(min=0).sqrt().sum()
    spread = ours.trace() + theirs.trace() - 2 * cross
    return float((first.mean - second.mean).square().sum() + spread)


def _symmetric_root(matrix: Float64[Tensor, "n n"]) -> Float64[Tensor, "n n"]:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
