"""Adversarial losses as functions of raw logits, for images, clips and volumes alike.

With l(x) the discriminator's raw output, sp(t) = ln(1 + exp(t)), E a mean over all logits:

    minimax          D  E sp(-l(real)) + E sp(l(fake))             G  -E sp(l(fake))
    non_saturating   D  as minimax                                 G   E sp(-l(fake))
    wasserstein      D  E l(fake) - E l(real)                      G  -E l(fake)
    least_squares    D  (E (l(real) - 1)^2 + E l(fake)^2) / 2      G   E (l(fake) - 1)^2 / 2
    hinge            D  E max(0, 1 - l(real)) + E max(0, 1 + l(fake))   G  -E l(fake)

Sources: Goodfellow et al. 2014, equation 1 and section 3; Arjovsky et al. 2017 (WGAN), Algorithm 1;
Mao et al. 2017 (LSGAN), equation 9; Lim & Ye 2017 (geometric GAN), section 4.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

LossName = Literal["minimax", "non_saturating", "wasserstein", "least_squares", "hinge"]


class Loss(ABC):
    """What a discriminator and a generator minimise, both in float32 at least.

    Attributes:
        neutral: The logit that says neither real nor generated; `None` where only differences of
            logits have a meaning.
    """

    neutral: float | None = 0.0

    def discriminator(
        self, real_logits: Float[Tensor, "real ..."], fake_logits: Float[Tensor, "fake ..."]
    ) -> Float[Tensor, ""]:
        """Small where real logits are high and generated ones low."""
        return self._discriminator(_exact(real_logits), _exact(fake_logits))

    def generator(self, fake_logits: Float[Tensor, "fake ..."]) -> Float[Tensor, ""]:
        """Small where the discriminator takes generated samples for real."""
        return self._generator(_exact(fake_logits))

    @abstractmethod
    def _discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor: ...

    @abstractmethod
    def _generator(self, fake_logits: Tensor) -> Tensor: ...


class Minimax(Loss):
    """The game as first written: its generator's gradient vanishes while the discriminator wins."""

    def _discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def _generator(self, fake_logits: Tensor) -> Tensor:
        return -softplus(fake_logits).mean()


class NonSaturating(Minimax):
    """Minimax, but the generator maximises the log-probability of being taken for real."""

    def _generator(self, fake_logits: Tensor) -> Tensor:
        return softplus(-fake_logits).mean()


class Wasserstein(Loss):
    """Earth mover's distance, up to the critic's Lipschitz constant, which must be bounded."""

    neutral = None

    def _discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return fake_logits.mean() - real_logits.mean()

    def _generator(self, fake_logits: Tensor) -> Tensor:
        return -fake_logits.mean()


@dataclass(frozen=True)
class LeastSquares(Loss):
    """Squared distances of logits from targets.

    Args:
        fake_target: What the discriminator should say of generated samples (LSGAN's a).
        real_target: What it should say of real ones (b).
        generator_target: What the generator wants it to say of generated ones (c).
        scale: Factor of every square; 1 gives the form without the half.
    """

    fake_target: float = 0.0
    real_target: float = 1.0
    generator_target: float = 1.0
    scale: float = 0.5

    @property
    def neutral(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Halfway between both targets."""
        return (self.fake_target + self.real_target) / 2

    def _discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        real = (real_logits - self.real_target).square().mean()
        fake = (fake_logits - self.fake_target).square().mean()
        return self.scale * (real + fake)

    def _generator(self, fake_logits: Tensor) -> Tensor:
        return self.scale * (fake_logits - self.generator_target).square().mean()


@dataclass(frozen=True)
class Hinge(Loss):
    """Leaves alone what the discriminator already puts beyond the margin.

    Args:
        margin: From where on a logit is left alone; 1 to 3 work alike, 0.5 is worse (BigGAN).
    """

    margin: float = 1.0

    def _discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        return (self.margin - real_logits).relu().mean() + (self.margin + fake_logits).relu().mean()

    def _generator(self, fake_logits: Tensor) -> Tensor:
        return -fake_logits.mean()


LOSSES: dict[LossName, Loss] = {
    "minimax": Minimax(),
    "non_saturating": NonSaturating(),
    "wasserstein": Wasserstein(),
    "least_squares": LeastSquares(),
    "hinge": Hinge(),
}
"""Each loss with its usual constants, by the name that a recipe gives."""


def _exact(logits: Tensor) -> Tensor:
    """Logits in float32 at least: in half precision a mean loses small differences."""
    half = logits.dtype in (torch.float16, torch.bfloat16)
    return logits.float() if half else logits
