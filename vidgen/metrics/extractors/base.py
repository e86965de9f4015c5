"""The one interface of all extractors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidgen.errors import UserError


class Judgement(NamedTuple):
    """What a network says of clips, a row each."""

    logits: Float[Tensor, "batch classes"]
    features: Float[Tensor, "batch feature"]


class Extractor(nn.Module, ABC):
    """A fixed network with its preprocessing.

    Attributes:
        name: What its scores carry.
        literature: Whether scores of the literature are made with it; other scores have its name in
            brackets.
        protocol: Its preprocessing in words; two scores are compared only where it is equal.
        sha256: Of its weights.
        sample_covariance: Whether its Fréchet distance divides by n - 1; else by n.
    """

    name: str
    literature: bool = False
    protocol: str
    sha256: str = ""
    sample_covariance: bool = True

    @abstractmethod
    def preprocessed(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch ..."]:
        """What the network sees of clips in [-1, 1]."""

    @abstractmethod
    def judged(self, seen: Float[Tensor, "batch ..."]) -> Judgement:
        """Logits and features of preprocessed clips."""

    def forward(self, clips: Float[Tensor, "batch channel time height width"]) -> Judgement:
        """Logits and features of clips in [-1, 1]."""
        return self.judged(self.preprocessed(clips))

    def frozen(self) -> Extractor:
        """Itself, in evaluation mode and without gradients."""
        self.eval()
        return self.requires_grad_(False)


def in_color(
    clips: Float[Tensor, "batch channel time height width"],
) -> Float[Tensor, "batch 3 time height width"]:
    """Grey clips with their channel repeated."""
    return clips.expand(-1, 3, -1, -1, -1) if clips.shape[1] == 1 else clips


def first_frames(
    clips: Float[Tensor, "batch channel time height width"], count: int, every: int = 1
) -> Float[Tensor, "batch channel count height width"]:
    """As many frames from the first one on.

    Args:
        clips: Long enough.
        count: How many.
        every: Step from one to the next; 2 for VGAN's clips of 32 frames.

    Raises:
        UserError: The clips are shorter.
    """
    chosen = clips[:, :, ::every][:, :, :count]
    if chosen.shape[2] < count:
        raise UserError(
            f"the network looks at {count} frames, every {every}., but the clips have "
            f"{clips.shape[2]}; give --frames {(count - 1) * every + 1}, or another --extractor"
        )
    return chosen


def resized(
    clips: Float[Tensor, "batch channel time height width"],
    size: tuple[int, int],
    mode: str,
    corners: bool,
) -> Float[Tensor, "batch channel time tall wide"]:
    """Each frame in another size, without antialiasing.

    Args:
        clips: Any range.
        size: Height and width.
        mode: bilinear, or bicubic with a = -0.75 as OpenCV has it.
        corners: Whether the centres of the corner pixels stay in the corners.
    """
    frames = clips.transpose(1, 2).flatten(0, 1)
    frames = torch.nn.functional.interpolate(frames, size, mode=mode, align_corners=corners)
    return frames.unflatten(0, (len(clips), -1)).transpose(1, 2)
