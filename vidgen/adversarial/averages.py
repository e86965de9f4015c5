"""A running average of the generator's weights, nearly always better than the last ones.

Source: ProGAN (Karras et al., 2018), appendix A.1. BatchNorm's running moments belong to the
weights that trained; those of the average are measured anew on fresh samples whenever it is used,
as BigGAN (Brock et al., 2019, appendix C.1) does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from vidgen.adversarial.game import Game
from vidgen.adversarial.latents import StepRandomness
from vidgen.errors import UserError

# Enough for moments within a few percent; the cost is a few steps of a generator.
_PASSES, _SAMPLES_A_PASS = 16, 16


class WeightAverage:
    """Average of the weights that `game.generating` names.

    Args:
        game: Whose generating weights are averaged.
        decay: Share of the old average in the new one; `None` keeps no average and all methods
            do nothing.

    Raises:
        UserError: The generating networks have BatchNorm, but the game makes no fakes.
    """

    def __init__(self, game: Game, decay: float | None) -> None:
        if decay is not None and not 0 <= decay < 1:
            raise ValueError(f"average is {decay}; it must be from 0 up to, not including, 1")
        self._game, self._decay = game, decay
        self._state = dict(_generating_state(game))
        trained = {name: value for name, value in self._state.items() if value.requires_grad}
        self._weights = trained if decay is not None else {}
        modules = [part for name in game.generating for part in game.get_submodule(name).modules()]
        self._norms = [part for part in modules if isinstance(part, _BatchNorm)]
        if decay is not None and self._norms and type(game).fakes is Game.fakes:
            raise UserError(
                f"{type(game).__name__} cannot keep an average of its weights, since it makes no "
                "fakes for BatchNorm's moments; set training.average to null"
            )
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
        """For a while, the game has the average for its weights, and moments that fit them."""
        if self._decay is None:
            yield
            return
        held = [(buffer, buffer.clone()) for norm in self._norms for buffer in norm.buffers()]
        self._swap()
        try:
            if self._norms:
                self._measure_moments()
            yield
        finally:
            self._swap()
            for buffer, before in held:
                buffer.copy_(before)

    def raw_weights(self) -> dict[str, Tensor]:
        """The weights and moments that go on training; what a checkpoint of the average lacks."""
        if self._decay is None:
            return {}
        # Cloned: on the CPU a mere reference would follow the swap of `in_place`.
        return {name: value.detach().cpu().clone() for name, value in self._state.items()}

    @torch.no_grad()
    def restore(self, raw: dict[str, Tensor]) -> None:
        """After a checkpoint's weights, the average, were loaded: the training ones go back.

        The run may have begun, or left off, keeping an average since that checkpoint.
        """
        for name, value in self._state.items():
            if name in self._average:
                self._average[name].copy_(value)
            if name in raw:
                value.copy_(raw[name])

    @torch.no_grad()
    def _swap(self) -> None:
        for name, weight in self._weights.items():
            held = weight.clone()
            weight.copy_(self._average[name])
            self._average[name].copy_(held)

    @torch.no_grad()
    def _measure_moments(self) -> None:
        """Running moments := plain means over fresh samples, drawn apart from the training's."""
        game, drawn_from, training = self._game, self._game.randomness, self._game.training
        momenta = [norm.momentum for norm in self._norms]
        apart = StepRandomness()
        apart.turn_to(0)
        game.randomness = apart
        game.train()
        for norm in self._norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's name for the plain mean
        for _ in range(_PASSES):
            game.fakes(_SAMPLES_A_PASS)
        for norm, momentum in zip(self._norms, momenta, strict=True):
            norm.momentum = momentum
        game.randomness = drawn_from
        game.train(training)


def _generating_state(game: Game) -> Iterator[tuple[str, Tensor]]:
    for module in game.generating:
        part = game.get_submodule(module)
        for name, value in (*part.named_parameters(), *part.named_buffers()):
            yield f"{module}.{name}", value
