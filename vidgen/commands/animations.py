"""Clips that begin with given images: the work of the command animate."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor

from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.commands import outputs
from vidgen.commands.arguments import ClipOptions
from vidgen.commands.images import image_files, peak_signal_to_noise, read_image
from vidgen.commands.labels import clip_label
from vidgen.errors import UserError


class _Beginning(NamedTuple):
    path: Path
    name: str  # of the clip
    pixels: UInt8[Tensor, "channel height width"]
    seed: int


def write_animations(
    run: Path,
    options: ClipOptions,
    place: Path,
    frames: int | None,
    seeds: list[int] | None,
    change_every: int | None,
) -> None:
    """Writes a clip an image and seed, and prints the PSNR of its first frame to the image.

    Args:
        run: Folder of a training.
        options: Which model makes clips, how, and what becomes of them.
        place: An image, or a folder of them.
        frames: Frames of a clip; `None` is the trained number.
        seeds: Of the motion; `None` is seed 0.
        change_every: Frames between changes of the class; `None` keeps one.

    Raises:
        UserError: The model cannot do this, or there is no image that can be read.
    """
    files = image_files(place)
    _refuse_to_overwrite(files, seeds, options)
    loaded = outputs.open_game(run, options)
    animate = outputs.ability(loaded, "animate", "go on from an image")
    taken = inspect.signature(animate).parameters
    given = {"seeds": seeds is not None, "truncation": options.truncation != 1}
    for option in (
        option for option, is_given in given.items() if is_given and option not in taken
    ):
        raise UserError(
            f"--{option}: this {type(loaded.game).__name__} draws nothing, an image has one clip; "
            "leave it out"
        )
    label = clip_label(loaded, options.label, change_every, frames)
    folder = outputs.ClipFolder(options, options.fps or loaded.fps)
    shown: list[Tensor] = []
    for batch in outputs.batches(_beginnings(files, loaded, seeds), options.batch_size):
        images = torch.stack([beginning.pixels for beginning in batch])
        drawn = {
            "seeds": [beginning.seed for beginning in batch],
            "labels": None if label is None else [label] * len(batch),
            "truncation": options.truncation,
        }
        further = {name: value for name, value in drawn.items() if name in taken}
        with outputs.enough_memory(len(batch)):
            clips = animate(loaded.game.from_pixels(images), frames, **further)
            pixels = loaded.game.to_pixels(clips).cpu()
        folder.write([beginning.name for beginning in batch], pixels)
        _say_closeness(batch, pixels)
        shown += images[: outputs.GRID_CLIPS - len(shown)]
    if not shown:
        raise UserError(f"no file of {place} could be read as an image")
    if options.grid:
        folder.write_grid(first_column=shown)


def _beginnings(
    files: dict[Path, str], loaded: LoadedGame, seeds: Sequence[int] | None
) -> Iterator[_Beginning]:
    """Each image with each seed; of several files, those that cannot be read cost one line each."""
    channels, _, height, width = loaded.game.example_shape
    for path, name in files.items():
        try:
            pixels = read_image(path, channels, (height, width))
        except UserError as error:
            if len(files) == 1:
                raise
            outputs.say(f"left out: {error}")
            continue
        for seed in [None] if seeds is None else seeds:
            yield _Beginning(path, _clip_name(name, seed), pixels, seed or 0)


def _clip_name(name: str, seed: int | None) -> str:
    return name if seed is None else f"{name}-seed-{outputs.seed_name(seed)}"


def _say_closeness(batch: Sequence[_Beginning], pixels: outputs.Pixels) -> None:
    for beginning, clip in zip(batch, pixels, strict=True):
        closeness = peak_signal_to_noise(clip[:, 0], beginning.pixels)
        outputs.say(
            f"{beginning.name}: PSNR of the first frame to {beginning.path} {closeness:.2f} dB"
        )


def _refuse_to_overwrite(
    files: dict[Path, str], seeds: Sequence[int] | None, options: ClipOptions
) -> None:
    """A strip, a GIF and the sheet have endings that an image may have too."""
    chosen = [None] if seeds is None else seeds
    names = [_clip_name(name, seed) for name in files.values() for seed in chosen]
    written = [f"{name}.{options.format}" for name in names] + ["grid.png"] * options.grid
    lost = {file.resolve() for file in files} & {(options.out / n).resolve() for n in written}
    if lost:
        raise UserError(f"{min(lost)} would be overwritten; give another --out")
