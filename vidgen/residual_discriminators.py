"""TGANv2's judges: residual networks over clips or over single frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from vidgen.adversarial.blocks import BatchSpread, glorot_

SingletonPool = Literal["pad", "skip"]


class ResidualDiscriminator(nn.Module):
    """Five residual blocks, each of half the size and twice the channels; one score a sample.

    Source: TGANv2 (Saito et al., 2020), §4.2 and the authors' code, at 16 frames of 24 pixels:
    3×16×24×24 → 64×16×12×12 → 128×8×6×6 → 256×4×3×3 → 512×2×2×2 → 1024×1×1×1 → score.

    It takes any size: the last features are summed over all places. No layer normalizes.

    Args:
        dimensions: 3 for clips, 2 for frames.
        channels: Colours of a sample.
        width: Channels of the first block; doubled by each.
        num_classes: Classes; a class's projection joins the score. 0 is unconditional.
        singleton_pool: An axis that has shrunk to 1 is padded to 3 by the next pooling, as in the
            authors' code, or left alone, as in the article, which is cheaper.
        batch_spread: Show the last block how much the samples of the batch differ.
    """

    def __init__(
        self,
        dimensions: Literal[2, 3] = 3,
        channels: int = 3,
        width: int = 64,
        num_classes: int = 0,
        singleton_pool: SingletonPool = "pad",
        batch_spread: bool = False,
    ) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(5)]
        self.first = FirstBlock(dimensions, channels, width)
        self.blocks = nn.ModuleList(
            DownBlock(dimensions, before, after, singleton_pool)
            for before, after in pairwise(widths)
        )
        if batch_spread:
            last = DownBlock(dimensions, widths[-2] + 1, widths[-1], singleton_pool)
            self.blocks[-1] = nn.Sequential(BatchSpread(), last)
        self.score = glorot_(nn.Linear(widths[-1], 1))
        self.classes = glorot_(nn.Embedding(num_classes, widths[-1])) if num_classes else None

    def forward(
        self,
        sample: Float[Tensor, "batch channel *places"],
        labels: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """Unbounded scores; labels are class numbers, and asked for if there are classes."""
        maps = self.first(sample)
        for block in self.blocks:
            maps = block(maps)
        # In half precision the scores of real and fake would often be the same number.
        exact = torch.promote_types(maps.dtype, torch.float32)
        features = functional.relu(maps).flatten(2).sum(2, dtype=exact)  # (B, 1024)
        with torch.autocast(features.device.type, enabled=False):
            scores = self.score(features).squeeze(1)
            if self.classes is None:
                return scores
            assert labels is not None, "a conditional discriminator needs labels"
            return scores + (self.classes(labels) * features).sum(1)


class FirstBlock(nn.Module):
    """Colours → features at half the height and width; time stays as it is.

    Args:
        dimensions: 3 for clips, 2 for frames.
        before: Colours.
        after: Channels of the features.
    """

    def __init__(self, dimensions: Literal[2, 3], before: int, after: int) -> None:
        super().__init__()
        self.convolution_1, self.convolution_2, self.shortcut = _convolutions(
            dimensions, [before, after, after]
        )

    def forward(
        self, sample: Float[Tensor, "batch before *places"]
    ) -> Float[Tensor, "batch after *halved"]:
        """Features."""
        inner = functional.relu(self.convolution_1(sample), inplace=True)
        inner = self.convolution_2(inner)
        sizes = [1] * (sample.ndim - 4) + [2, 2]  # of the squares that are averaged
        average = functional.avg_pool3d if sample.ndim == 5 else functional.avg_pool2d
        return average(inner, sizes) + self.shortcut(average(sample, sizes))


class DownBlock(nn.Module):
    """Features → more channels at half the size, time included.

    Args:
        dimensions: 3 for clips, 2 for frames.
        before: Channels of the given features.
        after: Channels of the features it makes.
        singleton_pool: What becomes of an axis of size 1: see `halved`.
    """

    def __init__(
        self,
        dimensions: Literal[2, 3],
        before: int,
        after: int,
        singleton_pool: SingletonPool = "pad",
    ) -> None:
        super().__init__()
        self.singleton_pool: SingletonPool = singleton_pool
        self.convolution_1, self.convolution_2, self.shortcut = _convolutions(
            dimensions, [before, before, after]
        )

    def forward(
        self, maps: Float[Tensor, "batch before *places"]
    ) -> Float[Tensor, "batch after *halved"]:
        """Features at half the size."""
        # Not in place: the shortcut sees the maps as they are.
        inner = functional.relu(self.convolution_1(functional.relu(maps)), inplace=True)
        inner = halved(self.convolution_2(inner), self.singleton_pool)
        return inner + halved(self.shortcut(maps), self.singleton_pool)


class SoundConv3d(nn.Conv3d):
    """A 3×3×3 convolution whose weights' gradient is right in bfloat16 on CPUs too.

    There oneDNN gives garbage for maps of 2 frames that it is to pad itself (torch 2.13, AVX-512).
    """

    def forward(
        self, input: Float[Tensor, "batch before time height width"]
    ) -> Float[Tensor, "batch after time height width"]:
        """The convolution with padding 1."""
        half = input.device.type == "cpu" and torch.is_autocast_enabled("cpu")
        if not half or input.shape[2] != 2:
            return super().forward(input)
        padded = functional.pad(input, (0, 0, 0, 0, 1, 1))
        return functional.conv3d(padded, self.weight, self.bias, padding=(0, 1, 1))


def _convolutions(dimensions: Literal[2, 3], widths: Sequence[int]) -> list[nn.Module]:
    """Two 3×3 convolutions in a row and the 1×1 shortcut around them."""
    kind, gain = SoundConv3d if dimensions == 3 else nn.Conv2d, math.sqrt(2)
    before, between, after = widths
    return [
        glorot_(kind(before, between, 3, padding=1), gain),
        glorot_(kind(between, after, 3, padding=1), gain),
        glorot_((nn.Conv3d if dimensions == 3 else nn.Conv2d)(before, after, 1)),
    ]


def halved(
    maps: Float[Tensor, "batch channel *places"], singleton_pool: SingletonPool = "pad"
) -> Float[Tensor, "batch channel *halved"]:
    """Averages of pairs along every axis of space and time.

    An axis of odd size gets a zero at both ends first, which counts in the averages, so 3 becomes
    2. By the same rule of the authors' code an axis of size 1, which has no pairs, grows to 3; with
    `singleton_pool` "skip" it is left alone.
    """
    sizes = maps.shape[2:]
    padded = [size % 2 == 1 and (size > 1 or singleton_pool == "pad") for size in sizes]
    if any(padded):
        # Not by the pooling itself, which refuses to pad an axis of size 1.
        maps = functional.pad(maps, [int(pad) for pad in reversed(padded) for _ in range(2)])
    pairs = [min(size, 2) for size in sizes]
    average = functional.avg_pool3d if len(sizes) == 3 else functional.avg_pool2d
    return average(maps, pairs)
