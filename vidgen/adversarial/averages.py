"""A running average of the generator's weights, nearly always better than the last ones.

Source: ProGAN (Karras et al., 2018), appendix A.1. Buffers such as BatchNorm's moments are copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from vidgen.adversarial.game import Game


class WeightAverage:
    """Average of the weights that `game.generating` names.

    Args:
        game: Whose generating weights are averaged.
        decay: Share of the old average in the new one; `None` keeps no average and all methods
            do nothing.
    """

    def __init__(self, game: Game, decay: float | None) -> None:
        if decay is not None and not 0 <= decay < 1:
            raise ValueError(f"average is {decay}; it must be from 0 up to, not including, 1")
        self._decay = decay
        self._generating = dict(_generating_weights(game))
        self._weights = self._generating if decay is not None else {}
        self._average = {name: weight.detach().clone() for name, weight in self._weights.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes the present weights in; early on the decay is smaller, step / (step + 10)."""
        if self._decay is None:
            return
        decay = min(self._decay, step / (step + 10))
        average, weights = list(self._average.values()), list(self._weights.values())
        torch._foreach_lerp_(average, weights, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """For a while, the game has the average for its weights."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def raw_weights(self) -> dict[str, Tensor]:
        """The weights that go on training; what a checkpoint of the average lacks."""
        # Cloned: on the CPU a mere reference would follow the swap of `in_place`.
        return {name: weight.detach().cpu().clone() for name, weight in self._weights.items()}

    @torch.no_grad()
    def restore(self, raw: dict[str, Tensor]) -> None:
        """After a checkpoint's weights, the average, were loaded: the training ones go back.

        The run may have begun, or left off, keeping an average since that checkpoint.
        """
        for name, weight in self._generating.items():
            if name in self._average:
                self._average[name].copy_(weight)
            if name in raw:
                weight.copy_(raw[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, weight in self._weights.items():
            held = weight.clone()
            weight.copy_(self._average[name])
            self._average[name].copy_(held)


def _generating_weights(game: Game) -> Iterator[tuple[str, Tensor]]:
    for module in game.generating:
        for name, weight in game.get_submodule(module).named_parameters():
            yield f"{module}.{name}", weight
