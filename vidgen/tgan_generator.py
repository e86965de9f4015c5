"""TGAN's generator: the left half of its Figure 1, at whole frames or at any time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from vidgen.adversarial.latents import Randomness
from vidgen.frames import BranchedImageGenerator
from vidgen.trajectories.base import Trajectory, upsample_trajectory
from vidgen.trajectories.brownian import path_seeds
from vidgen.trajectories.differential import DifferentialTrajectory, finer_times
from vidgen.trajectories.settings import PublishedEquation

# The equation in the place of the temporal generator, as Gordon and Parde (2020) ran it.
EQUATION = PublishedEquation("single_layer", 978, embedding=(512, 512, 512), glorot=True)


class VideoGenerator(nn.Module):
    """Slow latent → fast latents → frames.

    Args:
        temporal: The temporal generator.
        image: The image generator; its branches take the slow latent (if `slow_to_frames`), the
            fast latent and the one-hot label (if the game has classes), in this order.
        slow_to_frames: Show the slow latent to the image generator; without it a frame knows only
            its fast latent, the article's "G1(z1) only".
    """

    def __init__(
        self, temporal: Trajectory, image: BranchedImageGenerator, slow_to_frames: bool
    ) -> None:
        super().__init__()
        self.temporal = temporal
        self.image = image
        self.slow_to_frames = slow_to_frames

    def forward(
        self,
        slow: Float[Tensor, "batch slow"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in (-1, 1)."""
        return self.draw(slow, self.unroll(slow, labels), labels)

    def unroll(
        self,
        slow: Float[Tensor, "batch slow"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch time fast"]:
        """Fast latents of all frames."""
        return self.temporal(self.conditioned(slow, labels))

    def unroll_finer(
        self,
        factor: int,
        slow: Float[Tensor, "batch slow"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch finer fast"]:
        """Fast latents at `factor` times the frame rate, on lines between frames (§5.1)."""
        return upsample_trajectory(self.unroll(slow, labels), factor)

    @staticmethod
    def conditioned(
        slow: Float[Tensor, "batch slow"], labels: Float[Tensor, "batch kinds"] | None
    ) -> Float[Tensor, "batch latent"]:
        """What the temporal generator is given: the slow latent, and the label if there is one."""
        return slow if labels is None else torch.cat([slow, labels], dim=1)

    def draw(
        self,
        slow: Float[Tensor, "batch slow"],
        fast: Float[Tensor, "batch time fast"],
        labels: Float[Tensor, "batch kinds"] | None = None,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Frames of a trajectory; the batch of images is video by video, frame index fastest."""
        batch, frames, _ = fast.shape
        latents = [fast.flatten(0, 1)]  # (B·T, fast)
        if self.slow_to_frames:
            latents.insert(0, slow.repeat_interleave(frames, dim=0))
        if labels is not None:
            latents.append(labels.repeat_interleave(frames, dim=0))
        images = self.image(*latents)  # (B·T, C, H, W)
        return images.unflatten(0, (batch, frames)).transpose(1, 2)  # (B, C, T, H, W)


class ContinuousVideoGenerator(VideoGenerator):
    """The same with a differential equation as temporal generator: it knows every time.

    Args:
        temporal: The equation.
        image: See `VideoGenerator`.
        slow_to_frames: See `VideoGenerator`.
    """

    def __init__(
        self, temporal: DifferentialTrajectory, image: BranchedImageGenerator, slow_to_frames: bool
    ) -> None:
        super().__init__(temporal, image, slow_to_frames)
        self.temporal: DifferentialTrajectory

    def forward(
        self,
        slow: Float[Tensor, "batch slow"],
        labels: Float[Tensor, "batch kinds"] | None = None,
        path_seeds: Int[Tensor, " batch"] | None = None,
        times: Sequence[int | float] | None = None,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in (-1, 1); see `unroll`."""
        return self.draw(slow, self.unroll(slow, labels, path_seeds, times), labels)

    def unroll(
        self,
        slow: Float[Tensor, "batch slow"],
        labels: Float[Tensor, "batch kinds"] | None = None,
        path_seeds: Int[Tensor, " batch"] | None = None,
        times: Sequence[int | float] | None = None,
    ) -> Float[Tensor, "batch time fast"]:
        """Fast latents at times in frames; `None` is all frames of a trained clip.

        A stochastic equation needs `path_seeds`, one a clip.
        """
        chosen = range(self.temporal.num_frames) if times is None else times
        return self.temporal.at(self.conditioned(slow, labels), chosen, path_seeds)

    def unroll_finer(
        self,
        factor: int,
        slow: Float[Tensor, "batch slow"],
        labels: Float[Tensor, "batch kinds"] | None = None,
        path_seeds: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch finer fast"]:
        """Fast latents at `factor` times the frame rate, where the equation has them."""
        return self.unroll(slow, labels, path_seeds, finer_times(self.temporal.num_frames, factor))

    def draw_paths(self, randomness: Randomness, count: int) -> list[Int[Tensor, " count"]]:
        """Seeds of paths, of a stochastic equation; nothing of any other."""
        return [path_seeds(randomness, count)] if self.temporal.stochastic else []
