"""A game of two scalars whose every step has a closed form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from vidgen.adversarial.game import Batch, Game, Player
from vidgen.adversarial.optimizers import OptimizerSettings

DESCENT = OptimizerSettings(rule="sgd", learning_rate=0.25)
POISON = 255  # a real example of this value makes the follower's loss, and `met`, not finite


class Scalar(nn.Module):
    """One weight."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(value))

    def forward(self) -> Tensor:
        return self.weight


class TugOfWar(Game):
    """A follower goes towards the mean of the real examples, a leader away from the follower.

    follower: distance = mean (follower − real)² / 2, size = pull · follower² / 2
    leader:   product = leader · follower

    Args:
        pull: Of the follower towards 0.
        optimizer: Of both.
        moves: Of the follower in a step.
    """

    generating = ("leader",)
    example_shape = (1,)

    def __init__(
        self, pull: float = 0.0, optimizer: OptimizerSettings = DESCENT, moves: int = 1
    ) -> None:
        super().__init__()
        self.follower, self.leader = Scalar(1.0), Scalar(-2.0)
        self.pull, self.optimizer, self.moves = pull, optimizer, moves
        self.register_buffer("met", torch.zeros(()))
        self.met: Tensor
        self.leader_may_move: Callable[[], bool] = lambda: True
        self.after_follower: Callable[[int], None] = lambda step: None

    def players(self) -> list[Player]:
        return [
            Player(
                "follower",
                [self.follower],
                self.optimizer,
                self.follower_loss,
                moves=self.moves,
                after_move=self.after_follower,
            ),
            Player(
                "leader",
                [self.leader],
                self.optimizer,
                self.leader_loss,
                may_move=self.leader_may_move,
            ),
        ]

    def follower_loss(self, batch: Batch) -> dict[str, Tensor]:
        poison = torch.where(batch.real == POISON, math.inf, 0.0).sum()
        self.met += batch.real.mean() + poison
        weight = self.follower()
        return {
            "distance": (weight - batch.real).square().mean() / 2 + weight * poison,
            "size": self.pull * weight.square() / 2,
        }

    def leader_loss(self, batch: Batch) -> dict[str, Tensor]:
        return {"product": self.leader() * self.follower()}

    def from_pixels(self, pixels: Tensor) -> Tensor:
        return pixels.float()

    def sample(
        self,
        seeds: Sequence[int],
        labels: Sequence[int] | None = None,
        num_frames: int | None = None,
        truncation: float = 1.0,
    ) -> Tensor:
        return self.leader.weight.detach().expand(len(seeds), 1)

    def weights(self) -> tuple[float, float]:
        """Follower and leader."""
        return self.follower.weight.item(), self.leader.weight.item()


class Rows:
    """Real batches from a list of rows of numbers, over and over; remembers how many it gave."""

    def __init__(self, *rows: Sequence[int]) -> None:
        self._rows = rows
        self.given: list[int] = []

    def __call__(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        number = first
        while True:
            row = self._rows[number % len(self._rows)]
            self.given.append(number)
            yield (
                torch.tensor(row, dtype=torch.uint8).unsqueeze(1),
                torch.full((len(row),), -1, dtype=torch.long),
            )
            number += 1
