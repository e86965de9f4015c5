"""Numbered volumes to be judged: recorded shapes, and reconstructions beside their truths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data.sources import Sample, Source
from vidgen.commands.clip_sets import ClipSet, NumberedClips, RecordedClips
from vidgen.commands.outputs import enough_memory
from voxel.shape_game import ShapeGame


class RecordedShapes(RecordedClips):
    """Volumes in [0, 1] of a source, each once in each pass; numbered as recorded clips are."""

    def _in_range(self, levels: Tensor) -> Tensor:
        return levels / 255


class Reconstructions(ClipSet):
    """Two channels: what a model makes of a shape or of its view, and the shape itself.

    Args:
        game: Has `reconstruct`, of views where it has a `view_shape`, else of volumes.
        origin: Tells its weights from any other's.
        source: The shapes, with views where the game needs them; each once in each pass.
        seed: Draws the order, and which view is shown.
    """

    def __init__(self, game: ShapeGame, origin: str, source: Source, seed: int = 0) -> None:
        self._game: Any = game
        self._recorded = RecordedShapes(source, seed)
        self.key = {"reconstructed_by": origin, **self._recorded.key}

    def __len__(self) -> int:
        """Number of shapes."""
        return len(self._recorded)

    def clips(self, numbers: Sequence[int]) -> NumberedClips:
        """See `ClipSet`."""
        game, samples = self._game, self._recorded.samples(numbers)
        truths = torch.from_numpy(np.stack([sample.clip for sample in samples])).float() / 255
        labels = [sample.label for sample in samples]
        with enough_memory(len(samples)), torch.inference_mode():
            if game.view_shape is None:
                made = game.reconstruct(truths.to(game.device))
            else:
                known = labels if game.num_classes else None
                made = game.reconstruct(_views(samples).to(game.device), known)
        pairs = torch.cat([made.float().cpu(), truths], dim=1)
        return NumberedClips(pairs, torch.tensor(labels))


def _views(samples: Sequence[Sample]) -> Tensor:
    """Views (batch, 3, height, width) in [-1, 1]."""
    views = [sample.view for sample in samples]
    if any(view is None for view in views):
        raise ValueError("the source gives no views")
    return torch.from_numpy(np.stack(views)).float() / 127.5 - 1  # pyright: ignore
