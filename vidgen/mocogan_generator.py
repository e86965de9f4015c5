"""What a MoCoGAN clip is made of, and the generator that makes it: the middle of Figure 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from vidgen.adversarial.latents import Randomness
from vidgen.errors import UserError
from vidgen.frames import ImageGenerator
from vidgen.trajectories.base import upsample_trajectory
from vidgen.trajectories.differential import DifferentialTrajectory, finer_times
from vidgen.trajectories.recurrent import RecurrentTrajectory
from vidgen.trajectories.settings import DifferentialSettings, PublishedEquation

Labels = Sequence[int] | Sequence[Sequence[int]]


@dataclass(frozen=True)
class VideoLatents:
    """All that clips are made of: equal latents give equal frames.

    Attributes:
        content: z_C, one a clip.
        start: h(0), the motion network's state before the first frame.
        noise: ε, one a frame.
        categories: z_A, one-hot, one a frame; the last axis is empty without categories.
        path_seeds: Seed of each clip's path, on the CPU; `None` unless a stochastic equation moves
            them.
    """

    content: Float[Tensor, "batch content"]
    start: Float[Tensor, "batch motion"]
    noise: Float[Tensor, "batch time noise"]
    categories: Float[Tensor, "batch shown kinds"]  # shown differs from time in slow motion
    path_seeds: Int[Tensor, " batch"] | None = None

    def __len__(self) -> int:
        return len(self.content)

    @property
    def num_frames(self) -> int:
        """Length of the clips."""
        return self.noise.shape[1]

    def first_categories(self) -> Int[Tensor, " batch"]:
        """Index of the category that each clip begins with; 0 without categories."""
        if not self.categories.shape[2]:
            return torch.zeros(len(self), dtype=torch.long, device=self.content.device)
        return self.categories[:, 0].argmax(dim=1)

    def first_frames(self, num_frames: int) -> VideoLatents:
        """Those of the same clips, cut short."""
        return replace(
            self, noise=self.noise[:, :num_frames], categories=self.categories[:, :num_frames]
        )

    def clips(self, chosen: Sequence[int] | slice) -> VideoLatents:
        """Those of some of the clips, in this order."""
        index = list(chosen) if not isinstance(chosen, slice) else chosen
        return VideoLatents(
            self.content[index],
            self.start[index],
            self.noise[index],
            self.categories[index],
            None if self.path_seeds is None else self.path_seeds[index],
        )

    def with_content_of(self, other: VideoLatents) -> VideoLatents:
        """The same motions in the other's contents."""
        return replace(self, content=other.content)


def recombined(contents: VideoLatents, motions: VideoLatents) -> VideoLatents:
    """Every content with every motion, content by content (Figure 4b, row by row)."""
    rows = [index for index in range(len(contents)) for _ in range(len(motions))]
    columns = list(range(len(motions))) * len(contents)
    return motions.clips(columns).with_content_of(contents.clips(rows))


def category_schedule(categories: Sequence[int], every: int, num_frames: int) -> list[int]:
    """One category a frame, the next of `categories` every so many frames, round and round.

    Args:
        categories: In the order in which they come.
        every: Frames before the next one.
        num_frames: Length of the clip.
    """
    if every < 1 or not categories:
        raise UserError(f"cannot change among {list(categories)} every {every} frames")
    return [categories[frame // every % len(categories)] for frame in range(num_frames)]


def labels_by_frame(labels: Labels, num_frames: int) -> Int[Tensor, "batch time"]:
    """Labels of clips spread over their frames; those given frame by frame are kept.

    Raises:
        UserError: A clip has labels for another number of frames.
    """
    rows = [
        list(label) if isinstance(label, Sequence) else [label] * num_frames for label in labels
    ]
    wrong = next((len(row) for row in rows if len(row) != num_frames), None)
    if wrong is not None:
        raise UserError(
            f"{wrong} categories were given for {num_frames} frames; give one for the clip, or "
            "one a frame"
        )
    return torch.tensor(rows).view(len(rows), num_frames)


def one_hot(labels: Int[Tensor, "*shape"], kinds: int) -> Float[Tensor, "*shape kinds"]:
    """One-hot labels; their axis is empty without kinds."""
    if not kinds:
        return torch.zeros(*labels.shape, 0)
    return functional.one_hot(labels, kinds).float()


def moments(randomness: Randomness, limits: Sequence[int]) -> Int[Tensor, " batch"]:
    """For each row a whole number from 0 to its limit - 1, all equally likely."""
    uniform = (randomness.uniform(len(limits)) + 1) / 2
    counts = torch.tensor(limits)
    return (uniform * counts).long().clamp(max=counts - 1)


class VideoGenerator(nn.Module):
    """Content, and motion codes unrolled from noise → frames.

    Args:
        motion: R_M, the motion network.
        image: G_I, the image generator.
        category_to: Who is told the category: "rnn" or the image "generator".
        begin_at_start: The first motion code is the starting state itself, not the first step
            from it; in the image-to-video game the given image has that code.
    """

    def __init__(
        self,
        motion: RecurrentTrajectory | DifferentialTrajectory,
        image: ImageGenerator,
        category_to: Literal["rnn", "generator"] = "rnn",
        begin_at_start: bool = False,
    ) -> None:
        super().__init__()
        self.motion = motion
        self.image = image
        self.category_to = category_to
        self.begin_at_start = begin_at_start

    def forward(self, latents: VideoLatents) -> Float[Tensor, "batch channel time height width"]:
        """Clips in (-1, 1)."""
        return self.draw(self.path(latents))

    def path(self, latents: VideoLatents) -> Float[Tensor, "batch time code"]:
        """The codes of all frames."""
        return self.codes(latents, self.unroll(latents))

    def unroll(self, latents: VideoLatents) -> Float[Tensor, "batch time motion"]:
        """z_M, the motion codes of all frames."""
        inputs = latents.noise
        if self.category_to == "rnn":
            inputs = torch.cat([latents.categories, inputs], dim=2)
        if not self.begin_at_start:
            return self.motion(latents.start, inputs)
        later = self.motion(latents.start, inputs[:, 1:])
        return torch.cat([latents.start.unsqueeze(1), later], dim=1)

    def codes(
        self, latents: VideoLatents, motion: Float[Tensor, "batch time motion"]
    ) -> Float[Tensor, "batch time code"]:
        """What the image generator sees of every frame: content, category if told, motion."""
        content = latents.content.unsqueeze(1).expand(-1, motion.shape[1], -1)
        told = [latents.categories] if self.category_to == "generator" else []
        return torch.cat([content, *told, motion], dim=2)

    def draw(
        self, codes: Float[Tensor, "batch time code"]
    ) -> Float[Tensor, "batch channel time height width"]:
        """Frames of codes; the batch of images is clip by clip, frame index fastest."""
        images = self.image(codes.flatten(0, 1))  # (B·T, C, H, W)
        return images.unflatten(0, codes.shape[:2]).transpose(1, 2)  # (B, C, T, H, W)

    def draw_evenly(
        self, codes: Float[Tensor, "batch time code"], piece: int
    ) -> Float[Tensor, "batch channel time height width"]:
        """Like `draw`, in pieces of equally many frames, so that length changes no rounding."""
        length = codes.shape[1]
        filling = codes[:, -1:].expand(-1, -length % piece, -1)
        pieces = torch.cat([codes, filling], dim=1).split(piece, dim=1)
        return torch.cat([self.draw(part) for part in pieces], dim=2)[:, :, :length]

    def slowed_path(self, latents: VideoLatents, factor: int) -> Float[Tensor, "batch finer code"]:
        """The codes at `factor` times the frame rate."""
        finer = self.unroll_finer(latents, factor)
        frames = torch.arange(finer.shape[1], device=finer.device) // factor
        spread = replace(latents, categories=latents.categories[:, frames])
        return self.codes(spread, finer)

    def unroll_finer(
        self, latents: VideoLatents, factor: int
    ) -> Float[Tensor, "batch finer motion"]:
        """Motion codes at `factor` times the frame rate, on lines between those of frames."""
        return upsample_trajectory(self.unroll(latents), factor)


class ContinuousVideoGenerator(VideoGenerator):
    """The same with a differential equation as motion network: it knows every time.

    The first frame's code is the initial state, which the start becomes; noise has no part in it.

    Args:
        motion: The equation.
        image: G_I; it is told the categories, if there are any.
    """

    def __init__(self, motion: DifferentialTrajectory, image: ImageGenerator) -> None:
        super().__init__(motion, image, "generator")
        self.motion: DifferentialTrajectory

    def unroll(self, latents: VideoLatents) -> Float[Tensor, "batch time motion"]:
        """z_M, the motion codes of all frames."""
        return self.motion(latents.start, latents.num_frames, latents.path_seeds)

    def unroll_finer(
        self, latents: VideoLatents, factor: int
    ) -> Float[Tensor, "batch finer motion"]:
        """Motion codes at `factor` times the frame rate, where the equation has them."""
        times = finer_times(latents.num_frames, factor)
        return self.motion.at(latents.start, times, latents.path_seeds)

    def path_at(
        self, latents: VideoLatents, times: Sequence[int | float]
    ) -> Float[Tensor, "batch time code"]:
        """The codes at times in frames; `latents` have as many frames as there are times."""
        return self.codes(latents, self.motion.at(latents.start, times, latents.path_seeds))


def published_equation(settings: DifferentialSettings) -> PublishedEquation:
    """What Gordon and Parde (2020) ran in MoCoGAN's place wherever the settings leave it open.

    An embedding goes only with the narrow right-hand sides of an ordinary equation of order 1.
    """
    narrow = settings.field in ("single_layer", "two_layers")
    embedded = narrow and settings.family == "ode" and settings.order == 1
    return PublishedEquation("equal_parameters", 49, embedding=(64,) if embedded else ())
