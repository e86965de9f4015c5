"""Clips between clips of a trained model: the work of the command interpolate."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import UInt8
from torch import Tensor

from vidgen.commands import outputs
from vidgen.commands.arguments import ClipOptions
from vidgen.commands.labels import label_number
from vidgen.errors import UserError


def write_finer_clips(
    run: Path,
    options: ClipOptions,
    seeds: list[int],
    factor: int,
    ends: tuple[int, int] | None,
    slow_motion: bool,
) -> None:
    """Writes a clip a seed with `factor` times the frame rate.

    Args:
        run: Folder of a training.
        options: Which model makes clips, how, and what becomes of them.
        seeds: The clips.
        factor: Frames for one of the model's.
        ends: First and last of the model's frames to keep; `None` keeps all.
        slow_motion: Keep the rate of the files.

    Raises:
        UserError: The model has no trajectory to refine, or `ends` is not in it.
    """
    loaded = outputs.open_game(run, options)
    finer = outputs.ability(loaded, "interpolate", "make frames between its frames")
    label = label_number(loaded, options.label)
    fps = (options.fps or loaded.fps) * (1 if slow_motion else factor)
    folder = outputs.ClipFolder(options, fps)
    part = "" if ends is None else f"-frames-{ends[0]}-{ends[1]}"
    # A clip has `factor` times the frames, so fewer of them fill the memory.
    for batch in outputs.batches(seeds, max(1, options.batch_size // factor)):
        labels = None if label is None else [label] * len(batch)
        with outputs.enough_memory(len(batch)):
            clips = finer(batch, factor, labels=labels, truncation=options.truncation)
            pixels = loaded.game.to_pixels(clips).cpu()
        if ends is not None:
            pixels = _part(pixels, factor, *ends)
        names = [f"seed-{outputs.seed_name(seed)}-x{factor}{part}" for seed in batch]
        folder.write(names, pixels)
    if options.grid:
        folder.write_grid()


def write_walks(run: Path, options: ClipOptions, seeds: list[int], goal: int, stages: int) -> None:
    """Writes the clips on the way from each seed to the goal, and a grid with a row for each way.

    Args:
        run: Folder of a training.
        options: Which model makes clips, how, and what becomes of them.
        seeds: Where the ways begin.
        goal: The seed where they end.
        stages: Clips of a way, both ends included.

    Raises:
        UserError: The model cannot walk.
    """
    loaded = outputs.open_game(run, options)
    way = outputs.ability(loaded, "walk", "walk from clip to clip")
    label = label_number(loaded, options.label)
    folder = outputs.ClipFolder(options, options.fps or loaded.fps)
    digits = len(str(stages - 1))
    for seed in seeds:
        with outputs.enough_memory(stages):
            pixels = loaded.game.to_pixels(way(seed, goal, stages, label=label)).cpu()
        name = f"walk-{outputs.seed_name(seed)}-{outputs.seed_name(goal)}"
        folder.write([f"{name}-stage-{stage:0{digits}d}" for stage in range(stages)], pixels)
    folder.write_grid(columns=stages)


def _part(
    pixels: outputs.Pixels, factor: int, first: int, last: int
) -> UInt8[Tensor, "count channel kept_time height width"]:
    """The frames from the model's frame `first` to its frame `last`, both included."""
    frames = (pixels.shape[2] - 1) // factor + 1
    if last >= frames:
        raise UserError(f"--between {first},{last}: the frames of a clip are 0 to {frames - 1}")
    return pixels[:, :, first * factor : last * factor + 1]
