"""What a trained TGANv2 is for: clips of all frames, of any length, at every level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from vidgen.adversarial.game import Game, evaluation
from vidgen.adversarial.latents import Randomness, SeedRandomness
from vidgen.errors import UserError
from vidgen.tganv2_generator import VideoGenerator
from vidgen.trajectories.base import upsample_trajectory


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
        return self._drawn(*self._seeded(seeds, labels, truncation), num_frames)[-1]

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
        return self._drawn(*self._seeded(seeds, labels, truncation), num_frames)

    def interpolate(
        self,
        seeds: Sequence[int],
        factor: int,
        labels: Sequence[int] | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel finer height width"]:
        """Clips with `factor` times the frame rate: the feature maps are up-sampled in time.

        Frames 0, factor, 2·factor, … are the frames of `sample`.
        """
        return self._drawn(*self._seeded(seeds, labels, truncation), None, factor)[-1]

    def walk(
        self, seed_a: int, seed_b: int, stages: int, label: int | None = None
    ) -> Float[Tensor, "stages channel time height width"]:
        """Clips of latents on the straight line between those of two seeds (§5.5)."""
        labels = None if label is None else [label, label]
        ends, classes = self._seeded([seed_a, seed_b], labels)
        weights = torch.linspace(0, 1, stages, device=self.device).unsqueeze(1)
        latent = torch.lerp(ends[:1], ends[1:], weights)
        if classes is not None:
            classes = classes[:1].expand(stages)
        return self._drawn(latent, classes, None)[-1]

    def _seeded(
        self, seeds: Sequence[int], labels: Sequence[int] | None, truncation: float = 1.0
    ) -> tuple[Float[Tensor, "count latent"], Int[Tensor, " count"] | None]:
        """Latents and classes of seeds; labels not given are drawn as training met them."""
        randomness = SeedRandomness(seeds)
        latent = truncation * randomness.uniform(len(seeds), self.latent_dim)
        return latent.to(self.device), self._classes(randomness, len(seeds), labels)

    def _classes(
        self, randomness: Randomness, count: int, labels: Sequence[int] | None = None
    ) -> Int[Tensor, " count"] | None:
        if not self.num_classes:
            return None
        if labels is None:
            return randomness.choice(count, self.label_counts + 1e-6).to(self.device)
        self.check_labels(labels)
        return torch.tensor(list(labels), device=self.device)

    def _drawn(
        self, latent: Tensor, classes: Tensor | None, num_frames: int | None, factor: int = 1
    ) -> list[Tensor]:
        """Every rendered level, clip by clip: kernels round alike only for batches of one size."""
        trained = self.example_shape[1]
        length = trained if num_frames is None else num_frames
        if length < 1:
            raise UserError(f"a clip of {length} frames cannot be made; ask for 1 or more")
        clips = []
        with evaluation(self):
            for index in range(len(latent)):
                own = None if classes is None else classes[index : index + 1]
                maps = self.generator.unroll(latent[index : index + 1], length, own)
                finer = upsample_trajectory(maps.flatten(2), factor)
                maps = finer.unflatten(2, maps.shape[2:])
                clips.append(self.generator.draw_evenly(maps, own, trained))
        return [torch.cat(level) for level in zip(*clips, strict=True)]

    def from_pixels(self, pixels: UInt8[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        """(x − 128) / 128, so the range is [-1, 127/128] (authors' code)."""
        return (pixels.float() - 128) / 128

    def to_pixels(self, examples: Float[Tensor, "batch ..."]) -> UInt8[Tensor, "batch ..."]:
        """The inverse of `from_pixels`, rounded and clipped."""
        return (examples.float() * 128 + 128).round().clamp(0, 255).to(torch.uint8)
