"""TGAN's temporal generator: a latent is unrolled over time by transposed convolutions.

Source: TGAN (Saito et al., 2017), §3.1, Table 1 left: slow latent (100) → 512 × 1 → 256 × 2 →
128 × 4 → 128 × 8 → fast latents 100 × 16.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn

from vidgen.adversarial.blocks import batch_norm
from vidgen.trajectories.base import Trajectory


class TemporalDeconvolution(Trajectory):
    """One latent a video → one latent a frame, by 1-D transposed convolutions.

    Args:
        latent_dim: Size of the slow latent, conditions joined to it counted in.
        frame_dim: Size of a fast latent.
        num_frames: Length of the trajectory, a power of two.
        width: Channels at the first moment; halved twice, then kept.
        shift: Give the BatchNorms an offset; the authors' code has none.
        epsilon: Of the BatchNorms.
    """

    def __init__(
        self,
        latent_dim: int = 100,
        frame_dim: int = 100,
        num_frames: int = 16,
        width: int = 512,
        shift: bool = False,
        epsilon: float = 2e-5,
    ) -> None:
        super().__init__()
        doublings = int(math.log2(num_frames)) if num_frames > 0 else -1
        if num_frames < 1 or 2**doublings != num_frames:
            raise ValueError(f"num_frames is {num_frames}; TGAN's needs a power of two, 1, 2, 4, …")
        if width < 4:
            raise ValueError(f"width is {width}; it must be 4 or more to be halved twice")
        self.num_frames, self.frame_dim = num_frames, frame_dim
        # 512, 256, 128, 128, … as in Table 1
        widths = [max(width // 2**level, width // 4) for level in range(doublings)]
        layers: list[nn.Module] = []
        channels = latent_dim
        for level, out in enumerate(widths):
            layers += [
                nn.ConvTranspose1d(channels, out, 1)
                if level == 0
                else nn.ConvTranspose1d(channels, out, 4, 2, 1),
                batch_norm(1, out, shift=shift, epsilon=epsilon),
                nn.ReLU(inplace=True),
            ]
            channels = out
        last = (
            nn.ConvTranspose1d(channels, frame_dim, 4, 2, 1)
            if doublings
            else nn.ConvTranspose1d(channels, frame_dim, 1)
        )
        self.layers = nn.Sequential(*layers, last, nn.Tanh())

    def forward(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch time frame"]:
        """Slow latents → fast latents in (-1, 1)."""
        return self.layers(latent.unsqueeze(-1)).transpose(1, 2)
