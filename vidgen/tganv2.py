"""TGANv2: Train Sparsely, Generate Densely, memory-efficient unsupervised training of a GAN.

Masaki Saito, Shunta Saito, Masanori Koyama, Sosuke Kobayashi, 2020. The generator's costly upper
levels see only some of the frames in training, and all of them once it is trained.

Figures 1 and 3, top to bottom, at 16 frames of 192 pixels and rates 2, 2, 2:

    latent z (256) → linear → ConvLSTM → 16 feature maps 1024×3×3
    level 1  up to 128×24×24 → render → clip 3×16×24×24 → 3-D ResNet → score
    keep every 2nd frame, from a random one
    level 2  up to 64×48×48  → render → clip 3×8×48×48  → 3-D ResNet → score
    keep every 2nd frame
    level 3  up to 32×96×96  → render → clip 3×4×96×96  → 3-D ResNet → score
    keep every 2nd frame
    level 4  up to 32×192×192 → render → clip 3×2×192×192 → 3-D ResNet → score
    real clip 3×16×192×192   → frames kept and squares averaged likewise → the same four judges

The conditional model shows the class to the ConvLSTM, to every BatchNorm and to every judge.

Where this differs from the paper
    - The levels' scores are judged separately and averaged, as in the authors' code; the article's
      equation 7 sums them first (`combine="sum"`).
    - An axis that has shrunk to 1 is padded by the judges' next pooling, as in the code; only so
      the article's table 1 comes out. `singleton_pool="skip"` is its text, and cheaper.
    - The shortcut of every up-sampling block has a convolution (code); figure 4 leaves it out where
      the channels agree (`skip_equal_shortcut`).
    - The latent enters at the first frame only, as a map; then the ConvLSTM's input is zero (code).
      It does not join the maps of the frames, as §3.3 has it; figures and costs speak against that.
    - Offsets are drawn below min(s, frames), as in the article; the code's can keep no frame. Rates
      that would keep unequal numbers of frames are refused.
    - Adam's ε is the code's 8e-8; the article does not say.
    - The labels of fakes are the real batch's, which are draws from the training distribution.
    - In several processes each BatchNorm sees its own process's share of the batch; the code joins
      the shares.
    - In mixed precision the real clips are judged in float32 while R1 is on.
    - Off unless asked for, not the article's: `batch_spread`, and `forget_bias`, without which the
      ConvLSTM at first halves from frame to frame what it knows of the latent.
Written from the paper; no code was taken from the authors' repository (MIT).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vidgen.adversarial.game import Batch, Player, evaluation, fixed_statistics
from vidgen.adversarial.losses import LOSSES
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.adversarial.penalties import Reduction, r1_penalty
from vidgen.residual_discriminators import ResidualDiscriminator, SingletonPool
from vidgen.subsampling import FrameSubsampling, sparse_levels
from vidgen.tganv2_generator import EQUATION, VideoGenerator
from vidgen.tganv2_sampling import DenseSampling
from vidgen.trajectories.convlstm import ConvLSTM
from vidgen.trajectories.differential import DifferentialTrajectory
from vidgen.trajectories.settings import DifferentialSettings, EquationName, named_equation

ADAM = OptimizerSettings(  # §5.2; ε is the code's
    rule="adam", learning_rate=1e-4, betas=(0.0, 0.9), epsilon=8e-8, schedule="linear"
)
SMALLEST = 64  # pixels that six doublings make of one


class TGANv2(DenseSampling):
    """Temporal GAN v2: four judges of ever larger and sparser clips against stacked generators.

    Args:
        num_frames: Frames of a clip.
        frame_size: Height and width in pixels, a multiple of 64.
        channels: 3 for colour, 1 for grey.
        num_classes: Classes it is conditioned on; 0 is unconditional.
        latent_dim: Size of the latent, uniform over [-1, 1].
        trajectory: A differential equation in the ConvLSTM's place, by its short name or in full;
            `None` is the ConvLSTM.
        forget_bias: Of the ConvLSTM's forget gates at the start; 0 as published, where later frames
            hardly know of the latent at first. 3 keeps it, for short runs.
        widths: Channels of the trajectory's maps and after each of the six up-sampling blocks.
        discriminator_width: Channels of a discriminator's first block; doubled by each of five.
        rates: Of the frames at level 1, 2 and 3 every so many-th goes on to the next; 1 is all.
        subsampling: Of so many frames "pick" one, the first at random, or take their "average".
        discriminators: One for each of the four "levels"; or the article's baselines, one for the
            highest level's "clip", or that and one for a random frame of it ("clip_and_frame").
        combine: Levels are judged each by itself and averaged ("concat"), or by the sum of their
            scores ("sum").
        batch_spread: Show discriminators how much the clips of a batch differ; not the paper's, it
            keeps small batches from making one clip again and again. R1's gradients are then of all
            scores of the batch by each clip.
        singleton_pool: Discriminators pad an axis of size 1, or leave it alone ("skip").
        skip_equal_shortcut: No convolution in the shortcut of a block that keeps the channels.
        r1_weight: Factor λ of the discriminators' squared gradients on real clips; 0 is off.
        r1_reduction: Their sum over the batch, as published, or their mean, which a number of
            devices does not change: 0.5 of the sum is 0.5 · (clips on a device) of the mean.
        order: Who moves first; "generator_first" shares the generator's fakes.
        optimizer: Of the generator, and of the discriminators unless they have their own.
        discriminator_optimizer: Of the discriminators; `None` is the generator's.
    """

    def __init__(
        self,
        *,
        num_frames: int = 16,
        frame_size: int = 192,
        channels: Literal[1, 3] = 3,
        num_classes: int = 0,
        latent_dim: int = 256,
        trajectory: EquationName | DifferentialSettings | None = None,
        forget_bias: float = 0.0,
        widths: Sequence[int] = (1024, 512, 256, 128, 64, 32, 32),
        discriminator_width: int = 64,
        rates: Sequence[int] = (2, 2, 2),
        subsampling: Literal["pick", "average"] = "pick",
        discriminators: Literal["levels", "clip", "clip_and_frame"] = "levels",
        combine: Literal["concat", "sum"] = "concat",
        batch_spread: bool = False,
        singleton_pool: SingletonPool = "pad",
        skip_equal_shortcut: bool = False,
        r1_weight: float = 0.5,
        r1_reduction: Reduction = "sum",
        order: Literal["generator_first", "discriminator_first"] = "generator_first",
        optimizer: OptimizerSettings = ADAM,
        discriminator_optimizer: OptimizerSettings | None = None,
    ) -> None:
        super().__init__()
        _check_shape(frame_size, widths, rates)
        self.example_shape = (channels, num_frames, frame_size, frame_size)
        self.num_classes, self.latent_dim = num_classes, latent_dim
        self.subsampling = FrameSubsampling(num_frames, tuple(rates), subsampling == "average")
        self.combine, self.order = combine, order
        self.r1_weight: float = r1_weight
        self.r1_reduction: Reduction = r1_reduction
        self.loss = LOSSES["non_saturating"]
        self.optimizer = optimizer
        self.discriminator_optimizer = discriminator_optimizer or optimizer

        every_level = discriminators == "levels"
        self.generator = VideoGenerator(
            self._trajectory(trajectory, widths[0], frame_size // SMALLEST, forget_bias),
            widths,
            channels,
            num_classes,
            every_level,
            skip_equal_shortcut,
        )
        judge = (channels, discriminator_width, num_classes, singleton_pool, batch_spread)
        self.discriminators = nn.ModuleList(
            ResidualDiscriminator(3, *judge) for _ in range(4 if every_level else 1)
        )
        self.frame_discriminator = None
        if discriminators == "clip_and_frame":
            self.frame_discriminator = ResidualDiscriminator(2, *judge)
        self.register_buffer("label_counts", torch.zeros(max(num_classes, 1)))

    def _trajectory(
        self,
        equation: EquationName | DifferentialSettings | None,
        channels: int,
        size: int,
        forget_bias: float,
    ) -> ConvLSTM | DifferentialTrajectory:
        latent_dim = self.latent_dim + self.num_classes
        if equation is None:
            return ConvLSTM(latent_dim, channels, size, forget_bias)
        if forget_bias:
            raise ValueError("forget_bias is the ConvLSTM's; leave it out with a trajectory")
        shape, num_frames = (channels, size, size), self.example_shape[1]
        return named_equation(equation).build(EQUATION, latent_dim, shape, num_frames)

    # Equations 6, 7 and 10, in the order in which the authors' code moves.

    def players(self) -> list[Player]:
        """Generator and discriminators, in the chosen order."""
        generator = Player(
            name="generator",
            modules=[self.generator],
            optimizer=self.optimizer,
            loss=self.generator_loss,
        )
        judges = [self.discriminators, self.frame_discriminator]
        discriminator = Player(
            name="discriminator",
            modules=[judge for judge in judges if judge is not None],
            optimizer=self.discriminator_optimizer,
            loss=self.discriminator_loss,
        )
        players = [generator, discriminator]
        return players if self.order == "generator_first" else players[::-1]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The discriminators' opinion of fresh fakes."""
        labels = self._labels(batch)
        fakes = self._fakes(len(batch), labels)
        if self.order == "generator_first":
            batch.made |= {f"fake_{level}": clip.detach() for level, clip in enumerate(fakes)}
        scores = self._combined(self._scores(fakes, labels))
        return {"adversarial": self.loss.generator(scores)}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Real levels against fake ones, and the real ones' gradients (equation 10)."""
        labels = self._labels(batch)
        fakes = [batch.made.pop(name) for name in sorted(batch.made) if name.startswith("fake_")]
        if not fakes:
            # The generator's own turn counts the same moments.
            with torch.no_grad(), fixed_statistics(self.generator):
                fakes = self._fakes(len(batch), labels)
        fake_scores = self._scores(fakes, labels)
        reals = self._real_levels(batch)
        penalized = self.r1_weight > 0 and torch.is_grad_enabled()
        exact = torch.autocast(self.device.type, enabled=False) if penalized else nullcontext()
        with exact:
            for clip in reals:
                clip.requires_grad_(penalized)
            real_scores = self._scores(reals, labels)
            terms = {
                "adversarial": self.loss.discriminator(
                    self._combined(real_scores), self._combined(fake_scores)
                )
            }
            if penalized:
                terms["r1"] = self.r1_weight * self._r1(real_scores, reals)
        return terms

    def _r1(self, scores: list[Tensor], clips: list[Tensor]) -> Float[Tensor, ""]:
        levels = zip(scores, clips, strict=True)
        return torch.stack([r1_penalty(*level, self.r1_reduction) for level in levels]).sum()

    def _scores(self, clips: list[Tensor], labels: Tensor | None) -> list[Tensor]:
        """Of each level, one score a clip."""
        judges = zip(self.discriminators, clips, strict=True)
        scores = [judge(clip, labels) for judge, clip in judges]
        if self.frame_discriminator is not None:
            moment = self.randomness.shared_index(clips[-1].shape[2])
            scores[-1] = scores[-1] + self.frame_discriminator(clips[-1][:, :, moment], labels)
        return scores

    def _combined(self, scores: list[Tensor]) -> Float[Tensor, " logits"]:
        return torch.cat(scores) if self.combine == "concat" else torch.stack(scores).sum(0)

    def realness(
        self,
        clips: Float[Tensor, "batch channel time height width"],
        labels: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """Sum of the trained discriminators' scores of clips in [-1, 1], made smaller for each.

        Every level sees the first of the frames that it may keep; a discriminator of single frames
        sees the first of those.
        """
        layers = self.subsampling.layers([0] * len(self.subsampling.rates))
        levels = sparse_levels(clips, [layers] * len(clips))[-len(self.discriminators) :]
        judges = zip(self.discriminators, levels, strict=True)
        with evaluation(self):
            scores = [judge(level, labels).float() for judge, level in judges]
            if self.frame_discriminator is not None:
                scores.append(self.frame_discriminator(levels[-1][:, :, 0], labels).float())
        return torch.stack(scores).sum(0)

    # §4.1, §4.4: a batch's fakes share their offsets, as in the code; real clips draw their own.

    def _fakes(self, count: int, labels: Tensor | None) -> list[Tensor]:
        latent = self.randomness.uniform(count, self.latent_dim).to(self.device)
        paths = self.generator.draw_paths(self.randomness, count)
        offsets = [self.randomness.shared_index(n) for n in self.subsampling.num_offsets]
        layers = self.subsampling.layers(offsets)
        return self.generator(latent, self.example_shape[1], labels, layers, paths)

    def fakes(self, count: int) -> Float[Tensor, "count channel _ height width"]:
        """Fresh sparse clips as training makes them, for the moments of averaged weights."""
        return self._fakes(count, self._classes(self.randomness, count))[-1]

    def _real_levels(self, batch: Batch) -> list[Tensor]:
        count, choices = len(batch), self.subsampling.num_offsets
        offsets = [self.randomness.choice(count, torch.ones(n)).tolist() for n in choices]
        layers = [self.subsampling.layers(own) for own in zip(*offsets, strict=True)]
        return sparse_levels(batch.real, layers)[-len(self.discriminators) :]

    def _labels(self, batch: Batch) -> Int[Tensor, " batch"] | None:
        if not self.num_classes:
            return None
        if "labels" not in batch.made:
            self.check_labels(batch.labels)
            self.label_counts += torch.bincount(batch.labels, minlength=self.num_classes)
            batch.made["labels"] = batch.labels
        return batch.made["labels"]


def _check_shape(frame_size: int, widths: Sequence[int], rates: Sequence[int]) -> None:
    if frame_size < SMALLEST or frame_size % SMALLEST:
        raise ValueError(
            f"frame_size is {frame_size}; it must be a multiple of 64: 64, 128, 192, …"
        )
    if len(widths) != 7:
        raise ValueError(f"widths are {list(widths)}; give 7: of the trajectory and of 6 blocks")
    if len(rates) != 3:
        raise ValueError(f"rates are {list(rates)}; give 3, one between each level and the next")
