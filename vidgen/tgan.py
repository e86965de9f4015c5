"""TGAN: Temporal Generative Adversarial Nets with Singular Value Clipping.

Masaki Saito, Eiichi Matsumoto, Shunta Saito, ICCV 2017. A video is a path: one slow latent is
unrolled into fast latents, one a frame, and an image generator draws each frame from both.

Figure 1, left to right, at the published size:

    slow latent z0 (100) → temporal generator → 16 fast latents z1 (100 each)
    (z0, z1 of a frame)  → image generator    → 16 frames, 3×64×64
    clip 3×16×64×64      → critic, 3-D convolutions → one score

The critic is kept near Lipschitz 1 by clipping the singular values of its weights every 5 steps.

Where this differs from the paper
    - The article's text gives the temporal generator padding 2, its table 1; 2 cannot double the
      length, so 1.
    - BatchNorm has no offset in the temporal generator and the critic, as in the authors' code
      (the article does not say); `shift` puts it back.
    - The scale of the critic's BatchNorms is clipped to [0.01 s, sqrt(variance + ε)]: the lower
      bound is the code's, the upper the article's.
    - Clipping runs after steps 5, 10, … (code); the article says 1, 6, ….
    - The order of moves is the article's Algorithm 1: critic first, fresh latents for each move.
      `order="generator_first"` is the code's, where the critic judges the generator's own fakes;
      it saves a pass through the generator.
    - In the conditional game the fakes' labels are the real batch's labels, which are draws from
      the training distribution.
    - For clips longer than 16 frames the critic averages the scores of the remaining moments; the
      code's reshape would mix time and channels there.
    - "Normal GAN" follows the article: noise 0.2 (the code has 0.3), BatchNorm without scale.
Written from the paper; no code was taken from the authors' repository (MIT).
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vidgen.adversarial.blocks import Initialization, initialize_, spectrally_normalized
from vidgen.adversarial.constraints import (
    clip_norm_scales_,
    clip_singular_values_,
    clip_weights_,
)
from vidgen.adversarial.game import Batch, Player, evaluation, fixed_statistics
from vidgen.adversarial.losses import LOSSES, LossName
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.discriminators import VideoDiscriminator
from vidgen.frames import BranchedImageGenerator
from vidgen.tgan_generator import EQUATION, ContinuousVideoGenerator, VideoGenerator
from vidgen.tgan_sampling import TrainedTGAN
from vidgen.trajectories.deconvolution import TemporalDeconvolution
from vidgen.trajectories.settings import (
    DifferentialSettings,
    EquationName,
    named_equation,
)

RMSPROP = OptimizerSettings(rule="rmsprop", learning_rate=5e-5)  # §6.2


class TGAN(TrainedTGAN):
    """Temporal GAN: a critic of clips against a temporal and an image generator.

    Args:
        num_frames: Frames of a clip, a power of two.
        frame_size: Height and width in pixels, a power of two from 8 on.
        channels: 3 for colour, 1 for grey.
        num_classes: Classes it is conditioned on; 0 is unconditional.
        slow_dim: Size of the slow latent z0, uniform over [-1, 1].
        fast_dim: Size of a frame's latent z1.
        trajectory: A differential equation in the temporal generator's place, by its short name
            or in full (a short name takes no further options); `None` is the article's temporal
            generator.
        temporal_width: Channels of the temporal generator's first layer.
        image_width: Channels of the image generator's bottom map.
        critic_width: Channels of the critic's first layer.
        slow_to_frames: Show z0 to the image generator; false is the article's G1(z1) only.
        loss: The adversarial loss.
        constraint: What keeps the critic near Lipschitz 1: clipping of singular values (SVC),
            clipping of weights, spectral normalization in place of BatchNorm, or nothing.
        clip_every: Steps between two clippings of singular values.
        weight_limit: Largest weight under constraint "weights".
        noise: Deviation of the critic's noise; 0.2 is the article's "normal GAN".
        batch_spread: Show the critic how much the clips of a batch differ; not the paper's, it
            keeps small models from making one clip again and again.
        order: Who moves first; "generator_first" shares the generator's fakes with the critic.
        critic_moves: Moves of the critic in a step.
        shift: Give the BatchNorms of temporal generator and critic an offset.
        initialization: Rule of the temporal generator's and the critic's weights; the image
            generator is always uniform over [-0.01, 0.01] unless this is dcgan_normal.
        optimizer: Of the generator, and of the critic unless that has its own.
        critic_optimizer: Of the critic; `None` is the generator's.
    """

    def __init__(
        self,
        *,
        num_frames: int = 16,
        frame_size: int = 64,
        channels: Literal[1, 3] = 3,
        num_classes: int = 0,
        slow_dim: int = 100,
        fast_dim: int = 100,
        trajectory: EquationName | DifferentialSettings | None = None,
        temporal_width: int = 512,
        image_width: int = 512,
        critic_width: int = 64,
        slow_to_frames: bool = True,
        loss: LossName = "wasserstein",
        constraint: Literal["singular_values", "weights", "spectral", "none"] = "singular_values",
        clip_every: int = 5,
        weight_limit: float = 0.01,
        noise: float = 0.0,
        batch_spread: bool = False,
        order: Literal["critic_first", "generator_first"] = "critic_first",
        critic_moves: int = 1,
        shift: bool = False,
        initialization: Initialization = "he_normal",
        optimizer: OptimizerSettings = RMSPROP,
        critic_optimizer: OptimizerSettings | None = None,
    ) -> None:
        super().__init__()
        if order == "generator_first" and critic_moves != 1:
            raise ValueError("order generator_first shares one batch of fakes: critic_moves is 1")
        self.example_shape = (channels, num_frames, frame_size, frame_size)
        self.num_classes, self.slow_dim = num_classes, slow_dim
        self.trajectory = None if trajectory is None else named_equation(trajectory)
        self.constraint, self.clip_every, self.weight_limit = constraint, clip_every, weight_limit
        self.order, self.critic_moves = order, critic_moves
        self.loss = LOSSES[loss]
        self.optimizer, self.critic_optimizer = optimizer, critic_optimizer or optimizer

        self.generator = self._generator(
            fast_dim, temporal_width, image_width, slow_to_frames, shift
        )
        self.critic = VideoDiscriminator(
            channels,
            num_frames,
            frame_size,
            critic_width,
            num_classes,
            normalize=constraint != "spectral",
            scale=not noise,
            shift=shift and not noise,
            noise=noise,
            batch_spread=batch_spread,
        )
        self._initialize(initialization)
        # How often each class was met in training, the prior of the fakes' labels.
        self.register_buffer("label_counts", torch.zeros(max(num_classes, 1)))
        self.label_counts: Tensor

    def _generator(
        self,
        fast_dim: int,
        temporal_width: int,
        image_width: int,
        slow_to_frames: bool,
        shift: bool,
    ) -> nn.Module:
        channels, num_frames, frame_size, _ = self.example_shape
        condition = [self.num_classes] if self.num_classes else []
        dims = [self.slow_dim] * slow_to_frames + [fast_dim] + condition
        image = BranchedImageGenerator(dims, frame_size, channels, image_width)
        latent_dim = self.slow_dim + self.num_classes
        if self.trajectory is not None:
            equation = self.trajectory.build(EQUATION, latent_dim, (fast_dim,), num_frames)
            return ContinuousVideoGenerator(equation, image, slow_to_frames)
        temporal = TemporalDeconvolution(latent_dim, fast_dim, num_frames, temporal_width, shift)
        return VideoGenerator(temporal, image, slow_to_frames)

    def _initialize(self, rule: Initialization) -> None:
        initialize_(self.generator, rule)
        initialize_(self.critic, rule)
        if rule != "dcgan_normal" and isinstance(self.generator, VideoGenerator):
            initialize_(self.generator.image, "uniform")  # §6.2
        if isinstance(self.generator, ContinuousVideoGenerator):
            self.generator.temporal.initialize_()  # by its own article's rule
        if self.constraint == "spectral":
            spectrally_normalized(self.critic)

    # Algorithm 1.

    def players(self) -> list[Player]:
        """Critic and generator, in the chosen order."""
        critic = Player(
            name="critic",
            modules=[self.critic],
            optimizer=self.critic_optimizer,
            loss=self.critic_loss,
            moves=self.critic_moves,
            after_move=self._constrain,
        )
        generator = Player(
            name="generator",
            modules=[self.generator],
            optimizer=self.optimizer,
            loss=self.generator_loss,
        )
        return [critic, generator] if self.order == "critic_first" else [generator, critic]

    def critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Fakes against reals in two forward passes, so that BatchNorm sees them apart."""
        labels = self._condition(batch)
        fake = batch.made.pop("fake", None)
        if fake is None:
            with torch.no_grad():
                fake = self._fakes(batch, labels)
        fake_score = self.critic(fake, labels)
        real_score = self.critic(batch.real, labels)
        return {"adversarial": self.loss.discriminator(real_score, fake_score)}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The critic's opinion of fresh fakes; its running moments stay as they are."""
        labels = self._condition(batch)
        fake = self._fakes(batch, labels)
        if self.order == "generator_first":
            batch.made["fake"] = fake.detach()
        with fixed_statistics(self.critic):
            score = self.critic(fake, labels)
        return {"adversarial": self.loss.generator(score)}

    def realness(
        self,
        clips: Float[Tensor, "batch channel time height width"],
        labels: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """The trained critic's scores of clips in [-1, 1]; higher is more real."""
        with evaluation(self):
            return self.critic(clips, None if labels is None else self._one_hot(labels)).float()

    def _fakes(self, batch: Batch, labels: Tensor | None) -> Tensor:
        slow = self.randomness.uniform(len(batch), self.slow_dim)
        paths = self._paths(self.randomness, len(batch))
        return self.generator(slow.to(batch.real.device), labels, *paths)

    def _condition(self, batch: Batch) -> Float[Tensor, "batch kinds"] | None:
        if not self.num_classes:
            return None
        if "labels" not in batch.made:
            self.check_labels(batch.labels)
            self.label_counts += torch.bincount(batch.labels, minlength=self.num_classes)
            batch.made["labels"] = self._one_hot(batch.labels)
        return batch.made["labels"]

    def _constrain(self, step: int) -> None:
        if self.constraint == "weights":
            clip_weights_(self.critic, self.weight_limit)
        if self.constraint == "singular_values" and step % self.clip_every == 0:
            clip_singular_values_(self.critic)
            clip_norm_scales_(self.critic)
