"""Show the training shapes nearest to generated ones: are they copies?

python -m voxel neighbours runs/chairs --data.root ModelNet10 --data.classes chair --out near
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from vidgen.commands.arguments import check_range, parse_seeds
from voxel.commands.arguments import ShapeOptions
from voxel.commands.data_arguments import run_with_data


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_with_data(neighbours, arguments)


def neighbours(
    run: Path,
    data: dict[str, Any],
    *,
    out: Path,
    seeds: str = "0-3",
    nearest: int = 4,
    by: Literal["features", "cells"] = "features",
    label: str | None = None,
    checkpoint: str = "latest",
    batch_size: int = 16,
    device: str = "auto",
    allow: str = "",
) -> None:
    """Write neighbours.png: a row a seed, first its shape, then the nearest shapes of a folder.

    Args:
        run: Folder of a training.
        data: Options of `data.Shapes`, but those that the model decides.
        out: Folder for neighbours.png and neighbours.json, the names and distances.
        seeds: Of the generated shapes, such as 0-3 or 3,5.
        nearest: Neighbours of each.
        by: What is compared: features are the last maps of the discriminator, pooled; cells the
            volumes themselves.
        label: Name or number of the class of all generated shapes.
        checkpoint: Which one of the run: latest, best-METRIC or step-NUMBER.
        batch_size: Shapes looked at at once.
        device: Where to compute: auto, cpu, cuda, cuda:1, ...
        allow: Import paths, with commas between, of further classes that the checkpoint may name.
            Their code is run: allow only what you trust.

    Raises:
        UserError: The command cannot be done as it was given.
        DataError: The shapes cannot be used so.
    """
    options = ShapeOptions(
        out=out,
        label=label,
        checkpoint=checkpoint,
        batch_size=batch_size,
        device=device,
        allow=allow,
    )
    check_range("nearest", nearest, 1, 1000)
    chosen = parse_seeds(seeds)

    from voxel.commands.memories import write_neighbours  # brings torch

    write_neighbours(run, data, options, chosen, nearest, by)
