"""Ways from seeds to what is shown of their clips: whole, at any rate, by stream, by level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor
from typing import Any

from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.commands import outputs
from vidgen.commands.arguments import ClipOptions
from vidgen.commands.stream_views import levels_side_by_side, side_by_side
from vidgen.errors import UserError

_SAME_RATE = 1e-6


def clip_maker(
    loaded: LoadedGame,
    options: ClipOptions,
    label: int | list[int] | None,
    frames: int | None,
    before: int,
    streams: bool,
    levels: bool,
) -> Callable[[Sequence[int]], outputs.Pixels]:
    """What makes the pixels of seeds.

    Args:
        loaded: The model.
        options: Its rate and truncation count.
        label: Of every clip: a class, one a frame, or `None`.
        frames: Of the model's own frames, how many; `None` is the trained number.
        before: Frames before the first one.
        streams: Show what each clip is composed of.
        levels: Show each clip at all resolutions.

    Raises:
        UserError: The model cannot do this.
    """
    game: Any = loaded.game
    rate = options.fps or loaded.fps
    if streams:
        parts = outputs.ability(loaded, "streams", "show foreground, background and mask")
        return lambda seeds: side_by_side(game, parts(seeds, frames, options.truncation))

    def labels(seeds: Sequence[int]) -> Any:
        return None if label is None else [label] * len(seeds)

    if levels:
        every = outputs.ability(loaded, "levels", "show its clips at several resolutions")
        return lambda seeds: levels_side_by_side(
            game, every(seeds, labels(seeds), frames, options.truncation)
        )
    continuous = getattr(game, "continuous", False)
    if before and not continuous:
        raise UserError(
            f"--before {before}: this {type(game).__name__} has no frames before the first; a "
            "model trained with game.trajectory, such as ode1, has"
        )
    if continuous and (before or abs(rate - loaded.fps) > _SAME_RATE * rate):
        length = game.example_shape[1] if frames is None else frames
        times = frame_times(length, before, loaded.fps, rate)
        if isinstance(label, list):
            raise UserError("--change_every changes from frame to frame: leave out --fps, --before")
        return lambda seeds: game.to_pixels(
            game.sample_at(seeds, times, labels(seeds), options.truncation)
        ).cpu()
    return lambda seeds: game.to_pixels(
        game.sample(seeds, labels(seeds), frames, options.truncation)
    ).cpu()


def frame_times(num_frames: int, before: int, own_rate: float, rate: float) -> list[float]:
    """Times, in the model's own frames, of a clip shown at another rate and the same speed.

    Args:
        num_frames: The model's own frames that it covers.
        before: More of them, before the first.
        own_rate: The model's own frames a second.
        rate: Frames a second that are shown.
    """
    step = own_rate / rate
    last = floor((num_frames - 1 + before) / step + _SAME_RATE)
    return [number * step - before for number in range(last + 1)]
