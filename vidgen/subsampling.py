"""TGANv2's sparse training: from level to level fewer frames, of generated and of real clips.

Source: TGANv2 (Saito et al., 2020), §4.1, equation 9, and §4.4. At 16 frames of 192 pixels
and rates 2, 2, 2:

    level        1      2      3      4
    resolution   24     48     96     192
    frames       16     8      4      2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class SubsamplingLayer:
    """Frames → one of every `step`: number start, start + step, …, or the mean of each `step`.

    Args:
        step: How many frames become one.
        start: The first that is picked.
        average: Take means instead; of fewer frames than `step`, the mean of all.
    """

    step: int
    start: int = 0
    average: bool = False

    def __call__(self, frames: Tensor, axis: int) -> Tensor:
        """What is left of the frames along an axis; picked ones are a view."""
        if self.average:
            group = min(self.step, frames.shape[axis])
            return frames.unflatten(axis, (-1, group)).mean(axis + 1)
        return frames[(slice(None),) * axis + (slice(self.start, None, self.step),)]


@dataclass(frozen=True)
class FrameSubsampling:
    """Between each level and the next, keeps frames b, b + s, b + 2s, … of those that are left.

    The offset b is drawn below min(s, frames): whatever it is, equally many frames are kept, at
    least one, and every frame is kept by some offset. (The authors' code draws below s, which can
    keep no frame.)

    Args:
        num_frames: Frames at the lowest level.
        rates: Step s of each layer, lowest first; 1 keeps every frame.
        average: Layers take the mean of s frames in a row instead; then there are no offsets.
    """

    num_frames: int
    rates: tuple[int, ...]
    average: bool = False

    def __post_init__(self) -> None:
        for before, rate in zip(self.lengths, self.rates, strict=False):
            if rate < 1:
                raise ValueError(f"rates are {self.rates}; each must be 1 or more")
            if rate < before and before % rate:
                raise ValueError(
                    f"rates {self.rates} of {self.num_frames} frames: every {rate}. of {before} "
                    "frames are not equally many for all offsets; let the rate divide the frames"
                )

    @property
    def lengths(self) -> list[int]:
        """Frames at each level, one level more than there are layers."""
        lengths = [self.num_frames]
        for rate in self.rates:
            lengths.append(-(-lengths[-1] // max(rate, 1)))
        return lengths

    @property
    def num_offsets(self) -> list[int]:
        """How many offsets each layer has, from 0 on."""
        steps = zip(self.rates, self.lengths[:-1], strict=True)
        return [1 if self.average else min(step) for step in steps]

    def layers(self, offsets: Sequence[int]) -> list[SubsamplingLayer]:
        """The layers with these offsets, lowest first."""
        pairs = zip(self.rates, offsets, strict=True)
        return [SubsamplingLayer(rate, offset, self.average) for rate, offset in pairs]


def sparse_levels(
    clips: Float[Tensor, "batch channel time height width"],
    layers: Sequence[Sequence[SubsamplingLayer]],
) -> list[Float[Tensor, "batch channel _ _ _"]]:
    """Real clips at every level: each its own frames, averaged over squares of 8, 4, 2, 1 pixels.

    Args:
        clips: All frames at the highest resolution.
        layers: Of each clip, what thins it out from level to level.
    """
    frames, levels = list(clips), []  # each (C, T, H, W)
    num_layers = len(layers[0])
    for level in range(num_layers + 1):
        if level:
            frames = [own[level - 1](clip, 1) for own, clip in zip(layers, frames, strict=True)]
        square = 2 ** (num_layers - level)
        pooled = [functional.avg_pool3d(clip, (1, square, square)) for clip in frames]
        levels.append(torch.stack(pooled))
    return levels
