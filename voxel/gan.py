"""3D-GAN: Learning a Probabilistic Latent Space of Object Shapes.

Jiajun Wu, Chengkai Zhang, Tianfan Xue, William T. Freeman, Joshua B. Tenenbaum, NIPS 2016. A volume
is made from a latent by 3-D convolutions alone; a slow and sometimes halted discriminator keeps the
game even.

Figure 1, left to right, at the published size:

    latent z (200) → 512×4×4×4 → 256×8×8×8 → 128×16×16×16 → 64×32×32×32
               → volume 1×64×64×64 (sigmoid)
    volume → 64×32×32×32 → 128×16×16×16 → 256×8×8×8 → 512×4×4×4 → real or generated

Each step of training (§3.1):

    judge reals and fresh fakes → learn from it if the last batch's accuracy was at most 80 %
    judge fresh fakes again     → the generator learns from every batch

Where this differs from the paper
    - The generator's loss is non-saturating; `loss="minimax"` is the article's equation 1.
    - First and last strides are 1 (supplement); with the article's 2 the function is the same.
    - No convolution has a bias: the released weights have none. `bias=True` puts them in.
    - BatchNorm follows every layer but the last of both networks; DCGAN leaves out the
      discriminator's first (`normalize_first=False`).
    - β2 of Adam and the initialization are not given: 0.999, and DCGAN's N(0, 0.02²).
    - The generator's moments of BatchNorm come from its own turn, the discriminator's from its own.
    - With classes, which the paper does not have, a one-hot label joins the latent, and the
      discriminator's input as constant planes.
    - Below and above 64³ a layer is dropped or added, so that the narrowest map stays 4³.
Written from the paper; no code was taken from the authors' repository.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from vidgen.adversarial.game import Batch, Player, fixed_statistics
from vidgen.adversarial.gradient_penalty import between, gradient_penalty
from vidgen.adversarial.latents import Randomness
from vidgen.adversarial.losses import LOSSES, LossName
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.adversarial.penalties import r1_penalty
from voxel.accuracy_rule import AccuracyRule
from voxel.networks import Normalization, VolumeEncoder, VoxelDiscriminator, VoxelGenerator
from voxel.shape_game import Prior, ShapeGame, draw_prior

GENERATOR_ADAM = OptimizerSettings(learning_rate=2.5e-3)  # §3.1
DISCRIMINATOR_ADAM = OptimizerSettings(learning_rate=1e-5)
Penalty = Literal["none", "wgan_gp", "r1"]


class VoxelGAN(ShapeGame):
    """3D-GAN: a generator of volumes against a discriminator that must not get too good.

    The other profiles that train well: spectral normalization with the hinge loss, WGAN-GP, R1;
    see the recipes 3dgan_furniture_hinge, _wgan_gp and _r1.

    Args:
        resolution: Voxels a side, a power of two from 8 on.
        latent_dim: Size of the latent.
        prior: Of the latent: "uniform" over [0, 1], "normal", or "narrow_normal", N(0, 0.33²).
        width: Channels before the generator's last layer; doubled by each towards the latent.
        discriminator_width: Channels of the discriminator's first layer; doubled by each.
        num_classes: Classes it is conditioned on; 0 is unconditional.
        bias: The convolutions have biases. With the normalization "spectral" or "none" set it:
            without biases every empty volume gets the score 0, and generated ones become empty.
        normalization: Of the discriminator; "layer", "spectral" and "none" suit penalties.
        normalize_first: Normalize after the discriminator's first layer too.
        loss: The adversarial loss.
        accuracy_limit: The discriminator learns only if its accuracy in the last batch was at most
            this; `None` lets it learn always.
        penalty: On the discriminator's gradient: "wgan_gp" at points between reals and fakes,
            "r1" at reals.
        penalty_weight: Weight λ of "wgan_gp", or γ of "r1", which counts half.
        penalty_every: Moves of the discriminator between penalties, which then weigh as much more.
        discriminator_moves: Moves of the discriminator in a step.
        optimizer: Of the generator.
        discriminator_optimizer: Of the discriminator.
    """

    def __init__(
        self,
        *,
        resolution: int = 64,
        latent_dim: int = 200,
        prior: Prior = "uniform",
        width: int = 64,
        discriminator_width: int = 64,
        num_classes: int = 0,
        bias: bool = False,
        normalization: Normalization = "batch",
        normalize_first: bool = True,
        loss: LossName = "non_saturating",
        accuracy_limit: float | None = 0.8,
        penalty: Penalty = "none",
        penalty_weight: float = 10.0,
        penalty_every: int = 1,
        discriminator_moves: int = 1,
        optimizer: OptimizerSettings = GENERATOR_ADAM,
        discriminator_optimizer: OptimizerSettings = DISCRIMINATOR_ADAM,
    ) -> None:
        super().__init__(resolution, latent_dim, num_classes)
        if penalty != "none" and normalization == "batch":
            raise ValueError(
                f"penalty {penalty} needs a discriminator that judges each volume by itself: set "
                "normalization to layer, spectral or none"
            )
        if min(penalty_every, discriminator_moves) < 1:
            raise ValueError("penalty_every and discriminator_moves must be 1 or more")
        self.generator = VoxelGenerator(latent_dim, resolution, width, num_classes, bias)
        self.discriminator = VoxelDiscriminator(
            resolution, discriminator_width, num_classes, normalization, normalize_first, bias
        )
        self.accuracy_rule = AccuracyRule(accuracy_limit)
        self.prior: Prior = prior
        self.loss = LOSSES[loss]
        self.penalty, self.penalty_weight = penalty, penalty_weight
        self.penalty_every, self.discriminator_moves = penalty_every, discriminator_moves
        self.optimizer, self.discriminator_optimizer = optimizer, discriminator_optimizer
        self.register_buffer("moves_made", torch.zeros((), dtype=torch.long))
        self.moves_made: Tensor
        self._seen: dict[str, Tensor] = {}

    # Equation 1.

    def players(self) -> list[Player]:
        """The discriminator, if it may, then the generator."""
        return [
            Player(
                name="discriminator",
                modules=[self.discriminator, self.accuracy_rule],
                optimizer=self.discriminator_optimizer,
                loss=self.discriminator_loss,
                moves=self.discriminator_moves,
                may_move=self.accuracy_rule.may_move,
                after_move=self._count_move,
            ),
            Player(
                name="generator",
                modules=[self.generator],
                optimizer=self.optimizer,
                loss=self.generator_loss,
            ),
        ]

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Reals and fakes in two forward passes, so that BatchNorm sees them apart."""
        condition = self._condition(batch)
        with torch.no_grad(), fixed_statistics(self.generator):
            fake, *further = self._judged_fakes(batch, condition)
        real_logits = self.discriminator(batch.real, condition)
        fake_logits = self.discriminator(fake, condition)
        self.accuracy_rule.watch(real_logits, fake_logits)
        self._seen = {"occupancy_real": batch.real, "occupancy_fake": fake}
        further_logits = [self.discriminator(each, condition) for each in further]
        all_fake_logits = torch.cat([fake_logits, *further_logits])
        terms = {"adversarial": self.loss.discriminator(real_logits, all_fake_logits)}
        due = self.penalty != "none" and int(self.moves_made) % self.penalty_every == 0
        if due and torch.is_grad_enabled():
            terms["penalty"] = self.penalty_every * self._penalty(batch.real, fake, condition)
        return terms

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The discriminator's opinion of fresh fakes; its running moments stay as they are."""
        condition = self._condition(batch)
        fake = self.generator(self._latents_for(batch), condition)
        with fixed_statistics(self.discriminator):
            logits = self.discriminator(fake, condition)
        return {"adversarial": self.loss.generator(logits)}

    def _judged_fakes(
        self, batch: Batch, condition: Float[Tensor, "batch kinds"] | None
    ) -> list[Tensor]:
        """The volumes that the discriminator tells from the real ones, kind by kind."""
        return [self.generator(self._latents_for(batch), condition)]

    def _latents_for(self, batch: Batch) -> Float[Tensor, "batch latent"]:
        """Fresh ones each time."""
        return self.draw_latents(self.randomness, len(batch)).to(batch.real.device)

    def _condition(self, batch: Batch) -> Float[Tensor, "batch kinds"] | None:
        if not self.num_classes:
            return None
        if "labels" not in batch.made:
            self.check_labels(batch.labels)
            self.label_counts += torch.bincount(batch.labels, minlength=self.num_classes)
            batch.made["labels"] = self.one_hot(batch.labels)
        return batch.made["labels"]

    def _penalty(
        self,
        real: Float[Tensor, "batch 1 x y z"],
        fake: Float[Tensor, "batch 1 x y z"],
        condition: Float[Tensor, "batch kinds"] | None,
    ) -> Float[Tensor, ""]:
        with torch.autocast(real.device.type, enabled=False):
            if self.penalty == "r1":
                points = real.detach().clone().requires_grad_()
                scores = self.discriminator(points, condition)
                return 0.5 * self.penalty_weight * r1_penalty(scores, points)
            share = (self.randomness.uniform(len(real)) + 1) / 2
            points = between(real, fake.float(), share)
            scores = self.discriminator(points, condition)
            return self.penalty_weight * gradient_penalty(scores, points)

    def _count_move(self, step: int) -> None:
        self.accuracy_rule.turn()
        self.moves_made += 1

    def figures(self) -> dict[str, float]:
        """Accuracies and the share of skipped moves; mean occupancy of reals and fakes."""
        means = {name: volumes.float().mean().item() for name, volumes in self._seen.items()}
        return {**self.accuracy_rule.figures(), **means}

    def fakes(self, count: int) -> Float[Tensor, "count 1 x y z"]:
        """Fresh volumes as training makes them, for the moments of averaged weights."""
        latents = self.draw_latents(self.randomness, count).to(self.device)
        condition = None
        if self.num_classes:
            labels = self.randomness.choice(count, self.label_counts + 1e-6)
            condition = self.one_hot(labels)
        return self.generator(latents, condition)

    # What the trained game is for.

    def draw_latents(
        self, randomness: Randomness, count: int, truncation: float = 1.0
    ) -> Float[Tensor, "count latent"]:
        """Latents from `prior`; truncation below 1 pulls them towards its mean."""
        return draw_prior(self.prior, randomness, count, self.latent_dim, truncation)

    @property
    def feature_network(self) -> VolumeEncoder:
        """The discriminator (§4.2)."""
        return self.discriminator
