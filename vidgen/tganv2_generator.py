"""TGANv2's generator: feature maps of frames pass through four stacked sub-generators.

Source: TGANv2 (Saito et al., 2020), figures 3 and 4, at 192 pixels:

    latent (256) → trajectory                  → 1024×3×3 a frame
    level 1: up to 512×6×6, 256×12×12, 128×24×24 → render 3×24×24
    level 2: keep some frames, up to 64×48×48    → render 3×48×48
    level 3: keep some frames, up to 32×96×96    → render 3×96×96
    level 4: keep some frames, up to 32×192×192  → render 3×192×192

In training a frame that is not kept is gone before the costly blocks; at inference none goes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from vidgen.adversarial.blocks import glorot_, initialize_
from vidgen.adversarial.conditioning import ConditionalBatchNorm
from vidgen.adversarial.latents import Randomness
from vidgen.subsampling import SubsamplingLayer
from vidgen.trajectories.brownian import path_seeds
from vidgen.trajectories.convlstm import ConvLSTM
from vidgen.trajectories.differential import DifferentialTrajectory
from vidgen.trajectories.settings import PublishedEquation

EPSILON = 2e-5  # of every BatchNorm, as in the authors' code
# The equation in the place of the ConvLSTM, as Gordon and Parde (2020) ran it.
EQUATION = PublishedEquation("convolutional", 0, glorot=True)
BLOCKS_OF_LEVELS = (3, 1, 1, 1)  # three doublings at level 1, one at each other


class UpBlock(nn.Module):
    """Maps → maps of twice the size, with a shortcut around two convolutions (figure 4).

    Args:
        before: Channels of the given maps.
        after: Channels of the maps it makes.
        num_classes: Classes of the BatchNorms; 0 is unconditional.
        convolve_shortcut: Put a 1×1 convolution into the shortcut.
    """

    def __init__(
        self, before: int, after: int, num_classes: int = 0, convolve_shortcut: bool = True
    ) -> None:
        super().__init__()
        gain = math.sqrt(2)
        self.norm_1 = ConditionalBatchNorm(2, before, num_classes, EPSILON)
        self.convolution_1 = glorot_(nn.Conv2d(before, after, 3, padding=1), gain)
        self.norm_2 = ConditionalBatchNorm(2, after, num_classes, EPSILON)
        self.convolution_2 = glorot_(nn.Conv2d(after, after, 3, padding=1), gain)
        self.shortcut = glorot_(nn.Conv2d(before, after, 1)) if convolve_shortcut else nn.Identity()

    def forward(
        self,
        maps: Float[Tensor, "frames before height width"],
        labels: Int[Tensor, " frames"] | None = None,
    ) -> Float[Tensor, "frames after doubled_height doubled_width"]:
        """Maps of twice the height and width."""
        inner = functional.relu(self.norm_1(maps, labels), inplace=True)
        inner = self.convolution_1(functional.interpolate(inner, scale_factor=2.0))
        inner = functional.relu(self.norm_2(inner, labels), inplace=True)
        return self.convolution_2(inner) + self.shortcut(
            functional.interpolate(maps, scale_factor=2.0)
        )


class RenderingBlock(nn.Module):
    """Maps → images.

    Args:
        before: Channels of the maps.
        channels: Colours of an image.
        num_classes: Classes of the BatchNorm; 0 is unconditional.
    """

    def __init__(self, before: int, channels: int = 3, num_classes: int = 0) -> None:
        super().__init__()
        self.norm = ConditionalBatchNorm(2, before, num_classes, EPSILON)
        self.convolution = nn.Conv2d(before, channels, 3, padding=1)
        initialize_(self, "lecun_normal")

    def forward(
        self,
        maps: Float[Tensor, "frames before height width"],
        labels: Int[Tensor, " frames"] | None = None,
    ) -> Float[Tensor, "frames channel height width"]:
        """Images in (-1, 1)."""
        inner = functional.relu(self.norm(maps, labels), inplace=True)
        return self.convolution(inner).tanh()


class SubGenerator(nn.Module):
    """One level: up-sampling blocks, and what renders their maps if this level is looked at.

    Args:
        widths: Channels of the given maps and after each block.
        render: Makes images of the maps; `None` leaves that out.
        num_classes: Classes of the BatchNorms; 0 is unconditional.
        skip_equal_shortcut: No convolution in the shortcut of a block that keeps the channels.
    """

    def __init__(
        self,
        widths: Sequence[int],
        render: RenderingBlock | None,
        num_classes: int,
        skip_equal_shortcut: bool,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            UpBlock(before, after, num_classes, not (skip_equal_shortcut and before == after))
            for before, after in pairwise(widths)
        )
        self.render = render

    def forward(
        self,
        maps: Float[Tensor, "frames before height width"],
        labels: Int[Tensor, " frames"] | None = None,
    ) -> Float[Tensor, "frames after larger_height larger_width"]:
        """Maps for the next level, and for `render`."""
        for block in self.blocks:
            maps = block(maps, labels)
        return maps


class VideoGenerator(nn.Module):
    """One latent a video → clips at four resolutions.

    Args:
        trajectory: From latents and a number of frames, or times, to one feature map a frame.
        widths: Channels of these maps and after each of the six up-sampling blocks.
        channels: Colours of a clip.
        num_classes: Classes; one-hot labels then join the latent. 0 is unconditional.
        every_level: Render every level; otherwise only the highest.
        skip_equal_shortcut: No convolution in the shortcut of a block that keeps the channels.
    """

    def __init__(
        self,
        trajectory: ConvLSTM | DifferentialTrajectory,
        widths: Sequence[int],
        channels: int = 3,
        num_classes: int = 0,
        every_level: bool = True,
        skip_equal_shortcut: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes, self.every_level = num_classes, every_level
        self.trajectory = trajectory
        self.levels = nn.ModuleList()
        first = 0
        for blocks in BLOCKS_OF_LEVELS:
            last = first + blocks
            rendered = every_level or last == sum(BLOCKS_OF_LEVELS)
            render = RenderingBlock(widths[last], channels, num_classes) if rendered else None
            self.levels.append(
                SubGenerator(widths[first : last + 1], render, num_classes, skip_equal_shortcut)
            )
            first = last

    def forward(
        self,
        latent: Float[Tensor, "batch latent"],
        num_frames: int,
        labels: Int[Tensor, " batch"] | None = None,
        layers: Sequence[SubsamplingLayer] = (),
        path_seeds: Int[Tensor, " batch"] | None = None,
    ) -> list[Float[Tensor, "batch color _ _ _"]]:
        """Clips in (-1, 1) at every rendered level, lowest first; see `unroll` and `draw`."""
        maps = self.unroll(latent, range(num_frames), labels, path_seeds)
        return self.draw(maps, labels, layers)

    def unroll(
        self,
        latent: Float[Tensor, "batch latent"],
        times: Sequence[int | float],
        labels: Int[Tensor, " batch"] | None = None,
        path_seeds: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch time channel height width"]:
        """Feature maps at times in frames; only an equation has others than 0, 1, 2, …

        A stochastic equation needs `path_seeds`, one a clip.
        """
        if labels is not None:
            one_hot = functional.one_hot(labels, self.num_classes).to(latent)
            latent = torch.cat([latent, one_hot], dim=1)
        if isinstance(self.trajectory, DifferentialTrajectory):
            return self.trajectory.at(latent, times, path_seeds)
        return self.trajectory(latent, len(times))

    def draw_paths(self, randomness: Randomness, count: int) -> Int[Tensor, " count"] | None:
        """Seeds of paths, of a stochastic equation; nothing of any other trajectory."""
        is_equation = isinstance(self.trajectory, DifferentialTrajectory)
        return path_seeds(randomness, count) if is_equation and self.trajectory.stochastic else None

    def draw(
        self,
        maps: Float[Tensor, "batch time channel height width"],
        labels: Int[Tensor, " batch"] | None = None,
        layers: Sequence[SubsamplingLayer] = (),
    ) -> list[Float[Tensor, "batch color _ _ _"]]:
        """Clips in (-1, 1) at every rendered level, lowest first.

        Args:
            maps: Of all frames.
            labels: Class of each clip.
            layers: What thins the frames out before level 2, 3 and 4; nothing keeps all frames at
                all levels.
        """
        clips = []
        for number, module in enumerate(self.levels):
            level = cast(SubGenerator, module)
            if number and layers:
                maps = layers[number - 1](maps, 1)
            length = maps.shape[1]
            by_frame = None if labels is None else labels.repeat_interleave(length)
            flat = level(maps.flatten(0, 1), by_frame)  # (B·T, C, H, W)
            if level.render is not None:
                images = level.render(flat, by_frame).unflatten(0, (-1, length))
                clips.append(images.transpose(1, 2))  # (B, 3, T, H, W)
            maps = flat.unflatten(0, (-1, length))
        return clips

    def draw_evenly(
        self,
        maps: Float[Tensor, "batch time channel height width"],
        labels: Int[Tensor, " batch"] | None,
        piece: int,
    ) -> list[Float[Tensor, "batch color time _ _"]]:
        """Like `draw` of all frames, in pieces of equally many, so that length changes no rounding.

        It also bounds the memory that long clips take.
        """
        length = maps.shape[1]
        filling = maps[:, -1:].expand(-1, -length % piece, -1, -1, -1)
        pieces = torch.cat([maps, filling], dim=1).split(piece, dim=1)
        drawn = zip(*(self.draw(part, labels) for part in pieces), strict=True)
        return [torch.cat(level, dim=2)[:, :, :length] for level in drawn]
