"""What a discriminator's neurons answer to (3D-GAN, section 5.2).

A neuron is a channel of the last maps; it answers to a volume with its largest value. What in the
volume it answers to is found by guided back-propagation (Springenberg et al., 2015): at every
rectifier the gradient passes only where both the forward value and the gradient are positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class _GuidedRectifier(torch.autograd.Function):
    """A leaky rectifier whose gradient is guided; the leak's side passes nothing back."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(values)
        return functional.leaky_relu(values, slope)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (values,), gradient = ctx.saved_tensors, grads[0]
        return gradient * (values > 0) * (gradient > 0), None


def guided_maps(
    blocks: Sequence[nn.Sequential], volume: Float[Tensor, "batch channels depth height width"]
) -> Float[Tensor, "batch maps map_depth map_height map_width"]:
    """The last maps of blocks of layers, with guided gradients.

    Args:
        blocks: Convolutions, normalizations and rectifiers, in evaluation mode.
        volume: Their input.
    """
    values = volume
    for block in blocks:
        for layer in block:
            if isinstance(layer, nn.ReLU | nn.LeakyReLU):
                slope = getattr(layer, "negative_slope", 0.0)
                values = _GuidedRectifier.apply(values, slope)
            else:
                values = layer(values)
    return values


def answers(
    maps: Float[Tensor, "batch maps map_depth map_height map_width"],
) -> Float[Tensor, "batch maps"]:
    """How strongly each neuron answers: the largest value of its map."""
    return maps.flatten(2).amax(dim=2)


def guided_saliency(
    blocks: Sequence[nn.Sequential],
    volume: Float[Tensor, "channels depth height width"],
    neuron: int,
) -> Float[Tensor, "depth height width"]:
    """Which cells a neuron answers to at its strongest place: from 0 to 1, the most important.

    Args:
        blocks: Convolutions, normalizations and rectifiers, in evaluation mode.
        volume: What they see; the first channel holds the cells.
        neuron: Channel of the last maps.

    Returns:
        All zeros where nothing speaks for the answer.
    """
    with torch.enable_grad():
        seen = volume[None].detach().requires_grad_()
        strongest = answers(guided_maps(blocks, seen))[0, neuron]
        (gradient,) = torch.autograd.grad(strongest, seen)
    positive = gradient[0, 0].clamp_min(0)
    return positive / positive.max().clamp_min(torch.finfo(positive.dtype).tiny)
