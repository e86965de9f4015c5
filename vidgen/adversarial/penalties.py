"""Penalties on a discriminator's gradient, terms of its loss.

They are computed inside the game's own loss, so that one backward serves the loss and the penalty:
only that works in several processes. The scores they look at are to be computed in float32, outside
of autocast.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

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
