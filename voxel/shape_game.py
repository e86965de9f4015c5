"""What the games of shapes have in common: their range, their latents, their pictures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

from vidgen.adversarial.game import Game, evaluation
from vidgen.adversarial.latents import Randomness, SeedRandomness
from vidgen.errors import UserError
from voxel.networks import VolumeEncoder, VoxelGenerator
from voxel.previews import turntable

Prior = Literal["uniform", "normal", "narrow_normal"]
_NARROW = 0.33  # deviation in most re-implementations


class ShapeGame(Game):
    """A game whose `generator` turns a latent into a volume of probabilities.

    Attributes:
        generator: From latent (and one-hot label) to volume.
        latent_dim: Size of the latent.
    """

    generator: VoxelGenerator
    latent_dim: int

    def __init__(self, resolution: int, latent_dim: int, num_classes: int = 0) -> None:
        super().__init__()
        self.example_shape = (1, resolution, resolution, resolution)
        self.latent_dim, self.num_classes = latent_dim, num_classes
        # How often training met each class: samples without a wish follow it.
        self.register_buffer("label_counts", torch.zeros(max(num_classes, 1)))
        self.label_counts: Tensor

    @abstractmethod
    def draw_latents(
        self, randomness: Randomness, count: int, truncation: float = 1.0
    ) -> Float[Tensor, "count latent"]:
        """Latents from the prior; truncation below 1 pulls them towards its mean."""

    @property
    @abstractmethod
    def feature_network(self) -> VolumeEncoder:
        """The network whose maps describe volumes."""

    # The range of volumes is [0, 1].

    def data_options(self) -> dict[str, object]:
        """What the data must look like, by the names of the data sets' own options."""
        return {"size": self.example_shape[-1]}

    def from_pixels(self, pixels: UInt8[Tensor, "batch 1 x y z"]) -> Float[Tensor, "batch 1 x y z"]:
        """Voxels 0 to 255 as occupancy in [0, 1]."""
        return pixels.float() / 255

    def to_pixels(self, examples: Float[Tensor, "batch 1 x y z"]) -> UInt8[Tensor, "batch 1 x y z"]:
        """The inverse of `from_pixels`, rounded."""
        return (examples.float() * 255).round().clamp(0, 255).to(torch.uint8)

    def pictures(
        self, seeds: Sequence[int], labels: Sequence[int] | None = None
    ) -> UInt8[Tensor, "count 1 time height width"]:
        """Samples on a turntable, grey on white."""
        return turntable(self.sample(seeds, labels))

    # What the trained game is for.

    def sample(
        self,
        seeds: Sequence[int],
        labels: Sequence[int] | None = None,
        num_frames: int | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch 1 x y z"]:
        """Volumes of probabilities; the same seed gives the same volume in any batch.

        Args:
            seeds: One a sample.
            labels: Class of each; `None` draws them as often as training met them.
            num_frames: Must be `None`: a shape has none.
            truncation: Below 1 the latents stay nearer to the mean of their distribution.

        Raises:
            UserError: A number of frames was asked, or a class that there is not.
        """
        if num_frames is not None:
            raise UserError(f"this model makes shapes, which have no {num_frames} frames")
        if labels is None and self.num_classes:
            labels = self.draw_labels(seeds)
        return self.decode(self.latents(seeds, truncation), labels)

    def latents(
        self, seeds: Sequence[int], truncation: float = 1.0
    ) -> Float[Tensor, "batch latent"]:
        """The latent of each seed."""
        return self.draw_latents(SeedRandomness(seeds), len(seeds), truncation).to(self.device)

    @property
    def mean_latent(self) -> Float[Tensor, " latent"]:
        """The middle of the latents' distribution."""
        return self.latents([0], truncation=0.0)[0]

    def draw_labels(self, seeds: Sequence[int]) -> list[int]:
        """A class for each seed, as often as training met it."""
        randomness = SeedRandomness(seeds)
        self.draw_latents(randomness, len(seeds))  # not the numbers of the latents again
        return randomness.choice(len(seeds), self.label_counts + 1e-6).tolist()

    def decode(
        self, latents: Float[Tensor, "batch latent"], labels: Sequence[int] | None = None
    ) -> Float[Tensor, "batch 1 x y z"]:
        """The volumes of latents, for interpolation and arithmetic.

        Raises:
            UserError: The game has classes and no labels were given, or wrong ones.
        """
        condition = self._condition_of(labels)
        with evaluation(self):
            return self.generator(latents.to(self.device), condition)

    def features(
        self,
        volumes: Float[Tensor, "batch 1 x y z"],
        labels: Sequence[int] | None = None,
    ) -> Float[Tensor, "batch features"]:
        """Max-pooled maps of volumes in [0, 1] (§4.2); the last ones are for retrieval.

        Raises:
            UserError: The game has classes and no labels were given, or wrong ones.
        """
        condition = self._condition_of(labels)
        with evaluation(self):
            return self.feature_network.features(volumes.to(self.device), condition)

    def _condition_of(self, labels: Sequence[int] | None) -> Float[Tensor, "batch kinds"] | None:
        if not self.num_classes:
            return None
        if labels is None:
            raise UserError(f"the model has {self.num_classes} classes: say which each shape is of")
        self.check_labels(labels)
        return self.one_hot(torch.tensor(list(labels)))

    def one_hot(self, labels: Int[Tensor, " batch"]) -> Float[Tensor, "batch kinds"]:
        """A 1 in the column of each label."""
        return functional.one_hot(labels.to(self.device), self.num_classes).float()


def draw_prior(
    prior: Prior, randomness: Randomness, count: int, latent_dim: int, truncation: float = 1.0
) -> Float[Tensor, "count latent"]:
    """Latents from a prior, pulled towards its mean by a truncation below 1.

    uniform is over [0, 1] in each coordinate, the paper's for 3D-GAN; normal is N(0, 1), its for
    3D-VAE-GAN; narrow_normal is N(0, 0.33²).
    """
    if prior == "uniform":
        return 0.5 + 0.5 * truncation * randomness.uniform(count, latent_dim)
    deviation = _NARROW if prior == "narrow_normal" else 1.0
    return truncation * deviation * randomness.normal(count, latent_dim)
