"""Small parts that several papers' networks are built of, in one, two or three dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.parametrizations import spectral_norm

Layer = TypeVar("Layer", bound=nn.Module)
Initialization = Literal["he_normal", "lecun_normal", "uniform", "dcgan_normal"]

CONVOLUTIONS: dict[int, type[_ConvNd]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
DECONVOLUTIONS: dict[int, type[_ConvNd]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
BATCH_NORMS: dict[int, type[_BatchNorm]] = {
    1: nn.BatchNorm1d,
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}


def batch_norm(
    dimensions: int,
    channels: int,
    scale: bool = True,
    shift: bool = True,
    epsilon: float = 1e-5,
) -> _BatchNorm:
    """BatchNorm with or without its scale (gamma) and shift (beta).

    Args:
        dimensions: 1 for features and sequences, 2 for images, 3 for clips and volumes.
        channels: Size of axis 1.
        scale: Learn a factor a channel.
        shift: Learn an offset a channel.
        epsilon: Added to the variance.
    """
    norm = BATCH_NORMS[dimensions](channels, eps=epsilon)
    if not scale:
        norm.register_parameter("weight", None)
    if not shift:
        norm.register_parameter("bias", None)
    return norm


class GaussianNoise(nn.Module):
    """Adds independent normal noise in training; the identity in evaluation.

    Args:
        deviation: Standard deviation of the noise.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, features: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """The features, with noise while training."""
        if not self.training:
            return features
        inner = features.movedim(1, -1)
        if inner.is_contiguous():  # channel innermost: six times as fast in the order of memory
            return features + self.deviation * torch.randn_like(inner).movedim(-1, 1)
        return features + self.deviation * torch.randn_like(features)

    def extra_repr(self) -> str:
        """Shown in the table of layers."""
        return f"deviation={self.deviation}"


class BatchSpread(nn.Module):
    """Shows a discriminator how much the samples of a batch differ, as one more constant channel.

    The standard deviation over the batch at every position of every channel, averaged to one
    number. A generator that makes one sample again and again is found out by it.

    Source: ProGAN (Karras et al., 2018), section 3, with the whole batch as the group.
    """

    def forward(
        self, features: Float[Tensor, "batch channel ..."]
    ) -> Float[Tensor, "batch channel_and_one ..."]:
        """The features and their spread."""
        deviation = (features.var(0, unbiased=False) + 1e-8).sqrt().mean()
        spread = deviation.expand(len(features), 1, *features.shape[2:])
        return torch.cat([features, spread], dim=1)


def spectrally_normalized(module: nn.Module) -> nn.Module:
    """The same module with every convolution and linear weight divided by its spectral norm."""
    for part in list(module.modules()):
        if isinstance(part, _ConvNd | nn.Linear):
            spectral_norm(part)
    return module


def label_planes(
    labels: Float[Tensor, "batch kinds"], shape: torch.Size
) -> Float[Tensor, "batch kinds ..."]:
    """One-hot labels repeated over all positions of `shape`, as further channels of an input."""
    batch, kinds = labels.shape
    spread = labels.view(batch, kinds, *[1] * len(shape))
    return spread.expand(batch, kinds, *shape)


def initialize_(module: nn.Module, rule: Initialization) -> None:
    """Draws the weights of all convolutions and linear layers anew; biases become 0.

    A transposed convolution's fan-in is its second axis times the kernel volume, as in torch.

    Args:
        module: Changed in place.
        rule: he_normal has deviation sqrt(2 / fan-in), lecun_normal sqrt(1 / fan-in), uniform is
            over [-0.01, 0.01], dcgan_normal has deviation 0.02.
    """
    draw = _INITIALIZERS[rule]
    for part in module.modules():
        if isinstance(part, _ConvNd | nn.Linear):
            draw(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def glorot_(layer: Layer, gain: float = 1.0) -> Layer:
    """The same layer with Glorot-uniform weights, times a gain, and biases of 0."""
    nn.init.xavier_uniform_(cast(Tensor, layer.weight), gain)
    if isinstance(getattr(layer, "bias", None), Tensor):
        nn.init.zeros_(cast(Tensor, layer.bias))
    return layer


def _fan_in_normal(gain: float) -> Callable[[Tensor], object]:
    def draw(weight: Tensor) -> object:
        fan_in = weight[0].numel()
        return nn.init.normal_(weight, std=math.sqrt(gain / fan_in))

    return draw


_INITIALIZERS: dict[str, Callable[[Tensor], object]] = {
    "he_normal": _fan_in_normal(2.0),
    "lecun_normal": _fan_in_normal(1.0),
    "uniform": lambda weight: nn.init.uniform_(weight, -0.01, 0.01),
    "dcgan_normal": lambda weight: nn.init.normal_(weight, std=0.02),
}
