"""The baseline of the TGAN article: a "3D model" that unrolls space and time together.

Source: TGAN (Saito et al., 2017), §6.1. Same critic, loss and constraint as TGAN; only the
generator differs. Where "512" could be the width before or after the first transposed convolution,
we take before (11.9 million parameters, not 45.7).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidgen.adversarial.blocks import batch_norm
from vidgen.tgan import TGAN


class VolumetricGenerator(nn.Module):
    """The article's "3D model": space and time are unrolled together.

    z0 (100) → linear 512×1×4×4 → 256×2×8×8 → 128×4×16×16 → 64×8×32×32 → 3×16×64×64 (§6.1).
    """

    def __init__(self, latent_dim: int, channels: int, width: int, epsilon: float = 2e-5) -> None:
        super().__init__()
        self.width = width
        features = width * 16
        self.bottom = nn.Sequential(
            nn.Linear(latent_dim, features, bias=False),
            batch_norm(1, features, epsilon=epsilon),
            nn.ReLU(inplace=True),
        )
        layers: list[nn.Module] = []
        for level in range(3):
            before, after = width // 2**level, width // 2 ** (level + 1)
            layers += [
                nn.ConvTranspose3d(before, after, 4, 2, 1, bias=False),
                batch_norm(3, after, epsilon=epsilon),
                nn.ReLU(inplace=True),
            ]
        self.layers = nn.Sequential(
            *layers, nn.ConvTranspose3d(width // 8, channels, 4, 2, 1), nn.Tanh()
        )

    def forward(
        self,
        slow: Float[Tensor, "batch slow"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch channel 16 64 64"]:
        """Clips in (-1, 1)."""
        latent = slow if labels is None else torch.cat([slow, labels], dim=1)
        return self.layers(self.bottom(latent).view(-1, self.width, 1, 4, 4))


class VolumetricTGAN(TGAN):
    """The article's "3D model" (§6.1): TGAN's critic and rules, a 3-D deconvolution generator.

    Makes 16 frames of 64 pixels. Takes the options of `TGAN`; those of the temporal generator and
    the fast latent have no effect.
    """

    def _generator(
        self,
        fast_dim: int,
        temporal_width: int,
        image_width: int,
        slow_to_frames: bool,
        shift: bool,
    ) -> nn.Module:
        if self.example_shape[1:] != (16, 64, 64):
            raise ValueError("VolumetricTGAN makes 16 frames of 64 pixels and nothing else")
        if self.trajectory is not None:
            raise ValueError("VolumetricTGAN has no trajectory: leave game.trajectory out")
        return VolumetricGenerator(
            self.slow_dim + self.num_classes, self.example_shape[0], image_width
        )
