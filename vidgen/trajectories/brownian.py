"""Brownian paths as a function of seeds: the same at any rate, in any batch, of any length."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vidgen.adversarial.latents import Randomness, SeedRandomness

_BLOCK = 16  # steps whose increments are drawn at once; fewer draws, but more of them unused
_DEPTH = 16  # bisections of a step; what lies between has 1/256 of a step's deviation
_SPACING = 0x9E3779B97F4A7C15  # odd, so that no two places of a seed meet


def path_seeds(randomness: Randomness, count: int) -> Int[Tensor, " count"]:
    """One seed a path, 48 bits from the game's own random numbers."""
    halves = (randomness.uniform(count, 2).double() + 1) / 2 * 2**24  # torch draws 24 bits
    return (halves[:, 0].long() << 24) + halves[:, 1].long()


class BrownianPath:
    """Brownian motion W over times from 0 on, with variance 1 a unit of time.

    Nothing depends on what was asked before: increments of whole steps are drawn block by block
    and so go on for ever, and inside a step the path is found by Lévy's bisection, each midpoint
    with a random number of its own. So a longer path extends a shorter one, and a finer grid
    refines a coarser one, bit for bit.

    Args:
        seeds: One a path.
        size: Independent motions of a path.
        like: A tensor of the device and the type that increments shall have.
    """

    def __init__(self, seeds: Sequence[int], size: int, like: Tensor) -> None:
        self._seeds, self._size, self._like = list(seeds), size, like
        self._blocks: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return len(self._seeds)

    def increment(self, begin: int | float, end: int | float) -> Float[Tensor, "batch size"]:
        """W(end) − W(begin).

        Args:
            begin: Not below 0.
            end: Not below `begin`.
        """
        if not 0 <= begin <= end:
            raise ValueError(f"no increment from {begin} to {end}: a path goes on from 0 only")
        first, last = math.floor(begin), math.floor(end)
        steps = [self._step(number) for number in range(first, last)]
        ends = [self._within(last, end - last), -self._within(first, begin - first)]
        return torch.stack([*steps, *ends]).sum(dim=0)

    def _step(self, number: int) -> Tensor:
        """W(number + 1) − W(number)."""
        block, row = divmod(number, _BLOCK)
        if block not in self._blocks:
            self._blocks[block] = self._normal(block * _BLOCK, 0, _BLOCK)
        return self._blocks[block][:, row]

    def _within(self, number: int, part: int | float) -> Tensor:
        """W(number + part) − W(number) for a part of a step in [0, 1)."""
        low, high = 0.0, 1.0
        before = self._like.new_zeros(len(self), self._size)
        if part == low:
            return before
        after, node = self._step(number), 1
        for _ in range(_DEPTH):
            middle = (low + high) / 2
            deviation = math.sqrt(high - low) / 2  # of a bridge at its middle
            between = (before + after) / 2 + deviation * self._normal(number, node, 1)[:, 0]
            if part == middle:
                return between
            if part < middle:
                high, after, node = middle, between, 2 * node
            else:
                low, before, node = middle, between, 2 * node + 1
        return torch.lerp(before, after, (part - low) / (high - low))

    def _normal(self, number: int, node: int, rows: int) -> Tensor:
        """Normal numbers (batch, rows, size) that belong to one place of every path."""
        place = (number << (_DEPTH + 1)) + node
        seeds = [(seed + place * _SPACING) % 2**63 for seed in self._seeds]
        return SeedRandomness(seeds).normal(len(self), rows, self._size).to(self._like)
