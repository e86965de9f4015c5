"""A latent → an image: the generators that are applied to every frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidgen.adversarial.blocks import batch_norm


class BranchedImageGenerator(nn.Module):
    """TGAN's image generator: several latents, each through a linear branch, make one image.

    Source: TGAN (Saito et al., 2017), §3.2, Table 1 right, at 64 pixels:
    every latent → linear → 256×4×4 · joined 512×4×4 → 256×8×8 → 128×16×16 → 64×32×32 → 32×64×64
    → 3×64×64.

    Args:
        latent_dims: Size of each latent, in the order in which they are given and joined.
        frame_size: Height and width of the image, a power of two from 8 on.
        channels: Colours of the image.
        width: Channels of the bottom map of two branches; a branch has half, the map after the
            first up-sampling has half, then half again.
        epsilon: Of the BatchNorms.
    """

    bottom_size = 4

    def __init__(
        self,
        latent_dims: Sequence[int],
        frame_size: int = 64,
        channels: int = 3,
        width: int = 512,
        epsilon: float = 2e-5,
    ) -> None:
        super().__init__()
        doublings = int(math.log2(max(frame_size, 1) / self.bottom_size))
        if doublings < 1 or self.bottom_size * 2**doublings != frame_size:
            raise ValueError(f"frame_size is {frame_size}; it must be 8, 16, 32, 64, 128, …")
        if width < 2**doublings:
            raise ValueError(
                f"width is {width}; {frame_size} pixels need {2**doublings} or more to halve"
            )
        self.bottom_channels = width // 2
        features = self.bottom_channels * self.bottom_size**2
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Linear(dim, features, bias=False),
                batch_norm(1, features, epsilon=epsilon),
                nn.ReLU(inplace=True),
            )
            for dim in latent_dims
        )
        widths = [len(latent_dims) * self.bottom_channels]
        widths += [width // 2**level for level in range(1, doublings + 1)]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [
                nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
                batch_norm(2, after, epsilon=epsilon),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(
            *layers, nn.ConvTranspose2d(widths[-1], channels, 3, 1, 1), nn.Tanh()
        )

    def forward(
        self, *latents: Float[Tensor, "batch _"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Images in (-1, 1) of as many latents as there are branches."""
        size = self.bottom_size
        maps = [
            branch(latent).view(-1, self.bottom_channels, size, size)  # (B, 256, 4, 4)
            for branch, latent in zip(self.branches, latents, strict=True)
        ]
        joined = torch.cat(maps, dim=1)
        if joined.device.type == "cpu":
            # The channel innermost suits a CPU's deconvolutions (benchmarks/tgan_step.py).
            joined = joined.contiguous(memory_format=torch.channels_last)
        return self.layers(joined)


class ImageGenerator(nn.Module):
    """DCGAN's image generator: one latent becomes one image.

    Source: MoCoGAN (Tulyakov et al., 2018), Table 6 and the authors' code, at 64 pixels:
    latent → 512×4×4 → 256×8×8 → 128×16×16 → 64×32×32 → 3×64×64.

    No layer has a bias. The article's table ends in BatchNorm and LeakyReLU, which cannot match
    images in [-1, 1]; here, as in the code, the end is tanh.

    Args:
        latent_dim: Size of the latent.
        frame_size: Height and width of the image, a multiple of 16: the bottom map has a
            sixteenth of it, 4 at 64 pixels and 6 at the article's 96.
        channels: Colours of the image.
        width: Channels before the last layer; each map below has twice as many.
        activation: "relu" as in the code, or "leaky_relu" (slope 0.2) as in the article.
    """

    doublings = 4

    def __init__(
        self,
        latent_dim: int,
        frame_size: int = 64,
        channels: int = 3,
        width: int = 64,
        activation: Literal["relu", "leaky_relu"] = "relu",
    ) -> None:
        super().__init__()
        bottom_size, rest = divmod(frame_size, 2**self.doublings)
        if bottom_size < 1 or rest:
            raise ValueError(f"frame_size is {frame_size}; it must be a multiple of 16: 64, 96, …")
        widths = [width * 2**level for level in reversed(range(self.doublings))]
        layers: list[nn.Module] = []
        for before, after in pairwise([latent_dim, *widths]):
            layers += [
                nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
                if layers
                else nn.ConvTranspose2d(before, after, bottom_size, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True) if activation == "relu" else nn.LeakyReLU(0.2, inplace=True),
            ]
        self.layers = nn.Sequential(
            *layers, nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1, bias=False), nn.Tanh()
        )

    def forward(
        self, latent: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Images in (-1, 1)."""
        return self.layers(latent[:, :, None, None])
