"""What a trained MoCoGAN is for: clips of any length, motions in other contents; and its fakes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vidgen.adversarial.game import Batch, Game, evaluation
from vidgen.adversarial.latents import Randomness, SeedRandomness
from vidgen.errors import UserError
from vidgen.mocogan_generator import (
    ContinuousVideoGenerator,
    Labels,
    VideoGenerator,
    VideoLatents,
    labels_by_frame,
    moments,
    one_hot,
    recombined,
)
from vidgen.trajectories.brownian import path_seeds
from vidgen.window_discriminators import WindowDiscriminator


class TrainedMoCoGAN(Game):
    """The half of MoCoGAN that makes clips; the other half, in `vidgen.mocogan`, trains it.

    Attributes:
        generator: Makes clips of latents.
        num_categories: Categories of motion, whether the data knows them or not.
        content_dim: Size of a clip's content code.
        motion_dim: Size of a frame's motion code.
        noise_dim: Size of a frame's noise.
        video_lengths: Lengths in frames that fakes may have.
        video_discriminator: Scores windows of clips.
    """

    generator: VideoGenerator
    num_categories: int
    content_dim: int
    motion_dim: int
    noise_dim: int
    video_lengths: list[int]
    video_discriminator: WindowDiscriminator
    told_classes = False  # it guesses them

    def sample(
        self,
        seeds: Sequence[int],
        labels: Labels | None = None,
        num_frames: int | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in [-1, 1] of any length; a longer clip of a seed begins with the shorter one.

        `labels` holds one category a clip, or for each clip one category a frame; a seed keeps its
        content and its noise under every label.
        """
        latents = self.latents(SeedRandomness(seeds), len(seeds), num_frames, labels, truncation)
        return self.render(latents)

    @property
    def continuous(self) -> bool:
        """Whether the frames lie on a path that has a state at every time: see `sample_at`."""
        return isinstance(self.generator, ContinuousVideoGenerator)

    def sample_at(
        self,
        seeds: Sequence[int],
        times: Sequence[int | float],
        labels: Labels | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clips in [-1, 1] whose frames lie at any times, in the order given.

        Args:
            seeds: One a clip.
            times: In frames: 0 is the first, 0.5 lies between it and the next, num_frames is one
                beyond the trained clip, -1 one before it.
            labels: As in `sample`, one a clip or one a time.
            truncation: As in `sample`.

        Raises:
            UserError: The model has no equation, or a stochastic one is asked for a time below 0.
        """
        generator = self.generator
        if not isinstance(generator, ContinuousVideoGenerator):
            raise UserError(
                "this model makes whole frames only; train one with game.trajectory, such as ode1"
            )
        latents = self.latents(SeedRandomness(seeds), len(seeds), len(times), labels, truncation)
        return self._drawn(latents, lambda one: generator.path_at(one, times))

    def latents(
        self,
        randomness: Randomness,
        count: int,
        num_frames: int | None = None,
        labels: Labels | None = None,
        truncation: float = 1.0,
    ) -> VideoLatents:
        """Latents of clips; those of fewer frames are the first of those of more.

        Args:
            randomness: Where the numbers come from.
            count: Clips.
            num_frames: Length; `None` is the trained one.
            labels: One category a clip, or for each clip one a frame; `None` draws one a clip.
            truncation: Factor of all normal numbers.

        Raises:
            UserError: A length below 1, or labels that the game does not have.
        """
        length = self.example_shape[1] if num_frames is None else num_frames
        if length < 1:
            raise UserError(f"a clip of {length} frames cannot be made; ask for 1 or more")
        if labels is not None and not self.num_categories:
            raise UserError("this game has no categories (game.num_classes is 0): give no labels")
        content = randomness.normal(count, self.content_dim)
        start = randomness.normal(count, self.motion_dim)
        drawn = randomness.choice(count, torch.ones(max(self.num_categories, 1))).tolist()
        paths = self._paths(randomness, count)
        # A draw a frame: torch's normal numbers of a longer tensor begin differently.
        noise = [randomness.normal(count, self.noise_dim) for _ in range(length)]
        normal = [truncation * part for part in (content, start, torch.stack(noise, dim=1))]
        chosen = labels_by_frame(drawn if labels is None else labels, length)
        if labels is not None:
            self.check_labels(chosen.flatten())
        categories = one_hot(chosen, self.num_categories)
        moved = (part.to(self.device) for part in (*normal, categories))
        return VideoLatents(*moved, path_seeds=paths)

    def _paths(self, randomness: Randomness, count: int) -> Int[Tensor, " count"] | None:
        if not isinstance(self.generator, ContinuousVideoGenerator):
            return None
        return path_seeds(randomness, count) if self.generator.motion.stochastic else None

    def check_labels(self, labels: Sequence[int] | Tensor) -> None:
        """See `Game`; InfoGAN's categories, which the data knows nothing of, have bounds too."""
        if self.num_classes or not self.num_categories:
            return super().check_labels(labels)
        values = labels.tolist() if isinstance(labels, Tensor) else list(labels)
        wrong = [label for label in values if not 0 <= label < self.num_categories]
        if wrong:
            raise UserError(
                f"category {wrong[0]} is outside 0 … {self.num_categories - 1}, those that the "
                "game was told to find (game.num_classes)"
            )

    def render(self, latents: VideoLatents) -> Float[Tensor, "batch channel time height width"]:
        """The clips of latents, in [-1, 1]; equal latents give equal frames, bit for bit."""
        return self._drawn(latents, self.generator.path)

    def _drawn(
        self, latents: VideoLatents, codes_of: Callable[[VideoLatents], Tensor]
    ) -> Float[Tensor, "batch channel time height width"]:
        """Clip by clip: kernels round alike only for batches of one size."""
        with evaluation(self):
            clips = [codes_of(latents.clips([index])) for index in range(len(latents))]
            return torch.cat([self.generator.draw_evenly(c, self.example_shape[1]) for c in clips])

    def recombine(
        self,
        content_seeds: Sequence[int],
        motion_seeds: Sequence[int],
        num_frames: int | None = None,
        labels: Labels | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "contents motions channel time height width"]:
        """Every content in every motion (Figure 4b); `labels` are those of the motions.

        Where the seeds agree, the clip is that of `sample`.
        """
        contents = self.latents(
            SeedRandomness(content_seeds), len(content_seeds), num_frames, None, truncation
        )
        motions = self.latents(
            SeedRandomness(motion_seeds), len(motion_seeds), num_frames, labels, truncation
        )
        clips = self.render(recombined(contents, motions))
        return clips.unflatten(0, (len(contents), len(motions)))

    def interpolate(
        self,
        seeds: Sequence[int],
        factor: int,
        labels: Labels | None = None,
        truncation: float = 1.0,
    ) -> Float[Tensor, "batch channel finer height width"]:
        """Clips with `factor` times the frame rate: the path of motion codes is up-sampled.

        Frames 0, factor, 2·factor, … are the frames of `sample`.
        """
        latents = self.latents(SeedRandomness(seeds), len(seeds), None, labels, truncation)
        return self._drawn(latents, lambda one: self.generator.slowed_path(one, factor))

    def window_scores(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch window"]:
        """The video discriminator's mean score of every window of `num_frames` frames of clips.

        A clip of K frames has K - num_frames + 1 windows.
        """
        with evaluation(self):
            return self.video_discriminator.window_scores(clips, self.example_shape[1])

    def realness(
        self,
        clips: Float[Tensor, "batch channel time height width"],
        labels: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, " batch"]:
        """The trained video discriminator's scores of clips in [-1, 1]: means over its windows."""
        del labels
        with evaluation(self):
            return self.video_discriminator(clips).scores.float().mean(dim=(1, 2))

    # S_1 and S_T: of whole latent videos, only the frames that a judge looks at are drawn.

    def _fake_frames(self, batch: Batch) -> Float[Tensor, "batch channel height width"]:
        codes, lengths, _ = self._fake_codes(batch)
        seen = codes[torch.arange(len(batch)), moments(self.randomness, lengths)]  # (B, code)
        return self.generator.image(seen)

    def _fake_clips(self, batch: Batch) -> tuple[Tensor, Int[Tensor, " batch"]]:
        """Clips (batch, channel, time, height, width) and their categories."""
        codes, lengths, latents = self._fake_codes(batch)
        num_frames = self.example_shape[1]
        starts = moments(self.randomness, [length - num_frames + 1 for length in lengths])
        window = starts.unsqueeze(1) + torch.arange(num_frames)  # (B, T)
        seen = codes[torch.arange(len(batch)).unsqueeze(1), window]  # (B, T, code)
        return self.generator.draw(seen), latents.first_categories()

    def _fake_codes(self, batch: Batch) -> tuple[Tensor, list[int], VideoLatents]:
        """Codes of all frames (batch, time, code), the videos' lengths, and their latents."""
        kinds = self.randomness.choice(len(batch), torch.ones(len(self.video_lengths)))
        lengths = [self.video_lengths[kind] for kind in kinds.tolist()]
        # Noise for the longest there is, so that all processes draw equally often.
        latents = self._fake_latents(batch, max(self.video_lengths)).first_frames(max(lengths))
        return self.generator.path(latents), lengths, latents

    def _fake_latents(self, batch: Batch, num_frames: int) -> VideoLatents:
        return self.latents(self.randomness, len(batch), num_frames)

    def fakes(self, count: int) -> Float[Tensor, "count channel time height width"]:
        """Fresh clips as training makes them, for the moments of averaged weights."""
        return self.generator(self.latents(self.randomness, count))
