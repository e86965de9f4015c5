"""Write the shapes on the way from one seed to another.

python -m voxel interpolate runs/chairs --seeds 3,8 --out between --largest
python -m voxel interpolate runs/vaegan --seeds 0-3 --frames 24 --arc --out round
"""

from __future__ import annotations

from pathlib import Path

from vidgen.commands.arguments import check_range, parse_seeds
from vidgen.errors import UserError
from voxel.commands.arguments import ShapeOptions, run_on_arguments


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_on_arguments(interpolate, arguments)


def interpolate(
    run: Path,
    options: ShapeOptions,
    *,
    seeds: str = "0,1",
    frames: int = 8,
    arc: bool = False,
    fps: float = 8.0,
) -> None:
    """Write the shapes between seeds as files, and as interpolation.mp4 and interpolation.png.

    Args:
        run: Folder of a training.
        options: Which model makes shapes, and what becomes of them.
        seeds: Where the way begins, where it passes and where it ends, such as 3,8 or 0-3.
        frames: Shapes from one of the seeds to the next, both included.
        arc: Go along an arc instead of a line, for models with normal latents.
        fps: Frames a second of the film.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    places = parse_seeds(seeds)
    if len(places) < 2:
        raise UserError(f"--seeds {seeds}: a way needs two seeds at least, such as 3,8")
    check_range("frames", frames, 2, 10_000)
    check_range("fps", fps, 0.01, 1000)

    from voxel.commands.interpolations import write_way  # brings torch

    write_way(run, options, places, frames, arc, fps)
