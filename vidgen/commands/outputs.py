"""A trained model that makes clips, and the folder they go to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from vidgen.adversarial.checkpoints import LoadedGame, load_game
from vidgen.commands.arguments import ClipOptions
from vidgen.errors import UserError
from vidgen.writing import enlarged, frame_sheet, grid, remove_leftovers, write_clip

# Beyond these the pictures are too large to look at, and to play.
GRID_CLIPS = 64
SHEET_CLIPS = 16

Pixels = UInt8[Tensor, "count channel time height width"]


def open_game(run: Path, options: ClipOptions) -> LoadedGame:
    """The model of a run, on the device that is asked for.

    Raises:
        UserError: There is no such model or device, or clips could not go to `options.out`.
    """
    # Asked first, before minutes of work.
    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out {options.out} is a file; give a folder, it is made when missing")
    allowed = [name.strip() for name in options.allow.split(",") if name.strip()]
    loaded = load_game(run, options.checkpoint, allow=allowed)
    name = options.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        loaded.game.to(torch.device(name))
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name} cannot be used: {reason}; try --device cpu") from error
    return loaded


def label_number(loaded: LoadedGame, label: str | None) -> int | None:
    """The number of the class that a name or a number names.

    Raises:
        UserError: There is no such class, or the model knows no classes.
    """
    if label is None:
        return None
    count = loaded.game.num_classes
    if not count:
        raise UserError(f"--label {label}: this model was trained without classes; leave it out")
    if label in loaded.classes:
        return loaded.classes.index(label)
    if label.isdecimal() and int(label) < count:
        return int(label)
    names = f": {', '.join(loaded.classes)}" if loaded.classes else ""
    raise UserError(f"--label {label}: the classes are 0 to {count - 1}{names}")


def batches(seeds: list[int], size: int) -> Iterator[list[int]]:
    """The seeds, `size` at a time."""
    for start in range(0, len(seeds), size):
        yield seeds[start : start + size]


@contextmanager
def enough_memory(num_clips: int) -> Iterator[None]:
    """A device too small for the clips made at once becomes a line that says so."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"{num_clips} clips at once do not fit the device's memory; give a smaller --batch_size"
        ) from error


def seed_name(seed: int) -> str:
    """How a seed is written in the name of a file."""
    return f"{seed:06d}"


class ClipFolder:
    """Writes clips as they come, says which, and keeps the first ones for a grid.

    Args:
        options: Where to, and as what.
        fps: Frames a second of the files.
    """

    def __init__(self, options: ClipOptions, fps: float) -> None:
        self._options, self._fps = options, fps
        self._shown: list[Tensor] = []
        remove_leftovers(options.out)

    def write(self, names: list[str], pixels: Pixels) -> None:
        """Writes a batch of clips, one file a name.

        Raises:
            UserError: A file cannot be written.
        """
        out, suffix = self._options.out, self._options.format
        for name, clip in zip(names, pixels, strict=True):
            write_clip(out / f"{name}.{suffix}", clip, self._fps)
            if len(self._shown) < GRID_CLIPS:
                self._shown.append(clip)
        num_frames, height, width = pixels.shape[2:]
        rate = "" if suffix == "png" else f" at {self._fps:g} frames a second"
        say(
            f"{out / names[0]}.{suffix}"
            + (f" ... {names[-1]}.{suffix}" if len(names) > 1 else "")
            + f": {num_frames} frames of {width} x {height}{rate}"
        )

    def write_grid(self, columns: int | None = None) -> None:
        """Writes grid.mp4, the clips side by side, and grid.png, a row of frames for each.

        Args:
            columns: Clips in a row of grid.mp4; `None` makes it about as wide as high.

        Raises:
            UserError: A file cannot be written.
        """
        clips = torch.stack(self._shown)
        moving, table = self._options.out / "grid.mp4", self._options.out / "grid.png"
        write_clip(moving, enlarged(grid(clips, columns)), self._fps)
        say(f"{moving}: {len(clips)} clips side by side")
        rows = clips[:SHEET_CLIPS]
        write_clip(table, enlarged(frame_sheet(rows)), self._fps)
        say(f"{table}: a row of frames for each of {len(rows)} clips")


def say(line: str) -> None:
    """Prints a line at once, so that it shows the progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
