"""What a trained TGANv2 is for: clips of all frames, of any length, at every level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from vidgen.adversarial.game import Game, evaluation
from vidgen.adversarial.latents import Randomness, SeedRandomness
from vidgen.errors import UserError
from vidgen.tganv2_generator import VideoGenerator
from vidgen.trajectories.base import upsample_trajectory
from vidgen.trajectories.differential import DifferentialTrajectory, finer_times


class _Sources(NamedTuple):
    """What clips are made of, on the device; paths only of a stochastic equation."""

    latent: Float[Tensor, "count latent"]
    classes: Int[Tensor, " count"] | None
    path_seeds: Int[Tensor, " count"] | None

    def one(self, index: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Those of one clip, as a batch."""
        _, classes, paths = self
        chosen = slice(index, index + 1)
        return (
            self.latent[chosen],
            None if classes is None else classes[chosen],
            None if paths is None else paths[chosen],
        )


class DenseSampling(Game):
    """A game whose generator draws every frame once it is trained, though training drops some.

    Attributes:
        generator: From latents to clips at one or four resolutions.
        latent_dim: Size of the latent, uniform over [-1, 1].
        label_counts: How often each class was met in training, the prior of the fakes' labels.
    """

    generator: VideoGenerator
    latent_dim: int
    label_counts: Tensor

    def sample(
        self,
        seeds: Sequence[int],
        labels: Sequence[int] | None = None,
        num_frames: int | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in [-1, 1] of any length; a longer clip of a seed begins with the shorter one.

        The article warns that beyond the trained length the motion may break. `truncation` shrinks
        the uniform latent towards 0.
        """
        return self._drawn(self._seeded(seeds, labels, truncation), self._times(num_frames))[-1]

    @property
    def continuous(self) -> bool:
        """Whether the frames lie on a path that has a state at every time: see `sample_at`."""
        return isinstance(self.generator.trajectory, DifferentialTrajectory)

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
        if not self.continuous:
            raise UserError(
                "this model makes whole frames only; train one with game.trajectory, such as ode1"
            )
        return self._drawn(self._seeded(seeds, labels, truncation), times)[-1]

    def levels(
        self,
        seeds: Sequence[int],
        labels: Sequence[int] | None = None,
        num_frames: int | None = None,
        truncation: float = 1.0,
    ) -> list[Float[Tensor, "batch channel time _ _"]]:
        """All frames of clips at each of the four resolutions, lowest first; the last is `sample`.

        They should agree (§5.6).

        Raises:
            UserError: The model renders the highest level only.
        """
        if not self.generator.every_level:
            raise UserError("this model renders its highest level only; it was trained on no other")
        return self._drawn(self._seeded(seeds, labels, truncation), self._times(num_frames))

    def interpolate(
        self,
        seeds: Sequence[int],
        factor: int,
        labels: Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel finer height width"]:
        """Clips with `factor` times the frame rate: the feature maps are up-sampled in time, or an
        equation is asked for them.

        Frames 0, factor, 2·factor, … are the frames of `sample`.
        """
        sources = self._seeded(seeds, labels, truncation)
        if self.continuous:
            return self._drawn(sources, finer_times(self.example_shape[1], factor))[-1]
        return self._drawn(sources, self._times(None), factor)[-1]

    def walk(
        self, seed_a: int, seed_b: int, stages: int, label: int | None = None
    ) -> Float[Tensor, "stages channel time height width"]:
        """Clips of latents on the straight line between those of two seeds (§5.5).

        A stochastic equation takes all of them along the path of the first seed.
        """
        labels = None if label is None else [label, label]
        ends = self._seeded([seed_a, seed_b], labels)
        weights = torch.linspace(0, 1, stages, device=self.device).unsqueeze(1)
        latent = torch.lerp(ends.latent[:1], ends.latent[1:], weights)
        first = [None if own is None else own[:1].expand(stages) for own in ends[1:]]
        return self._drawn(_Sources(latent, *first), self._times(None))[-1]

    def _seeded(
        self, seeds: Sequence[int], labels: Sequence[int] | None, truncation: float = 1.0
    ) -> _Sources:
        randomness = SeedRandomness(seeds)
        latent = truncation * randomness.uniform(len(seeds), self.latent_dim)
        # Paths first: labels that are not given are drawn too, and must not change them.
        paths = self.generator.draw_paths(randomness, len(seeds))
        classes = self._classes(randomness, len(seeds), labels)
        return _Sources(latent.to(self.device), classes, paths)

    def _classes(
        self, randomness: Randomness, count: int, labels: Sequence[int] | None = None
    ) -> Int[Tensor, " count"] | None:
        """Classes of clips; labels not given are drawn as training met them."""
        if not self.num_classes:
            return None
        if labels is None:
            return randomness.choice(count, self.label_counts + 1e-6).to(self.device)
        self.check_labels(labels)
        return torch.tensor(list(labels), device=self.device)

    def _times(self, num_frames: int | None) -> range:
        length = self.example_shape[1] if num_frames is None else num_frames
        if length < 1:
            raise UserError(f"a clip of {length} frames cannot be made; ask for 1 or more")
        return range(length)

    def _drawn(
        self, sources: _Sources, times: Sequence[int | float], factor: int = 1
    ) -> list[Tensor]:
        """Every rendered level, clip by clip: kernels round alike only for batches of one size."""
        clips = []
        with evaluation(self):
            for index in range(len(sources.latent)):
                latent, classes, path = sources.one(index)
                maps = self.generator.unroll(latent, times, classes, path)
                finer = upsample_trajectory(maps.flatten(2), factor)
                maps = finer.unflatten(2, maps.shape[2:])
                clips.append(self.generator.draw_evenly(maps, classes, self.example_shape[1]))
        return [torch.cat(level) for level in zip(*clips, strict=True)]

    def from_pixels(self, pixels: UInt8[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """(x − 128) / 128, so the range is [-1, 127/128] (authors' code)."""
        return (pixels.float() - 128) / 128

    def to_pixels(self, examples: Float[Tensor, "batch ..."]) -> UInt8[Tensor, "batch ..."]:
        """The inverse of `from_pixels`, rounded and clipped."""
        return (examples.float() * 128 + 128).round().clamp(0, 255).to(torch.uint8)
