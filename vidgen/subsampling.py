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
class FrameSubsampling:
    """Between each level and the next, keeps frames b, b + s, b + 2s, … of those that are left.

    The offset b is drawn below min(s, frames): whatever it is, equally many frames are kept, at
    least one, and every frame is kept by some offset. (The authors' code draws below s, which can
    keep no frame.)

    Args:
        num_frames: Frames at the lowest level.
        rates: Step s of each layer, lowest first; 1 keeps every frame.
    """

    num_frames: int
    rates: tuple[int, ...]

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
        return [
            min(rate, before) for rate, before in zip(self.rates, self.lengths[:-1], strict=True)
        ]

    def slices(self, offsets: Sequence[int]) -> list[slice]:
        """What each layer keeps of the frames that reach it."""
        return [slice(offset, None, rate) for rate, offset in zip(self.rates, offsets, strict=True)]

    def kept_frames(self, offsets: Sequence[int]) -> list[range]:
        """The numbers of the frames that are left at each level, by each layer's offset."""
        kept = [range(self.num_frames)]
        for layer in self.slices(offsets):
            kept.append(kept[-1][layer])
        return kept


def sparse_levels(
    clips: Float[Tensor, "batch channel time height width"],
    kept: Sequence[Sequence[range]],
) -> list[Float[Tensor, "batch channel _ _ _"]]:
    """Real clips at every level: each its own frames, averaged over squares of 8, 4, 2, 1 pixels.

    Args:
        clips: All frames at the highest resolution.
        kept: Of each clip, the frames at each level.
    """
    levels = []
    for level, ranges in enumerate(zip(*kept, strict=True)):
        square = 2 ** (len(kept[0]) - 1 - level)
        pooled = [
            functional.avg_pool3d(
                clip[:, frames.start : frames.stop : frames.step], (1, square, square)
            )
            for clip, frames in zip(clips, ranges, strict=True)
        ]
        levels.append(torch.stack(pooled))
    return levels
