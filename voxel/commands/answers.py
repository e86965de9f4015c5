"""What single neurons answer to: the work of the command neurons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.commands import outputs
from vidgen.errors import UserError
from vidgen.writing import replacing
from voxel.commands.arguments import ShapeOptions
from voxel.commands.shapes import mesh_settings
from voxel.commands.training_shapes import described, open_shapes, shape_name, volume
from voxel.meshes import EmptyShape, shape_mesh
from voxel.neurons import answers, guided_maps, guided_saliency
from voxel.pictures import write_table

_SHOWN = 8


def write_answers(
    run: Path, data: dict[str, Any], options: ShapeOptions, wanted: list[int] | None, top: int
) -> None:
    """Writes a picture of the shapes that neurons answer to most, and a file of their names.

    Args:
        run: Folder of a training.
        data: Options of the shapes to search.
        options: Which model, and where the files go.
        wanted: Neurons; `None` takes those with the widest range of answers.
        top: Shapes of each.

    Raises:
        UserError: The model cannot do this, or has no such neuron.
        DataError: The shapes cannot be used so.
    """
    loaded = outputs.open_game(run, options)
    outputs.ability(loaded, "feature_network", "describe shapes")
    blocks = list(loaded.game.feature_network.blocks)  # pyright: ignore
    shapes = open_shapes(loaded, data)

    def describe(volumes: Tensor, labels: list[int]) -> Tensor:
        return answers(guided_maps(blocks, _with_classes(loaded, volumes, labels)))

    scores = described(shapes, describe, options.batch_size, "looking at shapes")
    if wanted is None:
        widest = np.argsort(-np.ptp(scores, axis=0), kind="stable")[:_SHOWN]
        wanted = [int(neuron) for neuron in widest]
    wrong = [neuron for neuron in wanted if neuron >= scores.shape[1]]
    if wrong:
        raise UserError(f"--neurons {wrong[0]}: the neurons are 0 to {scores.shape[1] - 1}")
    rows, found, settings = [], [], mesh_settings(options)
    for neuron in wanted:
        best = np.argsort(-scores[:, neuron], kind="stable")[:top].tolist()
        row = []
        for item in best:
            cells = volume(shapes, item)
            seen = _with_classes(loaded, torch.from_numpy(cells)[None], [shapes.labels[item]])
            heat = guided_saliency(blocks, seen[0], neuron).numpy(force=True) * (cells[0] >= 0.5)
            try:
                row.append(shape_mesh(cells[0], settings, heat=heat))
            except EmptyShape:
                row.append(None)
        names = [shape_name(shapes, item) for item in best]
        found.append({"neuron": neuron, "shapes": names, "answers": scores[best, neuron].tolist()})
        outputs.say(f"neuron {neuron}: {', '.join(names)}")
        rows.append(row + [None] * (top - len(row)))
    picture, table = options.out / "neurons.png", options.out / "neurons.json"
    write_table(picture, rows)
    with replacing(table) as unfinished:
        unfinished.write_text(json.dumps(found, indent=1) + "\n")
    outputs.say(f"{picture}: a neuron a row, the shapes it answers to most")


def _with_classes(loaded: LoadedGame, volumes: Tensor, labels: list[int]) -> Tensor:
    """What the discriminator sees of volumes: with a plane a class, where the model has classes."""
    game = loaded.game
    volumes = volumes.to(game.device)
    if not game.num_classes:
        return volumes
    chosen = torch.eye(game.num_classes, device=volumes.device)[labels]
    planes = chosen[:, :, None, None, None].expand(-1, -1, *volumes.shape[2:])
    return torch.cat([volumes, planes], dim=1)
