"""TGANv2's temporal generator: a convolutional LSTM walks through feature maps by itself.

Source: TGANv2 (Saito et al., 2020), §4.1 and the authors' code, at 192 pixels:
latent (256) → linear → 1024×3×3 → ConvLSTM → 1024×3×3 for each of 16 frames.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidgen.adversarial.blocks import initialize_


class ConvLSTM(nn.Module):
    """One latent a video → one feature map a frame.

    The latent enters at the first frame only; from the second on the input is a tensor of zeros, so
    a path has no length of its own, and the first maps of a long one are those of a short one.

    Args:
        latent_dim: Size of the latent, a one-hot label joined to it counted in.
        channels: Of a feature map, and of the state.
        size: Height and width of a feature map.
        forget_bias: Of the forget gates at the start. At 0, the authors' code's, the cell halves
            from frame to frame and so does what is left of the latent; at 3 it keeps 0.95.
    """

    def __init__(
        self,
        latent_dim: int = 256,
        channels: int = 1024,
        size: int = 3,
        forget_bias: float = 0.0,
    ) -> None:
        super().__init__()
        self.map_shape = (channels, size, size)
        self.start = nn.Linear(latent_dim, channels * size * size)
        # Of both: input, forget and output gate, then the candidate.
        self.from_input = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.from_state = nn.Conv2d(channels, 4 * channels, 3, padding=1, bias=False)
        initialize_(self, "lecun_normal")
        _, forget, _, _ = self._still_input().chunk(4)
        nn.init.constant_(forget, forget_bias)

    def forward(
        self, latent: Float[Tensor, "batch latent"], num_frames: int
    ) -> Float[Tensor, "batch time channel height width"]:
        """The maps of so many frames, each in (-1, 1)."""
        first = self.start(latent).unflatten(1, self.map_shape)  # (B, C, H, W)
        gates, cell, maps = self.from_input(first), None, []
        for _ in range(num_frames):
            if maps:
                # Of zeros the input's convolution leaves its bias.
                gates = self.from_state(maps[-1]) + self._still_input()
            hidden, cell = _step(gates, cell)
            maps.append(hidden)
        return torch.stack(maps, dim=1)

    def _still_input(self) -> Float[Tensor, "gates 1 1"]:
        bias = self.from_input.bias
        assert bias is not None
        return bias[:, None, None]


def _step(
    gates: Float[Tensor, "batch gates height width"],
    cell: Float[Tensor, "batch channel height width"] | None,
) -> tuple[
    Float[Tensor, "batch channel height width"], Float[Tensor, "batch channel height width"]
]:
    """Output and cell after a frame; in float32, because rounding would add up along the path."""
    keep_in, keep_old, show, candidate = gates.float().chunk(4, dim=1)
    new = keep_in.sigmoid() * candidate.tanh()
    if cell is not None:
        new = keep_old.sigmoid() * cell + new
    return show.sigmoid() * new.tanh(), new
