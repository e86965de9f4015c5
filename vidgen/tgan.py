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

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional

from vidgen.adversarial.blocks import Initialization, initialize_, spectrally_normalized
from vidgen.adversarial.constraints import (
    clip_norm_scales_,
    clip_singular_values_,
    clip_weights_,
)
from vidgen.adversarial.game import Batch, Game, Player, evaluation, fixed_statistics
from vidgen.adversarial.latents import Randomness, SeedRandomness
from vidgen.adversarial.losses import LOSSES, LossName
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.discriminators import VideoDiscriminator
from vidgen.errors import UserError
from vidgen.frames import BranchedImageGenerator
from vidgen.trajectories.base import Trajectory, upsample_trajectory
from vidgen.trajectories.deconvolution import TemporalDeconvolution

# Figure 1 in code -----------------------------------------------------------------------------

RMSPROP = OptimizerSettings(rule="rmsprop", learning_rate=5e-5)  # §6.2


class VideoGenerator(nn.Module):
    """Slow latent → fast latents → frames.

    Args:
        temporal: The temporal generator.
        image: The image generator; its branches take the slow latent (if `slow_to_frames`), the
            fast latent and the one-hot label (if the game has classes), in this order.
        slow_to_frames: Show the slow latent to the image generator; without it a frame knows only
            its fast latent, the article's "G1(z1) only".
    """

    def __init__(
        self, temporal: Trajectory, image: BranchedImageGenerator, slow_to_frames: bool
    ) -> None:
        super().__init__()
        self.temporal = temporal
        self.image = image
        self.slow_to_frames = slow_to_frames

    def forward(
        self,
        slow: Float[Tensor, "batch slow"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in (-1, 1)."""
        return self.draw(slow, self.unroll(slow, labels), labels)

    def unroll(
        self,
        slow: Float[Tensor, "batch slow"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch time fast"]:
        """Fast latents of all frames."""
        return self.temporal(slow if labels is None else torch.cat([slow, labels], dim=1))

    def draw(
        self,
        slow: Float[Tensor, "batch slow"],
        fast: Float[Tensor, "batch time fast"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Frames of a trajectory; the batch of images is video by video, frame index fastest."""
        batch, frames, _ = fast.shape
        latents = [fast.flatten(0, 1)]  # (B·T, fast)
        if self.slow_to_frames:
            latents.insert(0, slow.repeat_interleave(frames, dim=0))
        if labels is not None:
            latents.append(labels.repeat_interleave(frames, dim=0))
        images = self.image(*latents)  # (B·T, C, H, W)
        return images.unflatten(0, (batch, frames)).transpose(1, 2)  # (B, C, T, H, W)


class TGAN(Game):
    """Temporal GAN: a critic of clips against a temporal and an image generator.

    Args:
        num_frames: Frames of a clip, a power of two.
        frame_size: Height and width in pixels, a power of two from 8 on.
        channels: 3 for colour, 1 for grey.
        num_classes: Classes it is conditioned on; 0 is unconditional.
        slow_dim: Size of the slow latent z0, uniform over [-1, 1].
        fast_dim: Size of a frame's latent z1.
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
        return VideoGenerator(
            TemporalDeconvolution(
                self.slow_dim + self.num_classes, fast_dim, num_frames, temporal_width, shift
            ),
            BranchedImageGenerator(dims, frame_size, channels, image_width),
            slow_to_frames,
        )

    def _initialize(self, rule: Initialization) -> None:
        initialize_(self.generator, rule)
        initialize_(self.critic, rule)
        if rule != "dcgan_normal" and isinstance(self.generator, VideoGenerator):
            initialize_(self.generator.image, "uniform")  # §6.2
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

    def _fakes(self, batch: Batch, labels: Tensor | None) -> Tensor:
        slow = self.randomness.uniform(len(batch), self.slow_dim)
        return self.generator(slow.to(batch.real.device), labels)

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

    def _one_hot(self, labels: Int[Tensor, " batch"]) -> Float[Tensor, "batch kinds"]:
        return functional.one_hot(labels.to(self.device), self.num_classes).float()

    # What the trained game is for.

    def sample(
        self,
        seeds: Sequence[int],
        labels: Sequence[int] | None = None,
        num_frames: int | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in [-1, 1]; `truncation` shrinks the uniform slow latent towards 0.

        Raises:
            UserError: More frames are asked than the temporal generator makes.
        """
        longest = self.example_shape[1]
        wanted = longest if num_frames is None else num_frames
        if not 1 <= wanted <= longest:
            raise UserError(
                f"this model makes 1 to {longest} frames, not {wanted}; for more frames of the "
                "same motion use the interpolate command"
            )
        slow, condition = self.latents(SeedRandomness(seeds), len(seeds), labels, truncation)
        with evaluation(self):
            return self.generator(slow, condition)[:, :, :wanted]

    def latents(
        self,
        randomness: Randomness,
        count: int,
        labels: Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> tuple[Float[Tensor, "count slow"], Float[Tensor, "count kinds"] | None]:
        """Slow latents and one-hot labels; labels not given are drawn as training met them."""
        slow = (truncation * randomness.uniform(count, self.slow_dim)).to(self.device)
        if not self.num_classes:
            return slow, None
        if labels is None:
            chosen = randomness.choice(count, self.label_counts + 1e-6)
        else:
            self.check_labels(labels)
            chosen = torch.tensor(list(labels))
        return slow, self._one_hot(chosen)

    def fakes(self, count: int) -> Float[Tensor, "count channel time height width"]:
        """Fresh clips as training makes them, for the moments of averaged weights."""
        return self.generator(*self.latents(self.randomness, count))

    def interpolate(
        self,
        seeds: Sequence[int],
        factor: int,
        labels: Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel finer height width"]:
        """Clips with `factor` times the frame rate: the fast latents are up-sampled (§5.1).

        Frames 0, factor, 2·factor, … are the frames of `sample`.
        """
        generator = self._temporal_generator()
        slow, condition = self.latents(SeedRandomness(seeds), len(seeds), labels, truncation)
        with evaluation(self):
            fast = upsample_trajectory(generator.unroll(slow, condition), factor)
            return generator.draw(slow, fast, condition)

    def walk(
        self, seed_a: int, seed_b: int, stages: int, label: int | None = None
    ) -> Float[Tensor, "stages channel time height width"]:
        """Clips of slow latents on the straight line between those of two seeds."""
        labels = None if label is None else [label, label]
        ends, condition = self.latents(SeedRandomness([seed_a, seed_b]), 2, labels)
        weights = torch.linspace(0, 1, stages, device=self.device).unsqueeze(1)
        slow = torch.lerp(ends[:1], ends[1:], weights)
        if condition is not None:
            condition = condition[:1].expand(stages, -1)
        with evaluation(self):
            return self.generator(slow, condition)

    def _temporal_generator(self) -> VideoGenerator:
        if not isinstance(self.generator, VideoGenerator):
            raise UserError("this model has no trajectory of latents, so it cannot interpolate")
        return self.generator

    def from_pixels(self, pixels: UInt8[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """(x − 128) / 128, so the range is [-1, 127/128] (authors' code)."""
        return (pixels.float() - 128) / 128

    def to_pixels(self, examples: Float[Tensor, "batch ..."]) -> UInt8[Tensor, "batch ..."]:
        """The inverse of `from_pixels`, rounded and clipped."""
        return (examples.float() * 128 + 128).round().clamp(0, 255).to(torch.uint8)
