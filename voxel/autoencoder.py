"""The baseline of the 3D-GAN article (§4.1): a volumetric autoencoder whose codes are sampled.

Left to right, at the published size:

    volume 1×64×64×64 → 3D-GAN's discriminator with a last layer of 200 → code (200)
    code (200)        → 3D-GAN's generator                              → volume 1×64×64×64
    after training: codes of the training set → one Gaussian → new codes → volumes

The article names no loss; here it is the cross-entropy of voxels. The Gaussian has a full
covariance.
Written from the paper; no code was taken from the authors' repository.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from vidgen.adversarial.game import Batch, Player, evaluation
from vidgen.adversarial.latents import Randomness
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.errors import UserError
from voxel.networks import VolumeEncoder, VoxelGenerator
from voxel.shape_game import ShapeGame

ADAM = OptimizerSettings(learning_rate=1e-3)
_MEMORY = 0.01
_RIDGE = 1e-6


class VoxelAutoencoder(ShapeGame):
    """An encoder and a decoder of volumes with one aim, and a Gaussian over the codes.

    Until `fit_gaussian` is called, it has the running mean and covariance of the codes met in
    training.

    Args:
        resolution: Voxels a side, a power of two from 8 on.
        latent_dim: Size of the code.
        width: Channels of the encoder's first layer and before the decoder's last one.
        optimizer: Of both networks.
    """

    def __init__(
        self,
        *,
        resolution: int = 64,
        latent_dim: int = 200,
        width: int = 64,
        optimizer: OptimizerSettings = ADAM,
    ) -> None:
        super().__init__(resolution, latent_dim)
        self.encoder = VolumeEncoder(resolution, width, latent_dim, bias=True)
        self.generator = VoxelGenerator(latent_dim, resolution, width)
        self.optimizer = optimizer
        self.register_buffer("code_mean", torch.zeros(latent_dim))
        self.register_buffer("code_covariance", torch.eye(latent_dim))
        self.code_mean: Tensor
        self.code_covariance: Tensor

    def players(self) -> list[Player]:
        """Encoder and decoder as one."""
        return [
            Player(
                name="autoencoder",
                modules=[self.encoder, self.generator],
                optimizer=self.optimizer,
                loss=self.reconstruction_loss,
            )
        ]

    def reconstruction_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy between the voxels of volumes and of what their codes give."""
        codes = self.encoder(batch.real)
        self._follow(codes.detach())
        log_odds = self.generator.logits(codes)
        loss = functional.binary_cross_entropy_with_logits(log_odds, batch.real)
        return {"reconstruction": loss}

    @torch.no_grad()
    def _follow(self, codes: Float[Tensor, "batch latent"]) -> None:
        self.code_mean.lerp_(codes.mean(dim=0), _MEMORY)
        apart = codes - self.code_mean
        self.code_covariance.lerp_(apart.T @ apart / len(codes), _MEMORY)

    # What the trained game is for.

    def draw_latents(
        self, randomness: Randomness, count: int, truncation: float = 1.0
    ) -> Float[Tensor, "count latent"]:
        """New codes from the Gaussian; truncation below 1 pulls them towards its mean."""
        ridge = _RIDGE * torch.eye(self.latent_dim, dtype=torch.float64)
        factor = torch.linalg.cholesky(self.code_covariance.cpu().double() + ridge)
        normal = truncation * randomness.normal(count, self.latent_dim)
        return self.code_mean.cpu() + (normal.double() @ factor.T).float()

    def fakes(self, count: int) -> Float[Tensor, "count 1 x y z"]:
        """Volumes of new codes, for the moments of averaged weights."""
        return self.generator(self.draw_latents(self.randomness, count).to(self.device))

    @property
    def feature_network(self) -> VolumeEncoder:
        """The encoder."""
        return self.encoder

    def encode(self, volumes: Float[Tensor, "batch 1 x y z"]) -> Float[Tensor, "batch latent"]:
        """Codes of volumes in [0, 1]."""
        with evaluation(self):
            return self.encoder(volumes.to(self.device))

    def reconstruct(
        self, volumes: Float[Tensor, "batch 1 x y z"]
    ) -> Float[Tensor, "batch 1 x y z"]:
        """What the codes of volumes in [0, 1] give back."""
        return self.decode(self.encode(volumes))

    def fit_gaussian(self, codes: Float[Tensor, "count latent"]) -> None:
        """Takes mean and covariance of the training set's codes; samples then come from it.

        Args:
            codes: What `encode` gave, one row a volume.

        Raises:
            UserError: There are fewer than two, or some are not finite.
        """
        if len(codes) < 2:
            raise UserError(f"{len(codes)} codes have no covariance; encode more volumes")
        if not torch.isfinite(codes).all():
            raise UserError("some codes are not finite: the training has failed; train anew")
        exact = codes.double()
        self.code_mean.copy_(exact.mean(dim=0))
        self.code_covariance.copy_(torch.cov(exact.T).view_as(self.code_covariance))
