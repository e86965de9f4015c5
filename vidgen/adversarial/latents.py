"""Where a game's random numbers come from.

In training they are a pure function of (seed, step): every process draws the numbers of the whole
batch and keeps its own rows, so N processes together see what one would, and a resumed run needs
no generator state. At generation they are a function of each clip's own seed, so a seed gives the
same clip in any batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Randomness(Protocol):
    """Independent rows of random numbers, one row a sample, on the CPU."""

    def normal(self, count: int, *shape: int) -> Float[Tensor, "count ..."]:
        """Standard normal numbers."""
        ...

    def uniform(self, count: int, *shape: int) -> Float[Tensor, "count ..."]:
        """Numbers uniform over [-1, 1]."""
        ...

    def choice(self, count: int, weights: Float[Tensor, " kinds"]) -> Int[Tensor, " count"]:
        """Indices drawn with these weights, which need not sum to 1."""
        ...

    def shared_index(self, kinds: int) -> int:
        """One index below `kinds`, the same for all samples, in all processes."""
        ...


class StepRandomness:
    """The stream of one training step, shared by all processes; it begins with that of step 0.

    Torch's own generator is left alone until `turn_to`: a game makes such a stream before it draws
    its weights, and these are to follow the run's seed.

    Args:
        seed: The run's seed.
        rank: This process.
        world_size: Number of processes.
    """

    def __init__(self, seed: int = 0, rank: int = 0, world_size: int = 1) -> None:
        self.seed, self.rank, self.world_size = seed, rank, world_size
        self._generator = torch.Generator().manual_seed(_mix(seed, 0, 0))

    def turn_to(self, step: int) -> None:
        """Begins the stream of a step; also seeds torch, for noise layers and dropout."""
        self._generator.manual_seed(_mix(self.seed, step, 0))
        torch.manual_seed(_mix(self.seed, step, 1 + self.rank))

    def normal(self, count: int, *shape: int) -> Tensor:
        """See `Randomness`."""
        whole = torch.randn(count * self.world_size, *shape, generator=self._generator)
        return self._own(whole, count)

    def uniform(self, count: int, *shape: int) -> Tensor:
        """See `Randomness`."""
        whole = torch.rand(count * self.world_size, *shape, generator=self._generator)
        return self._own(whole, count) * 2 - 1

    def choice(self, count: int, weights: Tensor) -> Tensor:
        """See `Randomness`."""
        whole = torch.multinomial(
            weights.cpu().float(), count * self.world_size, True, generator=self._generator
        )
        return self._own(whole, count)

    def shared_index(self, kinds: int) -> int:
        """See `Randomness`."""
        return int(torch.randint(kinds, (), generator=self._generator))

    def _own(self, whole: Tensor, count: int) -> Tensor:
        return whole[self.rank * count : (self.rank + 1) * count]


class SeedRandomness:
    """One stream a sample, begun by the sample's own seed.

    Args:
        seeds: One seed a sample, each from 0 to 2**63 - 1.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self._generators = [torch.Generator().manual_seed(_mix(seed, 0, 0)) for seed in seeds]

    def normal(self, count: int, *shape: int) -> Tensor:
        """See `Randomness`; `count` must be the number of seeds."""
        return torch.stack([torch.randn(*shape, generator=g) for g in self._rows(count)])

    def uniform(self, count: int, *shape: int) -> Tensor:
        """See `Randomness`; `count` must be the number of seeds."""
        return torch.stack([torch.rand(*shape, generator=g) * 2 - 1 for g in self._rows(count)])

    def choice(self, count: int, weights: Tensor) -> Tensor:
        """See `Randomness`; `count` must be the number of seeds."""
        weights = weights.cpu().float()
        return torch.cat(
            [torch.multinomial(weights, 1, True, generator=g) for g in self._rows(count)]
        )

    def shared_index(self, kinds: int) -> int:
        """Refused: a seed's sample must not depend on the others of its batch."""
        raise ValueError("samples that have seeds of their own share no random numbers")

    def _rows(self, count: int) -> list[torch.Generator]:
        if count != len(self._generators):
            raise ValueError(f"{count} samples asked of {len(self._generators)} seeds")
        return self._generators


def _mix(seed: int, step: int, stream: int) -> int:
    """One 63-bit seed from three numbers; neighbours give unrelated streams (SplitMix64)."""
    mask = (1 << 64) - 1
    state = 0
    for number in (seed, step, stream):
        state = (state + number + 0x9E3779B97F4A7C15) & mask
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
        state ^= state >> 31
    return state >> 1
