"""An optimiser as settings: what a recipe writes and a player builds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class OptimizerSettings:
    """Which rule moves the weights, and how fast.

    Args:
        rule: Adam, RMSProp or plain gradient descent.
        learning_rate: Size of a step at the beginning.
        betas: Adam's decay rates of the first and second moment.
        smoothing: RMSProp's decay rate of the squared gradient.
        epsilon: Added to the root of the second moment.
        weight_decay: Factor of the squared weights in the loss; 0 is off.
        schedule: "constant" keeps the learning rate; "linear" takes it to 0 at the last step.
    """

    rule: Literal["adam", "rmsprop", "sgd"] = "adam"
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    smoothing: float = 0.99
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    schedule: Literal["constant", "linear"] = "constant"

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))  # JSON gives lists
        if self.learning_rate < 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; it must not be negative")

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser of these parameters."""
        from torch import optim

        rate, decay = self.learning_rate, self.weight_decay
        if self.rule == "adam":
            return optim.Adam(parameters, rate, self.betas, self.epsilon, decay, fused=True)
        if self.rule == "rmsprop":
            return optim.RMSprop(
                parameters, rate, self.smoothing, self.epsilon, decay, foreach=True
            )
        return optim.SGD(parameters, rate, weight_decay=decay)

    def learning_rate_at(self, step: int, last_step: int) -> float:
        """Learning rate of a step counted from 1; a pure function, so nothing has to be stored."""
        if self.schedule == "linear":
            return self.learning_rate * max(0.0, 1 - (step - 1) / last_step)
        return self.learning_rate
