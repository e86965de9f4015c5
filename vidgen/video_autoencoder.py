"""The baseline of the VGAN article (§4.1.1): a video autoencoder whose codes are sampled.

Left to right, at the published size:

    clip 3×32×64×64 → VGAN's discriminator with a last layer of 100 → code (100)
    code → VGAN's two-stream generator → clip 3×32×64×64
    after training: codes of the training set → mixture of 256 Gaussians → new codes → clips

The article names neither the reconstruction loss nor the covariances. Here: mean squared
difference of pixels in [-1, 1]; full covariances from 1,000 codes a component on, else diagonal.
Written from the paper; no code was taken from the authors' repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from vidgen.adversarial.game import Batch, Game, Player, evaluation
from vidgen.adversarial.latents import Randomness, SeedRandomness
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.discriminators import SpacetimeDiscriminator
from vidgen.errors import UserError
from vidgen.streams import TwoStreamGenerator, initialize_streams_
from vidgen.vgan import ADAM, decode_streams

CODES_FOR_FULL_COVARIANCE = 1000
_MOMENTUM = 0.1


class VideoAutoencoder(Game):
    """An encoder and a decoder of clips with one aim, and a mixture of Gaussians over the codes.

    Until `fit_mixture` is called, codes are sampled from one normal distribution with the running
    mean and variance of the codes met in training.

    Args:
        num_frames: Frames of a clip; a multiple of frame_size / 4.
        frame_size: Height and width in pixels, a power of two from 8 on.
        channels: 3 for colour, 1 for grey.
        latent_dim: Size of the code.
        width: Channels of the encoder's first layer and before the decoder's last one.
        num_components: Gaussians of the mixture.
        optimizer: Of both networks.
    """

    def __init__(
        self,
        *,
        num_frames: int = 32,
        frame_size: int = 64,
        channels: Literal[1, 3] = 3,
        latent_dim: int = 100,
        width: int = 64,
        num_components: int = 256,
        optimizer: OptimizerSettings = ADAM,
    ) -> None:
        super().__init__()
        self.example_shape = (channels, num_frames, frame_size, frame_size)
        self.latent_dim, self.num_components = latent_dim, num_components
        self.optimizer = optimizer
        self.encoder = SpacetimeDiscriminator(self.example_shape, width, latent_dim)
        self.generator = TwoStreamGenerator(latent_dim, 1, self.example_shape, width)
        initialize_streams_(self)

        self.register_buffer("code_mean", torch.zeros(latent_dim))
        self.register_buffer("code_variance", torch.ones(latent_dim))
        self.code_mean: Tensor
        self.code_variance: Tensor
        # All 0 until the mixture is fitted. A factor L is lower triangular, L·Lᵀ the covariance.
        self.register_buffer("mixture_weights", torch.zeros(num_components))
        self.register_buffer("mixture_means", torch.zeros(num_components, latent_dim))
        self.register_buffer("mixture_factors", torch.zeros(num_components, latent_dim, latent_dim))
        self.mixture_weights: Tensor
        self.mixture_means: Tensor
        self.mixture_factors: Tensor

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
        """Mean squared difference between clips and what their codes give."""
        codes = self.encoder(batch.real)
        self._follow(codes.detach().float())
        video = self.generator(codes[:, :, None, None])["video"]
        return {"reconstruction": functional.mse_loss(video.float(), batch.real)}

    @torch.no_grad()
    def _follow(self, codes: Float[Tensor, "batch latent"]) -> None:
        self.code_mean.lerp_(codes.mean(dim=0), _MOMENTUM)
        spread = (codes - self.code_mean).square().mean(dim=0)
        self.code_variance.lerp_(spread, _MOMENTUM)

    def fakes(self, count: int) -> Float[Tensor, "count channel time height width"]:
        """Clips of fresh codes, for the moments of averaged weights."""
        codes = self.sample_codes(self.randomness, count)
        return self.generator(codes[:, :, None, None])["video"]

    # What the trained game is for.

    def encode(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch latent"]:
        """Codes of clips in [-1, 1]."""
        with evaluation(self):
            return self.encoder(clips.to(self.device))

    def reconstruct(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch channel time height width"]:
        """What the codes of clips in [-1, 1] give back."""
        return decode_streams(self, self.encode(clips)[:, :, None, None], None)["video"]

    def fit_mixture(
        self,
        codes: Float[Tensor, "count latent"],
        seed: int = 0,
        num_components: int | None = None,
    ) -> None:
        """Fits the mixture to the codes of the training set; samples then come from it.

        Takes minutes for 256 components and 100,000 codes. Fit it again after further training.

        Args:
            codes: What `encode` gave, one row a clip.
            seed: Of the fit's first guess.
            num_components: Gaussians, at most those of the constructor; `None` is as many.

        Raises:
            UserError: There are fewer codes than components or more components than those of the
                constructor, or some codes are not finite.
        """
        from sklearn.mixture import GaussianMixture

        count = self.num_components if num_components is None else num_components
        if not 1 <= count <= self.num_components:
            raise UserError(
                f"this game has room for 1 to {self.num_components} Gaussians, not {count}; "
                "train it with a larger game.num_components"
            )
        if len(codes) < count:
            raise UserError(
                f"{len(codes)} codes cannot be a mixture of {count} Gaussians; encode more clips "
                "or fit fewer Gaussians"
            )
        if not torch.isfinite(codes).all():
            raise UserError("some codes are not finite: the training has failed; train anew")
        plentiful = len(codes) >= count * CODES_FOR_FULL_COVARIANCE
        mixture = GaussianMixture(
            count,
            covariance_type="full" if plentiful else "diag",
            reg_covar=1e-6,
            random_state=seed,
        ).fit(codes.cpu().double().numpy())
        covariances = torch.as_tensor(mixture.covariances_)
        if not plentiful:
            covariances = torch.diag_embed(covariances)
        factors = torch.linalg.cholesky(covariances)
        fitted = (mixture.weights_, mixture.means_, factors)
        held = (self.mixture_weights, self.mixture_means, self.mixture_factors)
        for buffer, values in zip(held, fitted, strict=True):
            # Components beyond those fitted have weight 0: they are never drawn.
            buffer.zero_()[:count] = torch.as_tensor(values)

    def sample_codes(
        self, randomness: Randomness, count: int, truncation: float = 1.0
    ) -> Float[Tensor, "count latent"]:
        """New codes; `truncation` pulls them towards the mean of their Gaussian."""
        fitted = bool(self.mixture_weights.any())
        weights = self.mixture_weights if fitted else torch.ones(1)
        component = randomness.choice(count, weights).to(self.device)
        normal = truncation * randomness.normal(count, self.latent_dim).to(self.device)
        if not fitted:
            return self.code_mean + normal * self.code_variance.sqrt()
        around = torch.einsum("nij,nj->ni", self.mixture_factors[component], normal)
        return self.mixture_means[component] + around

    def sample(
        self,
        seeds: Sequence[int],
        labels: Sequence[int] | None = None,
        num_frames: int | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in [-1, 1] of new codes; `labels` mean nothing here.

        Raises:
            UserError: More frames are asked than the decoder makes.
        """
        return self.streams(seeds, num_frames, truncation)["video"]

    def streams(
        self, seeds: Sequence[int], num_frames: int | None = None, truncation: float = 1.0
    ) -> dict[str, Float[Tensor, "batch channel time height width"]]:
        """As VGAN's: `video`, `foreground`, `mask` and `background` of each seed.

        Raises:
            UserError: More frames are asked than the decoder makes.
        """
        codes = self.sample_codes(SeedRandomness(seeds), len(seeds), truncation)
        return decode_streams(self, codes[:, :, None, None], num_frames)
