"""WGAN-GP: a critic whose gradient between real and generated samples has norm 1.

Ishaan Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, equation 3. Like the other
penalties it is a term of the critic's loss, computed in float32; the critic must judge each sample
by itself, so it has no BatchNorm.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def between(
    real: Float[Tensor, "batch ..."],
    fake: Float[Tensor, "batch ..."],
    share: Float[Tensor, " batch"],
) -> Float[Tensor, "batch ..."]:
    """Points on the lines from fake (share 0) to real samples (share 1), ready for the penalty."""
    share = share.to(real).view(-1, *[1] * (real.ndim - 1))
    return torch.lerp(fake.detach().to(real), real, share).requires_grad_()


def gradient_penalty(
    scores: Float[Tensor, " batch"], samples: Float[Tensor, "batch ..."]
) -> Float[Tensor, ""]:
    """Squared distance from 1 of the norm of each score's gradient by its whole sample, a mean.

    Args:
        scores: Made of `samples`, which required gradients, sample by sample.
        samples: What `between` gave.
    """
    (gradient,) = torch.autograd.grad(scores.sum(), samples, create_graph=True)
    norms = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
    return (norms - 1).square().mean()
