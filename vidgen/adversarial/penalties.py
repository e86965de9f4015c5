"""Penalties on a discriminator's gradient, terms of its loss.

They are computed inside the game's own loss, so that one backward serves the loss and the penalty:
only that works in several processes. The scores they look at are to be computed in float32, outside
of autocast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Reduction = Literal["sum", "mean"]


def r1_penalty(
    scores: Float[Tensor, " batch"],
    samples: Float[Tensor, "batch ..."],
    reduction: Reduction = "mean",
) -> Float[Tensor, ""]:
    """Squared norms of the scores' gradients by their own samples: R1 on real, R2 on fake ones.

    Source: Mescheder et al. 2018, equation 9, without the factor γ / 2.

    Because the loss is a mean over the batch and gradients are averaged over processes, a sum
    weighs as much as the mean times the samples of one process and accumulated part. A weight w of
    the sum with n samples there equals a weight n·w of the mean: TGANv2's 0.5 at 8 clips a device
    is 4.0 of the mean, which then stays the same for any number of devices.

    Args:
        scores: Made of `samples`, which required gradients, sample by sample: no score may depend
            on another sample, as it would with BatchNorm.
        samples: Real or generated, in float32 at least.
        reduction: Over the batch; within a sample it is always the sum.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), samples, create_graph=True)
    squares = gradient.square().flatten(1).sum(1)
    return squares.sum() if reduction == "sum" else squares.mean()


class LazyR1(nn.Module):
    """R1 of the mean at every so many-th round of a game, which then weighs as much more.

    Source: Mescheder et al. 2018; the rhythm is that of StyleGAN2 (Karras et al. 2020), appendix B.

    Args:
        weight: Factor of the squared gradient's norm, the mean of the batch.
        every: Rounds from one that has the penalty to the next.
    """

    def __init__(self, weight: float, every: int) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"r1_every is {every}; it must be 1 or more")
        self.weight, self.every = weight, every
        self.register_buffer("rounds", torch.zeros((), dtype=torch.long))
        self.rounds: Tensor

    def terms(
        self,
        scores_of: Callable[[Tensor], Float[Tensor, " batch"]],
        real: Float[Tensor, "batch ..."],
    ) -> dict[str, Tensor]:
        """The term of a discriminator's loss on real examples; none in the other rounds."""
        if not torch.is_grad_enabled() or int(self.rounds) % self.every:
            return {}
        with torch.autocast(real.device.type, enabled=False):
            points = real.detach().clone().requires_grad_()
            return {"r1": self.weight * self.every * r1_penalty(scores_of(points), points)}

    def count_round(self, step: int) -> None:
        """To be called once after all discriminators have moved, whatever the step."""
        del step
        self.rounds += 1
