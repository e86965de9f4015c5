"""Inception score: are single clips told apart with certainty, and all classes met?

Source: TGAN (Saito et al., ICCV 2017), §6.5; the same over 2,048 clips in TGANv2. One value for a
whole sample, without splits. 1 where all predictions are equal, K where K classes are met equally
often and each with certainty. Blind to copies within a class, and to the training set.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor


class InceptionScore:
    """exp(mean_i Σ_c p_i(c) (log p_i(c) - log p̄(c))), p̄ the mean of the p_i, added up in float64.

    Args:
        epsilon: Added to the probabilities inside each logarithm: 1e-7 in TGAN's tool, 1e-20 in
            TGANv2's, 0 takes the logarithm of the softmax itself.
    """

    def __init__(self, epsilon: float = 0.0) -> None:
        self._epsilon = epsilon
        self.count = 0
        self._sum: Tensor | None = None
        self._negative_entropies = 0.0

    def update(self, logits: Float[Tensor, "batch classes"]) -> None:
        """Adds predictions, as logits before the softmax."""
        log_probabilities = logits.double().cpu().log_softmax(dim=1)
        probabilities = log_probabilities.exp()
        if self._epsilon:
            log_probabilities = (probabilities + self._epsilon).log()
        # Where a probability is 0 its logarithm is -inf, and the term is 0.
        terms = torch.where(probabilities > 0, probabilities * log_probabilities, 0.0)
        total = probabilities.sum(dim=0)
        self._sum = total if self._sum is None else self._sum + total
        self._negative_entropies += float(terms.sum())
        self.count += len(logits)

    def value(self) -> float:
        """The score of all predictions so far.

        Raises:
            ValueError: There are none.
        """
        if self._sum is None or not self.count:
            raise ValueError("no predictions to score")
        mean = self._sum / self.count
        logarithm = (mean + self._epsilon).log()
        of_mean = float(torch.where(mean > 0, mean * logarithm, 0.0).sum())
        return math.exp(self._negative_entropies / self.count - of_mean)


def inception_score(logits: Float[Tensor, "clip classes"], epsilon: float = 0.0) -> float:
    """The score of one sample; see `InceptionScore`."""
    score = InceptionScore(epsilon)
    score.update(logits)
    return score.value()


def intra_class_score(
    logits: Float[Tensor, "clip classes"], labels: Int[Tensor, " clip"], epsilon: float = 0.0
) -> float:
    """Mean of the scores of each class's own clips; 1 where a class always looks like one class.

    Args:
        logits: Predictions.
        labels: The class that each clip was made for.
        epsilon: See `InceptionScore`.
    """
    scores = [inception_score(logits[labels == label], epsilon) for label in labels.unique()]
    return sum(scores) / len(scores)


def accuracy(logits: Float[Tensor, "clip classes"], labels: Int[Tensor, " clip"]) -> float:
    """Share of the clips whose likeliest class is the one that they were made for."""
    return float((logits.argmax(dim=1) == labels).double().mean())
