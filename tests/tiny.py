"""A game and batches small enough for tests, importable by the processes that tests start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from vidgen import TGAN

TINY: dict[str, Any] = {
    "num_frames": 4,
    "frame_size": 16,
    "temporal_width": 16,
    "image_width": 16,
    "critic_width": 4,
}


def tiny_game(seed: int = 0, **options: Any) -> TGAN:
    """A TGAN for 3×4×16×16 clips; the seed fixes its initial weights."""
    torch.manual_seed(seed)
    return TGAN(**{**TINY, **options})


def tiny_batches(first: int, count: int = 4) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch number `first` and all that follow: clips of noise, labels 0 and 1."""
    number = first
    while True:
        generator = torch.Generator().manual_seed(number)
        clips = torch.randint(0, 256, (count, 3, 4, 16, 16), generator=generator)
        labels = torch.randint(0, 2, (count,), generator=generator)
        yield clips.to(torch.uint8), labels
        number += 1
