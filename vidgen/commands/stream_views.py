"""What a clip is made of, in one picture: streams (VGAN's Figure 3) or levels (TGANv2's 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from vidgen.adversarial.game import Game
from vidgen.writing import grid

# Left to right; a model of one stream has the last alone.
ORDER = ("foreground", "background", "mask", "video")


def side_by_side(
    game: Game, streams: Mapping[str, Float[Tensor, "batch _ time height width"]]
) -> UInt8[Tensor, "batch channel time view_height view_width"]:
    """Clips that show foreground, background, mask and result from left to right.

    Args:
        game: Turns its range into pixels.
        streams: By name; the mask has one channel in [0, 1], the others the game's range [-1, 1].
    """
    shown = []
    for name in (name for name in ORDER if name in streams):
        clips = streams[name]
        if name == "mask":
            clips = (2 * clips - 1).expand_as(streams["video"])
        shown.append(game.to_pixels(clips).cpu())
    return _joined(shown)


def levels_side_by_side(
    game: Game, levels: Sequence[Float[Tensor, "batch channel time _ _"]]
) -> UInt8[Tensor, "batch channel time height view_width"]:
    """Clips that show every level at the size of the last, their pixels as squares.

    Args:
        game: Turns its range into pixels.
        levels: The same clips at ever higher resolution.
    """
    size = tuple(levels[-1].shape[2:])
    return _joined([game.to_pixels(functional.interpolate(clips, size)).cpu() for clips in levels])


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """For each clip, its parts from left to right."""
    views = zip(*parts, strict=True)
    return torch.stack([grid(torch.stack(view), columns=len(parts)) for view in views])
