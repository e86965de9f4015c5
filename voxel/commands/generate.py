"""Write shapes of a trained model.

python -m voxel generate runs/chairs --count 8 --out chairs --format glb --largest --smooth
python -m voxel generate runs/furniture --label sofa --seeds 3,5 --out sofas --format stl
"""

from __future__ import annotations

import os
from pathlib import Path

from vidgen.commands.arguments import check_range, chosen_seeds
from voxel.commands.arguments import ShapeOptions, run_on_arguments

# Fewer are done before other processes have started.
_MANY_SHAPES = 32


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_on_arguments(generate, arguments)


def generate(
    run: Path,
    options: ShapeOptions,
    *,
    count: int | None = None,
    seeds: str | None = None,
    truncation: float = 1.0,
    num_workers: int | None = None,
) -> None:
    """Write shapes of a trained model, one file a seed, with sheet.png and turntable.mp4.

    Args:
        run: Folder of a training.
        options: Which model makes shapes, and what becomes of them.
        count: Number of shapes, of seeds 0, 1, 2, ...; 8 by default.
        seeds: Their seeds instead, such as 0-15 or 3,5,9-12.
        truncation: Below 1, shapes nearer to the typical one: less variety, fewer failures.
        num_workers: Processes that make meshes and draw them while this one makes shapes; 0 does
            all in this one. By default one a core from 32 shapes on.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    chosen = chosen_seeds(count, seeds, default=8)
    check_range("truncation", truncation, 0, 10)
    check_range("num_workers", num_workers, 0, 1024)
    if num_workers is None:
        num_workers = (os.cpu_count() or 1) if len(chosen) >= _MANY_SHAPES else 0

    from data.workers import worker_pool
    from vidgen.commands import outputs
    from voxel.commands.shapes import ShapeFolder, sampled

    loaded = outputs.open_game(run, options)
    with worker_pool(num_workers) as done_by:
        folder = ShapeFolder(options, done_by)
        folder.write_all(sampled(loaded, options, chosen, truncation))
        folder.write_pictures()
