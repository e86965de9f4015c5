"""MoCoGAN's judges: one of single frames, one that slides over clips of any length."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from vidgen.adversarial.blocks import BatchSpread, GaussianNoise, batch_norm
from vidgen.quick_convolution import QuickConv3d


class ImageDiscriminator(nn.Module):
    """A 2-D DCGAN discriminator of single frames.

    Source: MoCoGAN (Tulyakov et al., 2018), Table 6 and the authors' code, at 64 pixels:
    3×64×64 → 64×32×32 → 128×16×16 → 256×8×8 → one score for each of 4×4 patches, or else
    → 512×4×4 → one score for the whole.

    Args:
        channels: Colours of a frame.
        frame_size: Height and width, 16 or more.
        width: Channels of the first layer; doubled by each.
        patches: Score patches; false scores the whole frame.
        normalize_first: Put BatchNorm after the first layer too, as the article does.
        noise: Deviation of normal noise before the convolutions, in training; 0 is none. As in
            the code the last convolution has none when the whole is scored.
        normalize: BatchNorm after the layers; false gives the convolutions biases instead.
        batch_spread: Show the last layer how much the frames of the batch differ.
    """

    def __init__(
        self,
        channels: int = 3,
        frame_size: int = 64,
        width: int = 64,
        patches: bool = True,
        normalize_first: bool = False,
        noise: float = 0.0,
        normalize: bool = True,
        batch_spread: bool = False,
    ) -> None:
        super().__init__()
        depth = 3 if patches else _num_halvings(frame_size)
        widths = [channels, *(width * 2**level for level in range(depth))]
        whole = partial(nn.Conv2d, kernel_size=4, bias=not normalize)
        halving = partial(whole, stride=2, padding=1)
        layers = _downward(widths, 2, halving, normalize, normalize_first, noise)
        if patches and noise:
            layers.append(GaussianNoise(noise))
        if batch_spread:
            layers.append(BatchSpread())
        last = halving if patches else whole
        layers.append(last(widths[-1] + batch_spread, 1))
        self.layers = nn.Sequential(*layers)
        self.patches = patches

    def forward(
        self, frames: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch place"]:
        """Scores of all patches, or one score a frame."""
        scores = self.layers(frames).flatten(1)
        return scores if self.patches else scores.mean(dim=1, keepdim=True)


class Judgement(NamedTuple):
    """What a `WindowDiscriminator` thinks of clips.

    Attributes:
        scores: Unbounded, for every moment that its windows fit at and every patch.
        categories: Logits of the clip's category; their axis is empty without categories.
    """

    scores: Float[Tensor, "batch time place"]
    categories: Float[Tensor, "batch kinds"]


class WindowDiscriminator(nn.Module):
    """A 3-D discriminator that strides through space but never through time.

    Every layer shortens time by 3, without padding, so a clip longer than the window it looks at
    is scored at each of its moments.

    Source: MoCoGAN (Tulyakov et al., 2018), authors' code, at 16 frames of 64 pixels:
    3×16×64×64 → 64×13×32×32 → 128×10×16×16 → 256×7×8×8 → 512×4×4×4 → 1 score and the category
    logits; with patches 256×7×8×8 → 4×4×4 scores, as deep as the article's Table 6.

    Args:
        channels: Colours of a clip.
        frame_size: Height and width, 16 or more.
        width: Channels of the first layer; doubled by each.
        num_categories: Kinds of motion that its last layer also tells apart; 0 is none.
        patches: Score patches in space and time; false scores the whole frame.
        stride: Step through space; 1 is the article's Table 6, without padding, twenty times as
            costly.
        normalize_first: Put BatchNorm after the first layer too, as the article does.
        noise: Deviation of normal noise before every convolution but the last, in training.
        normalize: BatchNorm after the layers; false gives the convolutions biases instead.
        batch_spread: Show the last layer how much the clips of the batch differ.
    """

    def __init__(
        self,
        channels: int = 3,
        frame_size: int = 64,
        width: int = 64,
        num_categories: int = 0,
        patches: bool = False,
        stride: Literal[1, 2] = 2,
        normalize_first: bool = False,
        noise: float = 0.0,
        normalize: bool = True,
        batch_spread: bool = False,
    ) -> None:
        super().__init__()
        if patches and num_categories:
            raise ValueError(
                "a patch discriminator cannot tell categories apart; score whole clips instead"
            )
        depth = 3 if patches else _num_halvings(frame_size)
        widths = [channels, *(width * 2**level for level in range(depth))]
        unpadded = partial(nn.Conv3d, kernel_size=4, bias=not normalize)
        step = partial(QuickConv3d, bias=not normalize) if stride == 2 else unpadded
        layers = _downward(widths, 3, step, normalize, normalize_first, noise)
        if batch_spread:
            layers.append(BatchSpread())
        last = step if patches else unpadded
        layers.append(last(widths[-1] + batch_spread, 1 + num_categories))
        self.layers = nn.Sequential(*layers)
        self.patches = patches
        self.window = 3 * (depth + 1) + 1

    def forward(self, clip: Float[Tensor, "batch channel time height width"]) -> Judgement:
        """Scores and category logits of clips at least `window` frames long."""
        maps = self.layers(clip).flatten(3)  # (B, 1 + kinds, T - window + 1, places)
        scores, categories = maps[:, 0], maps[:, 1:].mean(dim=(2, 3))
        return Judgement(scores if self.patches else scores.mean(2, keepdim=True), categories)

    def window_scores(
        self, clip: Float[Tensor, "batch channel time height width"], num_frames: int
    ) -> Float[Tensor, "batch window"]:
        """Mean scores of all runs of `num_frames` frames of clips, at the cost of one pass."""
        scores = self(clip).scores.mean(dim=2).unsqueeze(1)  # (B, 1, T - window + 1)
        return functional.avg_pool1d(scores, num_frames - self.window + 1, stride=1).squeeze(1)


def _num_halvings(frame_size: int) -> int:
    """Layers of stride 2 before a kernel of 4: four from 64 pixels on, fewer for smaller frames."""
    if frame_size < 16:
        raise ValueError(f"frame_size is {frame_size}; it must be 16 or more")
    return min(4, int(math.log2(frame_size / 4)))


def _downward(
    widths: Sequence[int],
    dimensions: Literal[2, 3],
    convolution: Callable[[int, int], nn.Module],
    normalize: bool,
    normalize_first: bool,
    noise: float,
) -> list[nn.Module]:
    """Noise, convolution, BatchNorm, LeakyReLU, from each width to the next."""
    layers: list[nn.Module] = []
    for level, (before, after) in enumerate(pairwise(widths)):
        if noise:
            layers.append(GaussianNoise(noise))
        layers.append(convolution(before, after))
        if normalize and (level or normalize_first):
            layers.append(batch_norm(dimensions, after))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    return layers
