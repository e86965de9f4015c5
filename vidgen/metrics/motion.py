"""Statistics of motion that need no network: how much changes, whether it freezes or flickers.

Each is a number a clip. They have no target of their own: compare them with those of real clips.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64
from torch import Tensor

# Mean change below which two frames are the same to the eye, in levels of 255.
FROZEN_BELOW = 0.5


def frame_differences(
    clips: Float[Tensor, "batch channel time height width"],
) -> Float64[Tensor, "batch change"]:
    """Mean absolute change from each frame to the next, in levels of 255.

    Raises:
        ValueError: The clips have one frame.
    """
    if clips.shape[2] < 2:
        raise ValueError("a clip of one frame has no motion")
    return clips.double().diff(dim=2).abs().mean(dim=(1, 3, 4)) * 127.5


def freeze_rate(
    clips: Float[Tensor, "batch channel time height width"], below: float = FROZEN_BELOW
) -> Float64[Tensor, " batch"]:
    """Share of the changes from frame to frame that cannot be seen."""
    return (frame_differences(clips) < below).double().mean(dim=1)


def flicker_rate(
    clips: Float[Tensor, "batch channel time height width"],
) -> Float64[Tensor, " batch"]:
    """How far changes are taken back at once: mean |second difference| / (2 mean |change|).

    0 where every pixel changes evenly and where nothing moves, 1 where two frames alternate, √3 / 2
    for independent noise.

    Raises:
        ValueError: The clips have fewer than three frames.
    """
    if clips.shape[2] < 3:
        raise ValueError("a clip of fewer than three frames cannot flicker")
    changes = clips.double().diff(dim=2)
    turns = changes.diff(dim=2).abs().mean(dim=(1, 2, 3, 4))
    # A change takes part in two turns, but the first and the last in one.
    sizes = (changes[:, :, 1:].abs() + changes[:, :, :-1].abs()).mean(dim=(1, 2, 3, 4))
    return torch.where(sizes > 0, turns / sizes.clamp(min=1e-300), 0.0)
