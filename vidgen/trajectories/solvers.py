"""The one place that knows torchdiffeq and torchsde; time-first on their side, batch-first on ours.

All steps have length 1 here: who calls scales the right-hand sides. So the solvers' clocks count
in whole numbers and never round.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torchdiffeq import odeint
from torchsde import BaseBrownian, sdeint

Field = Callable[[Tensor], Tensor]


def ordinary_states(
    velocity: Field, start: Float[Tensor, "batch ..."], num_steps: int
) -> Float[Tensor, "batch nodes ..."]:
    """States after 0, 1, …, num_steps steps of the classical order 4 (the 3/8 rule).

    Args:
        velocity: Change of the state in a step of length 1.
        start: State at time 0.
        num_steps: How many.
    """
    if not num_steps:
        return start.unsqueeze(1)
    moments = torch.arange(num_steps + 1, dtype=start.dtype, device=start.device)
    states = odeint(lambda _, state: velocity(state), start, moments, method="rk4")
    return states.transpose(0, 1)  # pyright: ignore[reportAttributeAccessIssue]


def stochastic_states(
    drift: Field,
    diffusion: Field,
    start: Float[Tensor, "batch ..."],
    num_steps: int,
    increment: Callable[[float, float], Tensor],
) -> Float[Tensor, "batch nodes ..."]:
    """States after 0, 1, …, num_steps steps of Euler-Maruyama, Itô's sense, diagonal noise.

    Args:
        drift: Mean change of the state in a step of length 1.
        diffusion: Its deviation.
        start: State at time 0.
        num_steps: How many.
        increment: W(end) − W(begin) of the driving path, (batch, all features of a state).
    """
    if not num_steps:
        return start.unsqueeze(1)
    shape = start.shape[1:]
    equation = _Equation(
        lambda flat: drift(flat.unflatten(1, shape)).flatten(1),
        lambda flat: diffusion(flat.unflatten(1, shape)).flatten(1),
    )
    flat = start.flatten(1)
    moments = torch.arange(num_steps + 1, dtype=torch.float32)  # read by torchsde on the CPU
    path = _Path(increment, flat)
    states = sdeint(equation, flat, moments, bm=path, method="euler", dt=1.0)
    return states.transpose(0, 1).unflatten(2, shape)  # pyright: ignore[reportAttributeAccessIssue]


class _Equation:
    """What torchsde wants to be told."""

    noise_type = "diagonal"
    sde_type = "ito"

    def __init__(self, drift: Field, diffusion: Field) -> None:
        self._drift, self._diffusion = drift, diffusion

    def f(self, time: Tensor, state: Tensor) -> Tensor:
        """Drift."""
        return self._drift(state)

    def g(self, time: Tensor, state: Tensor) -> Tensor:
        """Diffusion."""
        return self._diffusion(state)


class _Path(BaseBrownian):
    """A path of ours, as torchsde reads one."""

    def __init__(self, increment: Callable[[float, float], Tensor], like: Tensor) -> None:
        self._increment, self._like = increment, like

    def __call__(
        self, ta: Tensor, tb: Tensor, return_U: bool = False, return_A: bool = False
    ) -> Tensor:
        return self._increment(float(ta), float(tb))

    def __repr__(self) -> str:
        return f"path of shape {self.shape}"

    @property
    def dtype(self) -> torch.dtype:
        return self._like.dtype

    @property
    def device(self) -> torch.device:
        return self._like.device

    @property
    def shape(self) -> torch.Size:
        return self._like.shape

    @property
    def levy_area_approximation(self) -> str:
        return "none"
