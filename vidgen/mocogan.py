"""MoCoGAN: Decomposing Motion and Content for Video Generation.

Sergey Tulyakov, Ming-Yu Liu, Xiaodong Yang, Jan Kautz, CVPR 2018. A clip is one content code and
a path of motion codes; one judge looks at single frames, the other at how they follow each other.

Figure 2, left to right, at the size of the authors' code:

    noise ε (10 a frame), start h(0) (10) → motion network R_M, a GRU → motion codes z_M (16 × 10)
    content z_C (50), z_M of a frame (10) → image generator G_I       → 16 frames, 3×64×64
    one random frame 3×64×64              → image judge D_I           → 4×4 patch scores
    16 frames in a row, 3×16×64×64        → video judge D_V           → one score (and category)

With categories a one-hot z_A joins each frame's noise (or goes to G_I), and the last layer of D_V
tells them apart: by the data's labels, or InfoGAN's way, by what the generator was told.

Where this differs from the paper
    - Written after the authors' code where the article leaves things open or its Table 6 cannot be
      right: non-saturating loss instead of minimax, D_V strides through space only, its default
      form has five layers and one score, no BatchNorm after a judge's first layer
      (`normalize_first` puts it back), ReLU in the generator (`generator_activation`), tanh at
      its end, h(0) drawn from N(0, I), weight decay 1e-5, as much noise as motion (10).
    - z_A goes to R_M, as in the article; the code gives it to G_I (`category_to="generator"`).
    - InfoGAN's classifier learns on generated clips. In the code it never learns when the data's
      labels are off, and the generator is led by a random classifier.
    - D_I's real frames are one random frame of each clip of the batch; the code shuffles all
      frames of all videos. Its fakes are one random frame of as many new videos.
    - Every real clip is a random window of `num_frames` frames of a video, cut by the data set. A
      generated video has this length too, as in the code; given `video_lengths`, each has a
      length drawn from them (article, §3), and D_V sees a random window, D_I a random frame of
      it. Only the frames that are looked at are drawn.
    - While the generator moves, the judges' running BatchNorm moments stand still.
    - The judges' noise (`noise`) is off in evaluation; the code leaves it on.
    - Off unless asked for, not the article's: `batch_spread`, and judges with R1 in BatchNorm's
      place (`r1_weight`, `normalization`), which do not run ahead of a narrow generator.
Written from the paper; no code was taken from the authors' repository (MIT).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from vidgen.adversarial.blocks import initialize_
from vidgen.adversarial.game import Batch, Player, fixed_statistics
from vidgen.adversarial.losses import LOSSES, LossName
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.adversarial.penalties import LazyR1
from vidgen.frames import ImageGenerator
from vidgen.mocogan_generator import (
    ContinuousVideoGenerator,
    VideoGenerator,
    moments,
    published_equation,
)
from vidgen.mocogan_sampling import TrainedMoCoGAN
from vidgen.trajectories.recurrent import RecurrentTrajectory
from vidgen.trajectories.settings import DifferentialSettings, EquationName, named_equation
from vidgen.window_discriminators import ImageDiscriminator, WindowDiscriminator

ADAM = OptimizerSettings(weight_decay=1e-5)  # §4 and the authors' code


class MoCoGAN(TrainedMoCoGAN):
    """Motion and content GAN: two judges, of frames and of clips, against one generator.

    Args:
        num_frames: Frames of a clip that the video discriminator sees.
        frame_size: Height and width in pixels, a multiple of 16.
        channels: 3 for colour, 1 for grey.
        num_classes: Categories of motion; 0 is none.
        category_mode: How they are learned: "supervised" by the data's labels, "infogan" without
            labels on generated clips, "both".
        category_to: Who is told the category: the motion network ("rnn"), or the image "generator".
        category_weight: Weight of the category losses.
        content_dim: Size of a clip's content code.
        motion_dim: Size of a frame's motion code.
        noise_dim: Size of a frame's noise; `None` is `motion_dim`. An equation takes none.
        trajectory: A differential equation in the motion network's place, by its short name or in
            full (a short name takes no further options); `None` is the article's recurrent network.
        generator_width: Channels before the generator's last layer.
        generator_activation: "relu" as in the code, "leaky_relu" as in the article.
        discriminator_width: Channels after both discriminators' first layer.
        image_discriminator: Scores patches of a frame or the whole of it; "none" plays without.
        video_discriminator: Scores the whole clip, or patches of it (without categories).
        video_stride: Step of the video discriminator through space; 1 is the article's Table 6.
        normalize_first: BatchNorm after the discriminators' first layer too, as in the article.
        noise: Deviation of the discriminators' noise; published commands use 0.1.
        normalization: Of the discriminators; "none" gives them biases instead.
        batch_spread: Show the discriminators how much the samples of a batch differ; not the
            paper's, it keeps contents from becoming one. R1's gradients are then of all scores.
        r1_weight: Factor of the discriminators' squared gradients on real samples, the mean of the
            batch; 0 is off. With the normalization "none" only; not the paper's.
        r1_every: Steps from one with that penalty to the next; it weighs as much more.
        video_lengths: Lengths of the training videos, in frames of the clips' frame rate: each
            generated video gets one of them; shorter ones count as `num_frames`. `None`: all
            have `num_frames`.
        loss: The adversarial loss.
        initialization: "default" is torch's; "dcgan_normal" has deviation 0.02.
        optimizer: Of the generator, and of the discriminators unless they have their own.
        discriminator_optimizer: Of both discriminators; `None` is the generator's.
    """

    def __init__(
        self,
        *,
        num_frames: int = 16,
        frame_size: int = 64,
        channels: Literal[1, 3] = 3,
        num_classes: int = 0,
        category_mode: Literal["supervised", "infogan", "both"] = "supervised",
        category_to: Literal["rnn", "generator"] = "rnn",
        category_weight: float = 1.0,
        content_dim: int = 50,
        motion_dim: int = 10,
        noise_dim: int | None = None,
        trajectory: EquationName | DifferentialSettings | None = None,
        generator_width: int = 64,
        generator_activation: Literal["relu", "leaky_relu"] = "relu",
        discriminator_width: int = 64,
        image_discriminator: Literal["patches", "whole", "none"] = "patches",
        video_discriminator: Literal["whole", "patches"] = "whole",
        video_stride: Literal[1, 2] = 2,
        normalize_first: bool = False,
        noise: float = 0.0,
        normalization: Literal["batch", "none"] = "batch",
        batch_spread: bool = False,
        r1_weight: float = 0.0,
        r1_every: int = 4,
        video_lengths: Sequence[int] | None = None,
        loss: LossName = "non_saturating",
        initialization: Literal["default", "dcgan_normal"] = "default",
        optimizer: OptimizerSettings = ADAM,
        discriminator_optimizer: OptimizerSettings | None = None,
    ) -> None:
        super().__init__()
        self.example_shape = (channels, num_frames, frame_size, frame_size)
        self.num_categories = num_classes
        self.category_mode, self.category_weight = category_mode, category_weight
        # What the data must have labels for; InfoGAN asks for none.
        self.num_classes = 0 if category_mode == "infogan" else num_classes
        self.content_dim, self.motion_dim = content_dim, motion_dim
        self.noise_dim = motion_dim if noise_dim is None else noise_dim
        if trajectory is not None:
            self.noise_dim = 0
        self.video_lengths = [max(length, num_frames) for length in video_lengths or [num_frames]]
        self.loss = LOSSES[loss]
        self.r1 = None
        if r1_weight:
            if normalization == "batch":
                raise ValueError(
                    "r1_weight needs discriminators that judge each clip by itself: set "
                    "normalization to none"
                )
            self.r1 = LazyR1(r1_weight, r1_every)
        self.optimizer = optimizer
        self.discriminator_optimizer = discriminator_optimizer or optimizer

        told_motion = num_classes if category_to == "rnn" else 0
        code_dim = content_dim + (num_classes - told_motion) + motion_dim
        image = ImageGenerator(
            code_dim, frame_size, channels, generator_width, generator_activation
        )
        if trajectory is None:
            motion = RecurrentTrajectory(told_motion + self.noise_dim, motion_dim)
            self.generator = VideoGenerator(motion, image, category_to)
        else:
            if noise_dim or told_motion:
                raise ValueError(
                    "an equation (game.trajectory) is given no noise and no category frame by "
                    "frame: leave noise_dim out, and set category_to to generator"
                )
            settings = named_equation(trajectory)
            self.generator = ContinuousVideoGenerator(
                settings.build(published_equation(settings), motion_dim, (motion_dim,), num_frames),
                image,
            )
        layers = (normalize_first, noise, normalization == "batch", batch_spread)
        self.image_discriminator = None
        if image_discriminator != "none":
            self.image_discriminator = ImageDiscriminator(
                channels, frame_size, discriminator_width, image_discriminator == "patches", *layers
            )
        self.video_discriminator = WindowDiscriminator(
            channels,
            frame_size,
            discriminator_width,
            num_classes,
            video_discriminator == "patches",
            video_stride,
            *layers,
        )
        if num_frames < self.video_discriminator.window:
            raise ValueError(
                f"num_frames is {num_frames}, but the video discriminator looks at "
                f"{self.video_discriminator.window} frames; give as many or more"
            )
        if initialization != "default":
            initialize_(self, initialization)
            if isinstance(self.generator, ContinuousVideoGenerator):
                self.generator.motion.initialize_()  # by torch's rule, as a recurrent cell

    # Equations 1 to 7, in the order in which the authors' code moves.

    def players(self) -> list[Player]:
        """Image discriminator, video discriminator, generator."""
        judges = ["video_discriminator"]
        if self.image_discriminator is not None:
            judges.insert(0, "image_discriminator")
        moving = [
            Player(
                name=name,
                modules=[getattr(self, name)],
                optimizer=self.discriminator_optimizer,
                loss=getattr(self, f"{name}_loss"),
            )
            for name in judges
        ]
        if self.r1 is not None:
            moving[-1] = replace(moving[-1], after_move=self.r1.count_round)
        generator = Player(
            name="generator",
            modules=[getattr(self, name) for name in self.generating],
            optimizer=self.optimizer,
            loss=self.generator_loss,
        )
        return [*moving, generator]

    def image_discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """One random frame of every real clip against as many random fake frames."""
        judge = self._judge_of_frames()
        seen = moments(self.randomness, [self.example_shape[1]] * len(batch))
        real = batch.real[torch.arange(len(batch)), :, seen]  # (B, C, H, W)
        with torch.no_grad():
            fake = self._fake_frames(batch)
        # Two passes, so that BatchNorm sees real and fake apart.
        real_scores, fake_scores = judge(real).flatten(), judge(fake).flatten()
        terms = {"adversarial": self.loss.discriminator(real_scores, fake_scores)}
        if self.r1 is not None:
            terms |= self.r1.terms(lambda frames: judge(frames).mean(1), real)
        return terms

    def video_discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Real clips against fake ones, and which category each is of."""
        with torch.no_grad():
            fake, categories = self._fake_clips(batch)
        on_real, on_fake = self.video_discriminator(batch.real), self.video_discriminator(fake)
        adversarial = self.loss.discriminator(on_real.scores.flatten(), on_fake.scores.flatten())
        terms = {"adversarial": adversarial}
        if self.num_classes:
            self.check_labels(batch.labels)
            terms["real_category"] = self._category_loss(on_real.categories, batch.labels)
        if self.num_categories and self.category_mode != "supervised":
            terms["fake_category"] = self._category_loss(on_fake.categories, categories)
        if self.r1 is not None:
            judge = self.video_discriminator
            terms |= self.r1.terms(lambda clips: judge(clips).scores.mean((1, 2)), batch.real)
        return terms

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Both judges' opinions of fresh fakes; the judges' running moments stay as they are."""
        terms = {}
        if self.image_discriminator is not None:
            with fixed_statistics(self.image_discriminator):
                scores = self.image_discriminator(self._fake_frames(batch))
            terms["image"] = self.loss.generator(scores.flatten())
        fake, categories = self._fake_clips(batch)
        with fixed_statistics(self.video_discriminator):
            judged = self.video_discriminator(fake)
        terms["video"] = self.loss.generator(judged.scores.flatten())
        if self.num_categories:
            terms["category"] = self._category_loss(judged.categories, categories)
        return terms | self._further_terms(batch, fake)

    def _further_terms(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        """What a game built on this one asks of the generator besides."""
        del batch, fake
        return {}

    def _judge_of_frames(self) -> ImageDiscriminator:
        if self.image_discriminator is None:
            raise ValueError("this game has no image discriminator")
        return self.image_discriminator

    def _category_loss(self, logits: Tensor, categories: Tensor) -> Tensor:
        return self.category_weight * functional.cross_entropy(logits, categories)
