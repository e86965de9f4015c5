"""Shapes between seeds: the work of the command interpolate."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from vidgen.commands import outputs
from vidgen.errors import UserError
from voxel.commands.arguments import ShapeOptions
from voxel.commands.shapes import ShapeFolder, decoded, starting_points
from voxel.latent_lines import great_arc, straight_line
from voxel.metrics import intersection_over_union
from voxel.pictures import write_film, write_table

# More are too small to look at in one row.
_ROW_SHAPES = 12


def write_way(
    run: Path, options: ShapeOptions, seeds: list[int], frames: int, arc: bool, fps: float
) -> None:
    """Writes the shapes on a way through seeds, a film and a row of them, and how smooth it is.

    Args:
        run: Folder of a training.
        options: Which model makes shapes, and what becomes of them.
        seeds: Stations of the way, two at least.
        frames: Shapes from one station to the next, both included.
        arc: Along arcs instead of lines.
        fps: Frames a second of the film.

    Raises:
        UserError: The model cannot do this, or all shapes are empty.
    """
    loaded = outputs.open_game(run, options)
    latents, labels = starting_points(loaded, options, seeds)
    if labels is not None and len(set(labels)) > 1:
        # A class is no number between two others.
        raise UserError(
            f"the seeds are of classes {', '.join(map(str, sorted(set(labels))))}; give one for "
            "all with --label"
        )
    line = great_arc if arc else straight_line
    legs = [line(start, end, frames) for start, end in pairwise(latents)]
    # The end of a leg is the start of the next.
    way = torch.cat([legs[0], *(leg[1:] for leg in legs[1:])])
    occupancies = decoded(
        loaded, way, None if labels is None else labels[:1] * len(way), options.batch_size
    )
    folder = ShapeFolder(options)
    digits = len(str(len(way) - 1))
    meshes = [
        folder.write(f"frame-{number:0{digits}d}", occupancy)
        for number, occupancy in enumerate(occupancies)
    ]
    folder.refuse_if_empty()
    film, row = options.out / "interpolation.mp4", options.out / "interpolation.png"
    write_film(film, meshes, fps)
    outputs.say(f"{film}: {len(meshes)} shapes one after another")
    shown = np.linspace(0, len(meshes) - 1, min(len(meshes), _ROW_SHAPES)).round().astype(int)
    write_table(row, [[meshes[number] for number in shown]])
    outputs.say(f"{row}: {len(shown)} of them side by side")
    solid = occupancies >= options.threshold
    overlaps = [intersection_over_union(one, other) for one, other in pairwise(solid)]
    outputs.say(
        f"overlap of neighbours (IoU): mean {np.mean(overlaps):.3f}, least {np.min(overlaps):.3f}"
    )
