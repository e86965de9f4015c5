"""Ways through the space of latents."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def straight_line(
    start: Float[Tensor, " latent"], end: Float[Tensor, " latent"], stages: int
) -> Float[Tensor, "{stages} latent"]:
    """Evenly spaced latents (1 - t) start + t end, both ends included (3D-GAN, section 5.1)."""
    t = torch.linspace(0, 1, stages, device=start.device)[:, None]
    return (1 - t) * start + t * end


def great_arc(
    start: Float[Tensor, " latent"], end: Float[Tensor, " latent"], stages: int
) -> Float[Tensor, "{stages} latent"]:
    """The same along the arc between two directions, for latents with a normal distribution.

    A straight line between such latents passes near the middle, where there are hardly any.
    Parallel ones, and zero, have no arc: they get the line.
    """
    lengths = start.norm() * end.norm()
    angle = torch.acos((start @ end / lengths.clamp_min(1e-12)).clamp(-1, 1))
    if lengths == 0 or torch.sin(angle) < 1e-4:
        return straight_line(start, end, stages)
    t = torch.linspace(0, 1, stages, device=start.device)[:, None]
    return (torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle)
