"""VGAN: Generating Videos with Scene Dynamics.

Carl Vondrick, Hamed Pirsiavash, Antonio Torralba, NIPS 2016. A scene is a still background with
something moving before it: space and time are decoded together, in two streams.

Figure 1, left to right, at the published size:

    latent z (100) → 3-D deconvolutions 512×2×4×4 → 256×4×8×8 → 128×8×16×16 → 64×16×32×32
                       → foreground f 3×32×64×64 (tanh) and mask m 1×32×64×64 (sigmoid)
    latent z (100) → 2-D deconvolutions 512×4×4 → 256×8×8 → 128×16×16 → 64×32×32
                       → background b 3×64×64 (tanh)
    m·f + (1 - m)·b → clip 3×32×64×64
    clip → 3-D convolutions 64×16×32×32 → 128×8×16×16 → 256×4×8×8 → 512×2×4×4 → real or generated

Where this differs from the paper
    - The sparsity prior λ|m| is a mean over the mask, as in the authors' code. A sum, as the
      article may be read, would be 131,072 times larger for each clip and empty the mask at once.
    - The discriminator has two outputs, as in the code. Cross-entropy over two softmax classes is
      binary cross-entropy of their difference, and so it is computed; but two outputs step twice
      as far under Adam as one. `discriminator_outputs=1` is the article's binary classifier.
    - The generator's loss is non-saturating (code); `loss="minimax"` is the article's equation 1.
    - BatchNorm: ε is 1e-3 in the discriminator; scales begin at N(1, 0.02²) (code).
    - The code lets the discriminator step, then sends the generator's gradient through its new
      weights and its old activations. Here the discriminator judges the same clips once more.
      `order="generator_first"` takes the generator's gradient before either steps, which needs
      one pass through the generator instead of two.
Written from the paper; no code was taken from the authors' repository.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vidgen.adversarial.game import Batch, Game, Player, evaluation, fixed_statistics
from vidgen.adversarial.latents import Randomness, SeedRandomness
from vidgen.adversarial.losses import LOSSES, LossName
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.discriminators import SpacetimeDiscriminator
from vidgen.errors import UserError
from vidgen.streams import OneStreamGenerator, TwoStreamGenerator, initialize_streams_

ADAM = OptimizerSettings(rule="adam", learning_rate=2e-4, betas=(0.5, 0.999))  # §3.3
Order = Literal["discriminator_first", "generator_first"]


class StreamGame(Game):
    """What VGAN's games have in common: who plays, for what, and how streams become samples.

    Args:
        clip_shape: (channel, time, height, width) of a clip.
        generator: Gives the streams of what `_source` gives.
        discriminator: Has one or two outputs.
        loss: The adversarial loss.
        mask_weight: λ of the mask's sparsity prior; 0 is none.
        order: Who moves first.
        optimizer: Of the generator, and of the discriminator unless that has its own.
        discriminator_optimizer: Of the discriminator; `None` is the generator's.
    """

    def __init__(
        self,
        clip_shape: Sequence[int],
        generator: nn.Module,
        discriminator: SpacetimeDiscriminator,
        loss: LossName,
        mask_weight: float,
        order: Order,
        optimizer: OptimizerSettings,
        discriminator_optimizer: OptimizerSettings | None,
    ) -> None:
        super().__init__()
        self.example_shape = tuple(clip_shape)
        self.generator, self.discriminator = generator, discriminator
        self.loss, self.mask_weight, self.order = LOSSES[loss], mask_weight, order
        self.optimizer = optimizer
        self.discriminator_optimizer = discriminator_optimizer or optimizer
        initialize_streams_(self)

    @abstractmethod
    def _source(self, batch: Batch) -> Float[Tensor, "batch ..."]:
        """What the generator decodes in this step, the same whenever it is asked."""

    @abstractmethod
    def _seeded_source(
        self, randomness: Randomness, count: int, truncation: float
    ) -> Float[Tensor, "count ..."]:
        """What the generator decodes for samples."""

    # Equation 1.

    def players(self) -> list[Player]:
        """Discriminator and generator, in the chosen order."""
        discriminator = Player(
            name="discriminator",
            modules=[self.discriminator],
            optimizer=self.discriminator_optimizer,
            loss=self.discriminator_loss,
        )
        generator = Player(
            name="generator",
            modules=[self.generator],
            optimizer=self.optimizer,
            loss=self.generator_loss,
        )
        if self.order == "discriminator_first":
            return [discriminator, generator]
        return [generator, discriminator]

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Reals and fakes in two forward passes, so that BatchNorm sees them apart."""
        fake = batch.made.pop("fake", None)
        if fake is None:
            # The generator's own turn counts the same moments.
            with torch.no_grad(), fixed_statistics(self.generator):
                fake = self.generator(self._source(batch))["video"]
        real_logits = self.logits(batch.real)
        fake_logits = self.logits(fake)
        return {"adversarial": self.loss.discriminator(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The discriminator's opinion of the fakes, and the price of the mask."""
        streams = self.generator(self._source(batch))
        if self.order == "generator_first":
            batch.made["fake"] = streams["video"].detach()
        with fixed_statistics(self.discriminator):
            logits = self.logits(streams["video"])
        terms = {"adversarial": self.loss.generator(logits)}
        if self.mask_weight and "mask" in streams:
            terms["mask"] = self.mask_weight * streams["mask"].float().mean()
        return terms | self._further_terms(batch, streams)

    def _further_terms(self, batch: Batch, streams: dict[str, Tensor]) -> dict[str, Tensor]:
        """What else the generator minimises."""
        del batch, streams
        return {}

    def logits(
        self, clip: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, " batch"]:
        """Log-odds that clips are real: of two outputs, the first's lead over the second."""
        outputs = self.discriminator(clip).float()
        return outputs[:, 0] - outputs[:, 1] if outputs.shape[1] == 2 else outputs[:, 0]

    def realness(
        self,
        clips: Float[Tensor, "batch channel time height width"],
        labels: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """The trained discriminator's log-odds that clips in [-1, 1] are real."""
        del labels  # the game has no classes
        with evaluation(self):
            return self.logits(clips)

    def fakes(self, count: int) -> Float[Tensor, "count channel time height width"]:
        """Fresh clips as training makes them, for the moments of averaged weights."""
        source = self._seeded_source(self.randomness, count, 1.0)
        return self.generator(source.to(self.device))["video"]

    # What the trained game is for.

    def sample(
        self,
        seeds: Sequence[int],
        labels: Sequence[int] | None = None,
        num_frames: int | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in [-1, 1]; `labels` mean nothing here, `truncation` shrinks the latent.

        Raises:
            UserError: More frames are asked than the generator makes.
        """
        return self.streams(seeds, num_frames, truncation)["video"]

    def streams(
        self, seeds: Sequence[int], num_frames: int | None = None, truncation: float = 1.0
    ) -> dict[str, Float[Tensor, "batch channel time height width"]]:
        """The `video` of each seed and, of two streams, what it is made of (Figure 3).

        `foreground` and `background` are clips in [-1, 1], the background the same frame over and
        over; `mask` is a clip of one channel in [0, 1].

        Args:
            seeds: One a sample.
            num_frames: Length; `None` is the trained one.
            truncation: Below 1 the latents stay nearer to the middle of their distribution.

        Raises:
            UserError: More frames are asked than the generator makes.
        """
        source = self._seeded_source(SeedRandomness(seeds), len(seeds), truncation)
        return decode_streams(self, source, num_frames)


def decode_streams(
    game: Game, source: Float[Tensor, "batch ..."], num_frames: int | None
) -> dict[str, Float[Tensor, "batch channel time height width"]]:
    """What a game's generator makes of sources, in evaluation mode, cut to a number of frames.

    Raises:
        UserError: More frames are asked than it makes.
    """
    longest = game.example_shape[1]
    wanted = longest if num_frames is None else num_frames
    if not 1 <= wanted <= longest:
        raise UserError(
            f"this model makes 1 to {longest} frames, not {wanted}: it decodes space and time "
            "together; train it with a larger game.num_frames"
        )
    with evaluation(game):
        streams = game.get_submodule("generator")(source.to(game.device))
        return {name: stream[:, :, :wanted] for name, stream in streams.items()}


class VGAN(StreamGame):
    """Video GAN: a discriminator of clips against a generator of one or two streams.

    Args:
        num_frames: Frames of a clip; a multiple of frame_size / 4.
        frame_size: Height and width in pixels, a power of two from 8 on.
        channels: 3 for colour, 1 for grey.
        two_streams: Moving foreground, mask and still background; false is the foreground alone.
        latent_dim: Size of the latent, standard normal.
        width: Channels before the last layer of each stream; doubled by each towards the latent.
        discriminator_width: Channels of the discriminator's first layer; doubled by each.
        discriminator_outputs: 2 is a softmax over real and generated, 1 their log-odds.
        loss: The adversarial loss.
        mask_weight: λ of the mask's sparsity prior, a mean over the mask; 0 is none.
        order: Who moves first; "generator_first" shares the generator's fakes with the
            discriminator, which saves a pass through the generator.
        optimizer: Of the generator, and of the discriminator unless that has its own.
        discriminator_optimizer: Of the discriminator; `None` is the generator's.
    """

    def __init__(
        self,
        *,
        num_frames: int = 32,
        frame_size: int = 64,
        channels: Literal[1, 3] = 3,
        two_streams: bool = True,
        latent_dim: int = 100,
        width: int = 64,
        discriminator_width: int = 64,
        discriminator_outputs: Literal[1, 2] = 2,
        loss: LossName = "non_saturating",
        mask_weight: float = 0.1,
        order: Order = "discriminator_first",
        optimizer: OptimizerSettings = ADAM,
        discriminator_optimizer: OptimizerSettings | None = None,
    ) -> None:
        clip_shape = (channels, num_frames, frame_size, frame_size)
        kind = TwoStreamGenerator if two_streams else OneStreamGenerator
        super().__init__(
            clip_shape,
            kind(latent_dim, 1, clip_shape, width),
            SpacetimeDiscriminator(clip_shape, discriminator_width, discriminator_outputs),
            loss,
            mask_weight,
            order,
            optimizer,
            discriminator_optimizer,
        )
        self.latent_dim = latent_dim

    def _source(self, batch: Batch) -> Float[Tensor, "batch latent 1 1"]:
        if "latent" not in batch.made:
            latent = self.randomness.normal(len(batch), self.latent_dim, 1, 1)
            batch.made["latent"] = latent.to(batch.real.device)
        return batch.made["latent"]

    def _seeded_source(
        self, randomness: Randomness, count: int, truncation: float
    ) -> Float[Tensor, "count latent 1 1"]:
        return truncation * randomness.normal(count, self.latent_dim, 1, 1)
