"""Shapes of a folder as a model sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data.progress import shown_progress
from data.shapes import Shapes
from vidgen.adversarial.checkpoints import LoadedGame

Describe = Callable[[Float[Tensor, "batch 1 depth height width"], list[int]], Tensor]


def open_shapes(loaded: LoadedGame, data: dict[str, Any], split: str | None = None) -> Shapes:
    """The shapes of a folder, at the model's size.

    Args:
        loaded: The model.
        data: Options of `data.Shapes`, without those that the model decides.
        split: Part of the folder; `None` takes what `data` says.

    Raises:
        DataError: The folder cannot be used so.
    """
    part = {} if split is None else {"split": split}
    return Shapes(**{**data, **part, "size": loaded.game.example_shape[-1]})


def volume(shapes: Shapes, item: int) -> Float[np.ndarray, "1 depth height width"]:
    """One shape as occupancy in [0, 1]; always the same."""
    return shapes.draw(item, np.random.default_rng(item)).clip.astype(np.float32) / 255


def shape_name(shapes: Shapes, item: int) -> str:
    """The file that a shape comes from."""
    file = shapes.records[item].file
    return f"{file.path}[{file.item}]" if file.item else file.path


def described(
    shapes: Shapes, describe: Describe, batch_size: int, title: str
) -> Float[np.ndarray, "shapes features"]:
    """What a function makes of all shapes, a batch at a time.

    Args:
        shapes: The shapes.
        describe: From volumes and their classes to a row of numbers each.
        batch_size: Volumes at once.
        title: What is happening, for the line that shows how far it is.
    """
    rows = []
    with shown_progress(title) as progress:
        for numbers in _batches(len(shapes), batch_size):
            volumes = torch.from_numpy(np.stack([volume(shapes, number) for number in numbers]))
            labels = [shapes.labels[number] for number in numbers]
            with torch.no_grad():
                rows.append(describe(volumes, labels).float().numpy(force=True))
            progress(numbers[-1] + 1, len(shapes))
    return np.concatenate(rows)


def _batches(count: int, size: int) -> Iterator[list[int]]:
    for start in range(0, count, size):
        yield list(range(start, min(start + size, count)))
