"""3D-VAE-GAN: from one image to a volume.

Jiajun Wu, Chengkai Zhang, Tianfan Xue, William T. Freeman, Joshua B. Tenenbaum, NIPS 2016, §3.2. An
image encoder gives a Gaussian over the latents of a 3D-GAN, whose generator is at the same time the
decoder of a variational autoencoder.

Left to right, at the published size:

    image y 3×256×256 → 64×64×64 → 128×32×32 → 256×16×16 → 512×8×8 → μ (200), log σ² (200)
    latent z (200) → 3D-GAN's generator     → volume 1×64×64×64
    volume         → 3D-GAN's discriminator → real or generated

Each step, for pairs of volume x and image y and one z drawn from N(0, I) (supplement A.3):

    discriminator   log D(x) + log(1 - D(G(z)))             ↑  while its accuracy is at most 80 %
    encoder         α1·KL(N(μ, σ²) | N(0, I)) + α2·|G(E(y)) - x|    ↓  through a generator at rest
    generator       log(1 - D(G(z))) + α2·|G(E(y)) - x|             ↓  E(y) as a given

Where this differs from the paper
    - α1 = 5 and α2 = 1e-4 are given, but not over what KL and distance are summed, which decides
      all: summed KL and a plain norm (`reduction="literal"`) weigh 40,000 to 1 at the start, and
      every image gives the same shape. Here KL is a mean over the latent and the squared distance
      a sum over voxels ("scaled"); "kl_sum" sums both, "mean" averages both.
    - The supplement lets the discriminator minimise what it must maximise, and leaves out α1, α2
      where the article has them; the article is followed.
    - The encoder gives the logarithm of the variance, within [-10, 10].
    - Its paddings (5, 2, 2, 2, 0) and learning rate (1e-4) are not given.
    - The generator's loss is non-saturating; `loss="minimax"` is the article's.
    - `sees_reconstructions` shows G(E(y)) to the discriminator too, as the VAE-GAN of Larsen et al.
      (2016) does; `distance="cross_entropy"` compares voxel by voxel with cross-entropy.
    - See `voxel.gan` for both networks of volumes, whose options are taken too.
One model of all classes and models of one class each (§4.3) differ only in the data's classes.
Written from the paper; no code was taken from the authors' repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from vidgen.adversarial.game import Batch, Player, evaluation, fixed_statistics
from vidgen.adversarial.latents import StepRandomness
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.errors import UserError
from voxel.gan import VoxelGAN
from voxel.networks import ImageEncoder

ENCODER_ADAM = OptimizerSettings(learning_rate=1e-4)
Reduction = Literal["scaled", "literal", "kl_sum", "mean"]
Distance = Literal["squares", "cross_entropy"]
_UNDER_THE_ROOT = 1e-12


class VoxelVAEGAN(VoxelGAN):
    """3D-VAE-GAN: a 3D-GAN and an encoder of images.

    Takes the options of `VoxelGAN`; the prior is normal.

    Args:
        image_size: Height and width of the images in pixels, a multiple of 32.
        encoder_width: Channels of the encoder's first layer; doubled by each.
        divergence_weight: α1, of the KL divergence.
        reconstruction_weight: α2, of the distance between volumes.
        generator_reconstruction_weight: α2 of the generator; `None` is the encoder's.
        reduction: Over latents and voxels: "scaled" is a mean and a sum of squares, "kl_sum" sums
            both, "mean" averages both, "literal" is a sum and the root of a sum of squares.
        distance: "squares" of differences, or "cross_entropy" (not with "literal").
        warm_up: Steps in which `divergence_weight` grows from 0; 0 is none.
        sees_reconstructions: The discriminator judges what the encoder's latents become, too.
        encoder_optimizer: Of the encoder.
    """

    def __init__(
        self,
        *,
        image_size: int = 256,
        encoder_width: int = 64,
        divergence_weight: float = 5.0,
        reconstruction_weight: float = 1e-4,
        generator_reconstruction_weight: float | None = None,
        reduction: Reduction = "scaled",
        distance: Distance = "squares",
        warm_up: int = 0,
        sees_reconstructions: bool = False,
        encoder_optimizer: OptimizerSettings = ENCODER_ADAM,
        **options: Any,
    ) -> None:
        super().__init__(prior="normal", **options)
        # A description lists the options of VoxelGAN beside the others, not as one named `options`.
        self.arguments |= self.arguments.pop("options", {})
        if reduction == "literal" and distance == "cross_entropy":
            raise ValueError("reduction literal is the root of squares: set distance to squares")
        if generator_reconstruction_weight is None:
            generator_reconstruction_weight = reconstruction_weight
        self.view_shape = (3, image_size, image_size)
        self.encoder = ImageEncoder(self.latent_dim, image_size, encoder_width)
        self.divergence_weight, self.warm_up = divergence_weight, warm_up
        self.reconstruction_weight = reconstruction_weight
        self.generator_reconstruction_weight = generator_reconstruction_weight
        self.reduction: Reduction = reduction
        self.distance: Distance = distance
        self.sees_reconstructions = sees_reconstructions
        self.encoder_optimizer = encoder_optimizer
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.long))
        self.steps_done: Tensor

    # Supplement A.3: three updates in this order.

    def players(self) -> list[Player]:
        """Discriminator, encoder, generator."""
        discriminator, generator = super().players()
        encoder = Player(
            name="encoder",
            modules=[self.encoder],
            optimizer=self.encoder_optimizer,
            loss=self.encoder_loss,
            after_move=self._count_step,
        )
        return [discriminator, encoder, generator]

    def encoder_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The price of the code, and how well the generator, at rest, makes a volume of it."""
        mean, log_variance = self.encoder(self._views(batch))
        latents = self._reparameterized(mean, log_variance)
        with fixed_statistics(self.generator):
            distance = self._distance(latents, batch)
        grown = min(1.0, int(self.steps_done) / self.warm_up) if self.warm_up else 1.0
        divergence = kl_divergence(mean, log_variance, self.reduction)
        return {
            "divergence": grown * self.divergence_weight * divergence,
            "reconstruction": self.reconstruction_weight * distance,
        }

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The discriminator's opinion of the same z, and the distance from the encoder's new z."""
        with torch.no_grad(), fixed_statistics(self.encoder):
            latents = self._encoded_latents(batch)
        terms = super().generator_loss(batch)
        distance = self._distance(latents, batch)
        terms["reconstruction"] = self.generator_reconstruction_weight * distance
        return terms

    def _distance(self, latents: Float[Tensor, "batch latent"], batch: Batch) -> Float[Tensor, ""]:
        log_odds = self.generator.logits(latents, self._condition(batch))
        return volume_distance(log_odds, batch.real, self.reduction, self.distance)

    def _judged_fakes(
        self, batch: Batch, condition: Float[Tensor, "batch kinds"] | None
    ) -> list[Tensor]:
        fakes = super()._judged_fakes(batch, condition)
        if self.sees_reconstructions:
            with fixed_statistics(self.encoder):
                fakes.append(self.generator(self._encoded_latents(batch), condition))
        return fakes

    def _latents_for(self, batch: Batch) -> Float[Tensor, "batch latent"]:
        """z, the same for discriminator and generator."""
        if "latents" not in batch.made:
            batch.made["latents"] = super()._latents_for(batch)
        return batch.made["latents"]

    def _encoded_latents(self, batch: Batch) -> Float[Tensor, "batch latent"]:
        return self._reparameterized(*self.encoder(self._views(batch)))

    def _reparameterized(
        self, mean: Float[Tensor, "batch latent"], log_variance: Float[Tensor, "batch latent"]
    ) -> Float[Tensor, "batch latent"]:
        noise = self.randomness.normal(*mean.shape).to(mean)
        return mean + torch.exp(log_variance / 2) * noise

    def _views(self, batch: Batch) -> Float[Tensor, "batch 3 height width"]:
        if batch.views is None:
            raise UserError("the data has no images of its shapes; use data.ShapeViews")
        return batch.views

    def _count_step(self, step: int) -> None:
        self.steps_done.fill_(step)

    # What the trained game is for.

    def data_options(self) -> dict[str, object]:
        """What the data must look like, by the names of the data sets' own options."""
        return {**super().data_options(), "view_size": self.encoder.image_size}

    def encode(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, "batch latent"]]:
        """Means and log-variances of the latents of images in [-1, 1]."""
        with evaluation(self):
            return self.encoder(images.to(self.device))

    def reconstruct(
        self,
        images: Float[Tensor, "batch 3 height width"],
        labels: Sequence[int] | None = None,
        num_samples: int = 0,
        seed: int = 0,
    ) -> Float[Tensor, "batch 1 x y z"]:
        """Volumes of images in [-1, 1].

        Args:
            images: Of the size that the game was made for.
            labels: Class of each, if the game has classes.
            num_samples: Latents drawn for each image, whose volumes are averaged; 0 takes the mean
                latent.
            seed: Of these.

        Raises:
            UserError: The game has classes and no labels were given, or wrong ones.
        """
        mean, log_variance = self.encode(images)
        if not num_samples:
            return self.decode(mean, labels)
        deviation, randomness = torch.exp(log_variance / 2), StepRandomness(seed)
        volumes = torch.zeros(len(images), *self.example_shape, device=self.device)
        for _ in range(num_samples):
            noise = randomness.normal(*mean.shape).to(mean)
            volumes += self.decode(mean + deviation * noise, labels)
        return volumes / num_samples


def kl_divergence(
    mean: Float[Tensor, "batch latent"],
    log_variance: Float[Tensor, "batch latent"],
    reduction: Reduction,
) -> Float[Tensor, ""]:
    """Equation 4 in closed form, from N(mean, variance) to N(0, I); a mean over the batch."""
    each = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1)
    return each.mean() if reduction in ("scaled", "mean") else each.sum(dim=1).mean()


def volume_distance(
    log_odds: Float[Tensor, "batch 1 x y z"],
    real: Float[Tensor, "batch 1 x y z"],
    reduction: Reduction,
    distance: Distance = "squares",
) -> Float[Tensor, ""]:
    """Equation 5, the distance of generated volumes from real ones; a mean over the batch."""
    if distance == "cross_entropy":
        each = functional.binary_cross_entropy_with_logits(log_odds, real, reduction="none")
    else:
        each = (torch.sigmoid(log_odds) - real).square()
    if reduction == "mean":
        return each.mean()
    sums = each.flatten(1).sum(dim=1)
    return (sums + _UNDER_THE_ROOT).sqrt().mean() if reduction == "literal" else sums.mean()
