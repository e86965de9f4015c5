"""Show what single dimensions of the latent change.

python -m voxel dimensions runs/chairs --seed 3 --top 8 --out dimensions --largest
python -m voxel dimensions runs/chairs --only 5,17 --out two
"""

from __future__ import annotations

from pathlib import Path

from vidgen.commands.arguments import LARGEST_SEED, check_range, parse_seeds
from voxel.commands.arguments import ShapeOptions, run_on_arguments


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_on_arguments(dimensions, arguments)


def dimensions(
    run: Path,
    options: ShapeOptions,
    *,
    seed: int = 0,
    only: str | None = None,
    top: int = 8,
) -> None:
    """Write the shape of a seed with the cells red that a dimension changes, a file a dimension.

    dimensions.png has a row for each: the shape, and what five values of the dimension make of it.

    Args:
        run: Folder of a training.
        options: Which model makes shapes, and what becomes of them; GLB and PLY keep colors.
        seed: Of the shape.
        only: Dimensions to look at, such as 0-15 or 3,17; all by default.
        top: Dimensions to show, those that change most.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    check_range("seed", seed, 0, LARGEST_SEED)
    check_range("top", top, 1, 1000)
    chosen = None if only is None else parse_seeds(only)

    from voxel.commands.influences import write_influences  # brings torch

    write_influences(run, options, seed, chosen, top)
