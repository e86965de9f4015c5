"""3D-GAN's networks: a latent becomes a volume, a volume a score, an image a latent.

Wu et al., NIPS 2016, §3.1 and supplement A.1. For volumes of 4·2^k voxels a side there are k layers
that double or halve them, and one from or to a single voxel; the channels next to the volume are
`width`, each further layer has twice as many.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from vidgen.adversarial.blocks import (
    initialize_,
    label_planes,
    spectrally_normalized,
)
from vidgen.quick_convolution import QuickConv3d, QuickConvTranspose3d

BOTTOM_SIZE = 4
LOG_VARIANCE_LIMIT = 10.0
Normalization = Literal["batch", "layer", "spectral", "none"]


class FromOneVoxel(nn.ConvTranspose3d):
    """A transposed convolution of a single voxel: one matrix product, which is quicker."""

    def forward(
        self, input: Float[Tensor, "batch before 1 1 1"], output_size: list[int] | None = None
    ) -> Float[Tensor, "batch after side side side"]:
        """A cube as large as the kernel."""
        product = input.flatten(1) @ self.weight.flatten(1)
        made = product.view(len(input), -1, *self.weight.shape[2:])
        return made if self.bias is None else made + self.bias.view(-1, 1, 1, 1)


class VoxelGenerator(nn.Module):
    """Transposed convolutions from a latent to a volume (supplement A.1).

    At 64³: z (200) → 512×4³ → 256×8³ → 128×16³ → 64×32³ → 1×64³.

    Args:
        latent_dim: Size of the latent.
        resolution: Voxels a side, a power of two from 8 on.
        width: Channels before the last layer; doubled by each towards the latent.
        num_classes: Size of one-hot labels that join the latent; 0 is none.
        bias: The convolutions have biases.
    """

    def __init__(
        self,
        latent_dim: int = 200,
        resolution: int = 64,
        width: int = 64,
        num_classes: int = 0,
        bias: bool = False,
    ) -> None:
        super().__init__()
        top = width * 2 ** (doublings(resolution) - 1)
        layers: list[nn.Module] = [
            FromOneVoxel(latent_dim + num_classes, top, BOTTOM_SIZE, bias=bias)
        ]
        for before in [top // 2**level for level in range(doublings(resolution))]:
            after = before // 2 if before > width else 1
            layers += [
                nn.BatchNorm3d(before),
                nn.ReLU(inplace=True),
                QuickConvTranspose3d(before, after, bias),
            ]
        self.layers = nn.Sequential(*layers)
        initialize_voxels_(self)

    def forward(
        self,
        latent: Float[Tensor, "batch latent"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch 1 x y z"]:
        """Probabilities of volumes, conditioned on one-hot labels if it has classes."""
        return torch.sigmoid(self.logits(latent, labels))

    def logits(
        self,
        latent: Float[Tensor, "batch latent"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch 1 x y z"]:
        """Log-odds of occupancy, in float32."""
        if labels is not None:
            latent = torch.cat([latent, labels], dim=1)
        return self.layers(latent[:, :, None, None, None]).float()


class VolumeEncoder(nn.Module):
    """Convolutions from a volume to numbers, the discriminator's shape (supplement A.1).

    At 64³: 1×64³ → 64×32³ → 128×16³ → 256×8³ → 512×4³ → outputs.

    Args:
        resolution: Voxels a side, a power of two from 8 on.
        width: Channels of the first layer; doubled by each.
        num_outputs: Numbers a volume becomes.
        num_classes: Size of one-hot labels that join the input as constant planes; 0 is none.
        normalization: After each convolution but the last: "batch"; "layer" and "none" judge each
            volume by itself; "spectral" divides all weights by their spectral norm instead.
        normalize_first: Normalize after the first convolution too.
        bias: The convolutions have biases.
    """

    def __init__(
        self,
        resolution: int = 64,
        width: int = 64,
        num_outputs: int = 1,
        num_classes: int = 0,
        normalization: Normalization = "batch",
        normalize_first: bool = True,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        before = 1 + num_classes
        for level in range(doublings(resolution)):
            after = width * 2**level
            parts: list[nn.Module] = [QuickConv3d(before, after, time_stride=2, bias=bias)]
            if normalization in ("batch", "layer") and (level or normalize_first):
                parts.append(_norm(normalization, after))
            self.blocks.append(nn.Sequential(*parts, nn.LeakyReLU(0.2, inplace=True)))
            before = after
        self.head = nn.Conv3d(before, num_outputs, BOTTOM_SIZE, bias=bias)
        initialize_voxels_(self)
        if normalization == "spectral":
            spectrally_normalized(self)

    def maps(
        self,
        volume: Float[Tensor, "batch 1 x y z"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> list[Tensor]:
        """What each layer but the last makes of volumes, after its activation, largest first."""
        if labels is not None:
            volume = torch.cat([volume, label_planes(labels, volume.shape[2:])], dim=1)
        if volume.device.type == "cpu":
            # Of one channel it is both, but only so the first layer makes maps with the channel
            # innermost, as the others do: no layer has to turn them over.
            volume = volume.to(memory_format=torch.channels_last_3d)
        made = [volume]
        for block in self.blocks:
            made.append(block(made[-1]))
        return made[1:]

    def forward(
        self,
        volume: Float[Tensor, "batch 1 x y z"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch outputs"]:
        """Unbounded numbers, in float32."""
        return self.head(self.maps(volume, labels)[-1]).flatten(1).float()

    def features(
        self,
        volume: Float[Tensor, "batch 1 x y z"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch features"]:
        """All maps but the first, max-pooled to 2³ and joined (§4.2): 7,168 numbers at 64³.

        The last 4,096 of them are layer 4's, which retrieval uses.
        """
        maps = self.maps(volume, labels)
        pooled = [functional.adaptive_max_pool3d(each, 2).flatten(1) for each in maps[1:]]
        return torch.cat(pooled or [functional.adaptive_max_pool3d(maps[0], 2).flatten(1)], dim=1)


class VoxelDiscriminator(VolumeEncoder):
    """A volume encoder with one output: the log-odds that a volume is real.

    Args:
        resolution: Voxels a side, a power of two from 8 on.
        width: Channels of the first layer; doubled by each.
        num_classes: Size of one-hot labels that join the input as constant planes; 0 is none.
        normalization: See `VolumeEncoder`.
        normalize_first: Normalize after the first convolution too.
        bias: The convolutions have biases.
    """

    def __init__(
        self,
        resolution: int = 64,
        width: int = 64,
        num_classes: int = 0,
        normalization: Normalization = "batch",
        normalize_first: bool = True,
        bias: bool = False,
    ) -> None:
        super().__init__(resolution, width, 1, num_classes, normalization, normalize_first, bias)

    def forward(
        self,
        volume: Float[Tensor, "batch 1 x y z"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """Unbounded scores."""
        return super().forward(volume, labels)[:, 0]


class ImageEncoder(nn.Module):
    """Convolutions from an image to a Gaussian over latents (§3.2, supplement A.1).

    At 256 px: 3×256² → 64×64² → 128×32² → 256×16² → 512×8² → mean (200), log-variance (200).

    Args:
        latent_dim: Size of the latent.
        image_size: Height and width in pixels, a multiple of 32.
        width: Channels of the first layer; doubled by each.
        bias: The convolutions have biases; without one the last cannot shift mean and variance.
    """

    def __init__(
        self, latent_dim: int = 200, image_size: int = 256, width: int = 64, bias: bool = True
    ) -> None:
        super().__init__()
        if image_size < 32 or image_size % 32:
            raise ValueError(f"image_size is {image_size}; it must be a multiple of 32")
        self.image_size = image_size
        layers: list[nn.Module] = [nn.Conv2d(3, width, 11, 4, 5, bias=bias)]
        for before in (width, 2 * width, 4 * width):
            layers += [
                nn.BatchNorm2d(before),
                nn.ReLU(inplace=True),
                nn.Conv2d(before, 2 * before, 5, 2, 2, bias=bias),
            ]
        layers += [
            nn.BatchNorm2d(8 * width),
            nn.ReLU(inplace=True),
            nn.Conv2d(8 * width, 2 * latent_dim, image_size // 32, bias=bias),
        ]
        self.layers = nn.Sequential(*layers)
        initialize_voxels_(self)

    def forward(
        self, image: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Means and log-variances of latents, the latter within [-10, 10]."""
        mean, log_variance = self.layers(image).flatten(1).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)


def doublings(resolution: int) -> int:
    """How often 4 is doubled until it is the resolution.

    Raises:
        ValueError: It never is.
    """
    times = int(math.log2(max(resolution, BOTTOM_SIZE) / BOTTOM_SIZE))
    if times < 1 or BOTTOM_SIZE * 2**times != resolution:
        raise ValueError(f"resolution is {resolution}; it must be 8, 16, 32, 64, 128, …")
    return times


def initialize_voxels_(module: nn.Module) -> None:
    """DCGAN's: weights N(0, 0.02²), BatchNorm scales N(1, 0.02²), the rest 0."""
    initialize_(module, "dcgan_normal")
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            nn.init.normal_(part.weight, mean=1.0, std=0.02)


def _norm(normalization: Normalization, channels: int) -> nn.Module:
    return nn.BatchNorm3d(channels) if normalization == "batch" else nn.GroupNorm(1, channels)
