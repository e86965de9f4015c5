"""Generative adversarial metric (GAM): two trained models swap opponents.

Sources: Im et al. (2016); TGAN (Saito et al., ICCV 2017), §6.5. Only meaningful where both
discriminators are about as good on real clips neither has seen (r_test near 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

TOLERANCE = 0.2


@dataclass(frozen=True)
class Duel:
    """What two models do to each other.

    Attributes:
        r_test: Errors of A's discriminator over those of B's, on real test clips.
        r_samples: Errors of A's discriminator on B's clips over those of B's on A's.
        score: 1 / r_samples, TGAN's orientation: above 1, A fools B more than B fools A.
    """

    r_test: float
    r_samples: float
    score: float

    def verdict(self, tolerance: float = TOLERANCE) -> str:
        """Who wins: A, B, tie, or undecided where the discriminators are not equally good."""
        if not abs(self.r_test - 1) <= tolerance:
            return "undecided"
        if self.score == 1:
            return "tie"
        return "A" if self.score > 1 else "B"


@dataclass(frozen=True)
class Opponent:
    """What one model's discriminator gives; higher is more real.

    Attributes:
        threshold: A clip is called real above it.
        on_test: Scores of real test clips.
        on_other: Scores of the other model's clips.
    """

    threshold: float
    on_test: Float[Tensor, " clip"]
    on_other: Float[Tensor, " sample"]


def duel(first: Opponent, second: Opponent) -> Duel:
    """Compares A, the first, with B."""
    test = [real_error_rate(side.on_test, side.threshold) for side in (first, second)]
    other = [fake_error_rate(side.on_other, side.threshold) for side in (first, second)]
    return Duel(_ratio(*test), _ratio(*other), _ratio(other[1], other[0]))


def real_error_rate(scores: Float[Tensor, " clip"], threshold: float) -> float:
    """Share of real clips that are called fake."""
    return float((scores <= threshold).double().mean())


def fake_error_rate(scores: Float[Tensor, " clip"], threshold: float) -> float:
    """Share of fake clips that are called real."""
    return float((scores > threshold).double().mean())


def best_threshold(real: Float[Tensor, " clip"], fake: Float[Tensor, " sample"]) -> float:
    """The threshold of the highest balanced accuracy, for critics, whose 0 means nothing.

    Halfway between two neighbouring scores; of several equally good ones the lowest.
    """
    both, order = torch.cat([real, fake]).double().sort()
    is_real = order < len(real)
    # After how many of the sorted scores the threshold lies: 0 calls all clips real.
    kept = torch.cat([torch.zeros(1), (~is_real).double().cumsum(0)]) / len(fake)
    lost = torch.cat([torch.zeros(1), is_real.double().cumsum(0)]) / len(real)
    bounds = torch.cat([both[:1] - 1, (both[:-1] + both[1:]) / 2, both[-1:] + 1])
    between = torch.cat([torch.ones(1), both.diff(), torch.ones(1)]) > 0
    gain = torch.where(between, kept - lost, -torch.inf)
    return float(bounds[gain.argmax()])


def _ratio(over: float, under: float) -> float:
    """Infinite over nothing; two models that make no error are equal."""
    if under == 0:
        return 1.0 if over == 0 else math.inf
    return over / under
