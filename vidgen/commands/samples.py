"""Pictures of what a game makes while it trains, always from the same latents."""

from __future__ import annotations

from pathlib import Path

from vidgen.adversarial.game import Game
from vidgen.errors import UserError
from vidgen.writing import enlarged, frame_sheet, grid, write_clip


class SamplePictures:
    """Writes `step-000000500.mp4`, a moving grid, and `.png`, a table of clips by frames.

    Args:
        folder: Where to.
        count: Clips in the grid; their seeds are 0, 1, ….
        fps: Frames a second of the grid.
    """

    def __init__(self, folder: Path, count: int, fps: float) -> None:
        self._folder, self._seeds, self._fps = folder, range(count), fps

    def __call__(self, game: Game, step: int) -> None:
        """Draws the pictures of a step; a full disk costs the picture, not the run."""
        if not self._seeds:
            return
        labels = None
        if game.num_classes:
            labels = [seed % game.num_classes for seed in self._seeds]
        pixels = game.pictures(self._seeds, labels).cpu()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = f"step-{step:09d}"
            write_clip(self._folder / f"{name}.mp4", enlarged(grid(pixels)), self._fps)
            write_clip(self._folder / f"{name}.png", enlarged(frame_sheet(pixels[:8])), self._fps)
        except (UserError, OSError):
            return
