"""Judges of clips."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidgen.adversarial.blocks import BatchSpread, GaussianNoise, batch_norm, label_planes
from vidgen.quick_convolution import QuickConv3d


class VideoDiscriminator(nn.Module):
    """A 3-D DCGAN discriminator with one unbounded score a clip.

    Source: TGAN (Saito et al., 2017), §3.3, at 16 frames of 64 pixels:
    3×16×64×64 → 64×8×32×32 → 128×4×16×16 → 256×2×8×8 → 512×1×4×4 → score.

    Once time has shrunk to 1, the remaining layers leave it alone; if it is longer than 1 at the
    end, the scores of the remaining moments are averaged.

    Args:
        channels: Colours of a clip.
        num_frames: Frames of a clip.
        frame_size: Height and width, a power of two from 8 on.
        width: Channels of the first layer; doubled by each.
        num_classes: Size of one-hot labels that join the input as constant planes; 0 is none.
        normalize: Put BatchNorm after every layer but the first.
        scale: The BatchNorms learn a factor.
        shift: The BatchNorms learn an offset.
        noise: Deviation of normal noise before every activation, in training; 0 is none.
        batch_spread: Show the score how much the clips of the batch differ.
        epsilon: Of the BatchNorms.
    """

    top_size = 4

    def __init__(
        self,
        channels: int = 3,
        num_frames: int = 16,
        frame_size: int = 64,
        width: int = 64,
        num_classes: int = 0,
        normalize: bool = True,
        scale: bool = True,
        shift: bool = False,
        noise: float = 0.0,
        batch_spread: bool = False,
        epsilon: float = 2e-5,
    ) -> None:
        super().__init__()
        halvings = int(math.log2(max(frame_size, 1) / self.top_size))
        if halvings < 1 or self.top_size * 2**halvings != frame_size:
            raise ValueError(f"frame_size is {frame_size}; it must be 8, 16, 32, 64, 128, …")
        self.num_classes = num_classes
        layers: list[nn.Module] = []
        before, frames = channels + num_classes, num_frames
        for level in range(halvings):
            after = width * 2**level
            layers.append(
                QuickConv3d(before, after, time_stride=2, bias=True)
                if frames > 1
                else nn.Conv3d(before, after, (1, 4, 4), (1, 2, 2), (0, 1, 1))
            )
            if normalize and level:
                layers.append(batch_norm(3, after, scale, shift, epsilon))
            if noise:
                layers.append(GaussianNoise(noise))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            before, frames = after, max(frames // 2, 1)
        if batch_spread:
            layers.append(BatchSpread())
            before += 1
        self.layers = nn.Sequential(*layers)
        self.score = nn.Linear(before * self.top_size**2, 1)

    def forward(
        self,
        clip: Float[Tensor, "batch channel time height width"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """Scores of clips, conditioned on one-hot labels if the judge has classes."""
        if labels is not None:
            clip = torch.cat([clip, label_planes(labels, clip.shape[2:])], dim=1)
        features = self.layers(clip).transpose(1, 2).flatten(2)  # (B, T', 512·4·4)
        return self.score(features).float().mean(dim=(1, 2))  # a loss in half precision is noise


class SpacetimeDiscriminator(nn.Module):
    """VGAN's 3-D convolutions, whose last one covers all that is left of space and time.

    Source: VGAN (Vondrick et al., 2016), §2.2 and the authors' code, at 32 frames of 64 pixels:
    3×32×64×64 → 64×16×32×32 → 128×8×16×16 → 256×4×8×8 → 512×2×4×4 → outputs.

    Args:
        clip_shape: (channel, time, height, width) of a clip.
        width: Channels of the first layer; doubled by each.
        num_outputs: Logits or, for an encoder, codes of a clip.
        epsilon: Of the BatchNorms.
    """

    def __init__(
        self,
        clip_shape: Sequence[int],
        width: int = 64,
        num_outputs: int = 2,
        epsilon: float = 1e-3,
    ) -> None:
        super().__init__()
        channels, num_frames, frame_size, _ = clip_shape
        levels, bottom_frames = clip_levels(num_frames, frame_size)
        layers: list[nn.Module] = [
            nn.Conv3d(channels, width, 4, 2, 1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for before in [width * 2**level for level in range(levels - 1)]:
            layers += [
                QuickConv3d(before, 2 * before, time_stride=2, bias=True),
                batch_norm(3, 2 * before, epsilon=epsilon),
                nn.LeakyReLU(0.2, inplace=True),
            ]
        self.trunk = nn.Sequential(*layers)
        self.trunk_channels = width * 2 ** (levels - 1)
        self.trunk_size = (bottom_frames, 4, 4)
        self.head = nn.Conv3d(self.trunk_channels, num_outputs, self.trunk_size)

    def forward(
        self, clip: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch outputs"]:
        """Unbounded outputs of clips."""
        return self.head(self.trunk(clip)).flatten(1)


def image_levels(frame_size: int) -> int:
    """How often an image is halved until it is 4 pixels wide.

    Raises:
        ValueError: It cannot be halved so often without remainder, or is that small already.
    """
    levels = int(math.log2(max(frame_size, 4) / 4))
    if levels < 1 or 4 * 2**levels != frame_size:
        raise ValueError(f"frame_size is {frame_size}; it must be 8, 16, 32, 64, 128, …")
    return levels


def clip_levels(num_frames: int, frame_size: int) -> tuple[int, int]:
    """How often a clip is halved until its frames are 4 pixels wide, and how many frames are left.

    Raises:
        ValueError: Its frames or their number cannot be halved so often without remainder.
    """
    levels = image_levels(frame_size)
    if num_frames < 1 or num_frames % 2**levels:
        raise ValueError(
            f"num_frames is {num_frames}; with frame_size {frame_size} it must be a multiple of "
            f"{2**levels}"
        )
    return levels, num_frames // 2**levels
