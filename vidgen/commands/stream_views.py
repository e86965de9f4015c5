"""What a clip of several streams is made of, in one picture: Figure 3 of VGAN's article."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

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
    views = zip(*shown, strict=True)
    return torch.stack([grid(torch.stack(view), columns=len(shown)) for view in views])
