"""What every trajectory is: a latent that moves through time."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Trajectory(nn.Module, ABC):
    """A network from one latent a video to one latent a frame.

    Attributes:
        num_frames: Latents in a trajectory as trained.
        frame_dim: Size of a frame's latent.
    """

    num_frames: int
    frame_dim: int

    @abstractmethod
    def forward(self, latent: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch time frame"]:
        """The latents of all frames, first frame first."""


def upsample_trajectory(
    trajectory: Float[Tensor, "batch time frame"], factor: int
) -> Float[Tensor, "batch finer frame"]:
    """Linear interpolation along time; every factor-th latent is the given one, bit for bit.

    TGAN §5.1 up-samples the output of the temporal generator this way to interpolate frames.

    Args:
        trajectory: T latents.
        factor: Steps between two given latents; the result has factor · (T − 1) + 1 latents.
    """
    if factor < 1:
        raise ValueError(f"factor is {factor}; it must be 1 or more")
    length = factor * (trajectory.shape[1] - 1) + 1
    finer = functional.interpolate(
        trajectory.transpose(1, 2), size=length, mode="linear", align_corners=True
    ).transpose(1, 2)
    finer = finer.clone()
    finer[:, ::factor] = trajectory  # rounding must not move the given frames
    return finer
