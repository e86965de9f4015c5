"""A trained model that makes clips, and the folder they go to."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import UInt8
from torch import Tensor

from vidgen.adversarial.checkpoints import LoadedGame, load_game
from vidgen.commands.arguments import ClipOptions, ModelOptions
from vidgen.errors import UserError
from vidgen.writing import enlarged, frame_sheet, grid, remove_leftovers, write_clip

# Beyond these the pictures are too large to look at, and to play.
GRID_CLIPS = 64
SHEET_CLIPS = 16
SHEET_FRAMES = 16

Item = TypeVar("Item")
Pixels = UInt8[Tensor, "count channel time height width"]


def open_game(run: Path, options: ModelOptions) -> LoadedGame:
    """The model of a run, on the device that is asked for.

    Raises:
        UserError: There is no such model or device, or files could not go to `options.out`.
    """
    # Asked first, before minutes of work.
    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out {options.out} is a file; give a folder, it is made when missing")
    allowed = [name.strip() for name in options.allow.split(",") if name.strip()]
    loaded = load_game(run, options.checkpoint, allow=allowed)
    place_(loaded, options.device)
    return loaded


def place_(loaded: LoadedGame, device: str) -> None:
    """Moves a model to a device; "auto" is a GPU if there is one.

    Raises:
        UserError: There is no such device.
    """
    name = device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        loaded.game.to(torch.device(name))
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name} cannot be used: {reason}; try --device cpu") from error


def ability(loaded: LoadedGame, method: str, deed: str) -> Any:
    """The method of a model that not every model has.

    Args:
        loaded: The model.
        method: Its name.
        deed: What it does, for the message.

    Raises:
        UserError: This model has none.
    """
    found = getattr(loaded.game, method, None)
    if found is None:
        raise UserError(f"a {type(loaded.game).__name__} cannot {deed}; other models can")
    return found


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items, `size` at a time."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


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
        grid_clips: Most clips that are kept for the grid.
    """

    def __init__(self, options: ClipOptions, fps: float, grid_clips: int = GRID_CLIPS) -> None:
        self._options, self._fps, self._grid_clips = options, fps, grid_clips
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
        self.show(pixels)
        num_frames, height, width = pixels.shape[2:]
        rate = "" if suffix == "png" else f" at {self._fps:g} frames a second"
        say(
            f"{out / names[0]}.{suffix}"
            + (f" ... {names[-1]}.{suffix}" if len(names) > 1 else "")
            + f": {num_frames} frames of {width} x {height}{rate}"
        )

    def show(self, pixels: Pixels) -> None:
        """Keeps clips for the grid, as long as there is room in it."""
        self._shown += pixels[: self._grid_clips - len(self._shown)]

    def write_grid(
        self,
        columns: int | None = None,
        sheet_clips: int = SHEET_CLIPS,
        first_column: Sequence[Tensor] = (),
    ) -> None:
        """Writes grid.mp4, the clips side by side, and grid.png, a row of frames for each.

        Args:
            columns: Clips in a row of grid.mp4; `None` makes it about as wide as high.
            sheet_clips: Most rows of grid.png.
            first_column: Pixels (channel, height, width) of an image for each clip, to begin its
                row with.

        Raises:
            UserError: A file cannot be written.
        """
        clips = torch.stack(self._shown)
        moving, table = self._options.out / "grid.mp4", self._options.out / "grid.png"
        write_clip(moving, enlarged(grid(clips, columns)), self._fps)
        say(f"{moving}: {len(clips)} clips side by side")
        rows = clips[:sheet_clips]
        if first_column:
            images = torch.stack(list(first_column[: len(rows)])).unsqueeze(2)
            rows = torch.cat([images, rows], dim=2)
        height, width = rows.shape[3:]
        frames = min(SHEET_FRAMES, max(2, SHEET_FRAMES * height // width))  # fewer of wide clips
        write_clip(table, enlarged(frame_sheet(rows, frames)), self._fps)
        say(f"{table}: a row of frames for each of {len(rows)} clips")


def say(line: str) -> None:
    """Prints a line at once, so that it shows the progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
