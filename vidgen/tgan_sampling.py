"""What a trained TGAN is for: clips of seeds, at any length its generator can make, and between."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional

from vidgen.adversarial.game import Game, evaluation
from vidgen.adversarial.latents import Randomness, SeedRandomness
from vidgen.errors import UserError
from vidgen.tgan_generator import ContinuousVideoGenerator, VideoGenerator


class TrainedTGAN(Game):
    """The half of TGAN that makes clips; the other half, in `vidgen.tgan`, trains it.

    Attributes:
        generator: Makes clips of slow latents and one-hot labels.
        slow_dim: Size of a slow latent.
        label_counts: How often each class was met in training, the prior of labels not given.
    """

    generator: nn.Module
    slow_dim: int
    label_counts: Tensor

    def sample(
        self,
        seeds: Sequence[int],
        labels: Sequence[int] | None = None,
        num_frames: int | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in [-1, 1]; `truncation` shrinks the uniform slow latent towards 0.

        Raises:
            UserError: More frames are asked than the temporal generator makes; an equation makes
                any number.
        """
        longest = self.example_shape[1]
        wanted = longest if num_frames is None else num_frames
        if self.continuous and wanted >= 1:
            return self.sample_at(seeds, range(wanted), labels, truncation)
        if not 1 <= wanted <= longest:
            raise UserError(
                f"this model makes 1 to {longest} frames, not {wanted}; for more frames of the "
                "same motion use the interpolate command"
            )
        slow, condition = self.latents(SeedRandomness(seeds), len(seeds), labels, truncation)
        with evaluation(self):
            return self.generator(slow, condition)[:, :, :wanted]

    @property
    def continuous(self) -> bool:
        """Whether the frames lie on a path that has a state at every time: see `sample_at`."""
        return isinstance(self.generator, ContinuousVideoGenerator)

    def sample_at(
        self,
        seeds: Sequence[int],
        times: Sequence[int | float],
        labels: Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in [-1, 1] whose frames lie at any times, in the order given.

        Args:
            seeds: One a clip.
            times: In frames: 0 is the first, 0.5 lies between it and the next, num_frames is one
                beyond the trained clip, -1 one before it.
            labels: As in `sample`.
            truncation: As in `sample`.

        Raises:
            UserError: The model has no equation, or a stochastic one is asked for a time below 0.
        """
        if not isinstance(self.generator, ContinuousVideoGenerator):
            raise UserError(
                "this model makes whole frames only; train one with game.trajectory, such as ode1"
            )
        randomness = SeedRandomness(seeds)
        # Paths first: labels that are not given are drawn too, and must not change them.
        paths = self.generator.draw_paths(randomness, len(seeds))
        slow, condition = self.latents(randomness, len(seeds), labels, truncation)
        with evaluation(self):
            fast = self.generator.unroll(slow, condition, *paths, times=times)
            return self.generator.draw(slow, fast, condition)

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
        paths = self._paths(self.randomness, count)
        return self.generator(*self.latents(self.randomness, count), *paths)

    def interpolate(
        self,
        seeds: Sequence[int],
        factor: int,
        labels: Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel finer height width"]:
        """Clips with `factor` times the frame rate: the fast latents are up-sampled (§5.1), or an
        equation is asked for them.

        Frames 0, factor, 2·factor, … are the frames of `sample`.
        """
        generator = self._temporal_generator()
        randomness = SeedRandomness(seeds)
        paths = self._paths(randomness, len(seeds))
        slow, condition = self.latents(randomness, len(seeds), labels, truncation)
        with evaluation(self):
            fast = generator.unroll_finer(factor, slow, condition, *paths)
            return generator.draw(slow, fast, condition)

    def walk(
        self, seed_a: int, seed_b: int, stages: int, label: int | None = None
    ) -> Float[Tensor, "stages channel time height width"]:
        """Clips of slow latents on the straight line between those of two seeds.

        A stochastic equation takes all of them along the path of the first seed.
        """
        labels = None if label is None else [label, label]
        randomness = SeedRandomness([seed_a, seed_b])
        paths = [seeds[:1].expand(stages) for seeds in self._paths(randomness, 2)]
        ends, condition = self.latents(randomness, 2, labels)
        weights = torch.linspace(0, 1, stages, device=self.device).unsqueeze(1)
        slow = torch.lerp(ends[:1], ends[1:], weights)
        if condition is not None:
            condition = condition[:1].expand(stages, -1)
        with evaluation(self):
            return self.generator(slow, condition, *paths)

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

    def _paths(self, randomness: Randomness, count: int) -> list[Tensor]:
        """What the generator takes behind latents and labels: seeds, if it is stochastic."""
        if not isinstance(self.generator, ContinuousVideoGenerator):
            return []
        return self.generator.draw_paths(randomness, count)

    def _one_hot(self, labels: Int[Tensor, " batch"]) -> Float[Tensor, "batch kinds"]:
        return functional.one_hot(labels.to(self.device), self.num_classes).float()
