"""Training shapes nearest to generated ones: the work of the command neighbours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.distance import cdist
from torch import Tensor

from vidgen.commands import outputs
from vidgen.writing import replacing
from voxel.commands.arguments import ShapeOptions
from voxel.commands.shapes import (
    decoded,
    mesh_or_nothing,
    mesh_settings,
    starting_points,
)
from voxel.commands.training_shapes import described, open_shapes, shape_name, volume
from voxel.pictures import write_table


def last_maps(
    features: Float[Tensor, "batch features"], resolution: int
) -> Float[Tensor, "batch retrieval"]:
    """The part of a discriminator's features that comes from its last maps (section 4.1).

    Each layer halves the maps' side, down to 4, and has twice as many: pooled, 1,024, 2,048 and
    4,096 numbers at 64³. Of n layers the last has 2^(n-1) parts of 2^n - 1.

    Args:
        features: Of all layers but the first, in their order.
        resolution: Cells along a volume's side.
    """
    last = max(1, resolution // 16)
    return features[:, -(features.shape[1] * last // (2 * last - 1)) :]


def write_neighbours(
    run: Path,
    data: dict[str, Any],
    options: ShapeOptions,
    seeds: list[int],
    nearest: int,
    by: Literal["features", "cells"],
) -> None:
    """Writes a picture of generated shapes and their nearest ones, and a file of names.

    Args:
        run: Folder of a training.
        data: Options of the shapes to search.
        options: Which model, and where the files go.
        seeds: Of the generated shapes.
        nearest: Neighbours of each.
        by: Compare the discriminator's last maps, or the cells.

    Raises:
        UserError: The model cannot do this.
        DataError: The shapes cannot be used so.
    """
    loaded = outputs.open_game(run, options)
    features = outputs.ability(loaded, "features", "describe shapes")
    resolution = loaded.game.example_shape[-1]

    def describe(volumes: Tensor, labels: list[int]) -> Tensor:
        if by == "cells":
            return volumes.flatten(1)
        if loaded.game.num_classes:
            return last_maps(features(volumes, labels), resolution)
        return last_maps(features(volumes), resolution)

    shapes = open_shapes(loaded, data)
    gallery = described(shapes, describe, options.batch_size, "looking at shapes")
    latents, labels = starting_points(loaded, options, seeds)
    generated = decoded(loaded, latents, labels, options.batch_size)
    solid = torch.from_numpy((generated >= options.threshold).astype(np.float32))[:, None]
    with torch.no_grad():
        queries = describe(solid, labels or []).float().numpy(force=True)
    distances = cdist(queries, gallery)
    order = np.argsort(distances, axis=1, kind="stable")[:, :nearest]
    settings, rows, found = mesh_settings(options), [], []
    for row, seed in enumerate(seeds):
        near = order[row].tolist()
        names = [shape_name(shapes, item) for item in near]
        far = distances[row, near].tolist()
        found.append({"seed": seed, "neighbours": names, "distances": far})
        listed = (f"{name} ({d:.4g})" for name, d in zip(names, far, strict=True))
        outputs.say(f"seed {seed}: {', '.join(listed)}")
        volumes = [generated[row], *(volume(shapes, item)[0] for item in near)]
        rows.append([mesh_or_nothing(each, settings) for each in volumes])
    picture, table = options.out / "neighbours.png", options.out / "neighbours.json"
    write_table(picture, rows)
    with replacing(table) as unfinished:
        unfinished.write_text(json.dumps({"by": by, "shapes": found}, indent=1) + "\n")
    outputs.say(f"{picture}: a seed a row, then its nearest of {len(shapes)} shapes")
