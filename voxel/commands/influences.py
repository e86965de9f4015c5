"""What single dimensions change: the work of the command dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data.progress import shown_progress
from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.commands import outputs
from vidgen.errors import UserError
from voxel.commands.arguments import ShapeOptions
from voxel.commands.shapes import ShapeFolder, decoded, mesh_or_nothing, starting_points
from voxel.mesh_files import write_mesh
from voxel.meshes import shape_mesh
from voxel.pictures import write_table

# 3D-GAN's latent is uniform over [0, 1], 3D-VAE-GAN's normal.
_UNIFORM_SWEEP = (0.0, 0.25, 0.5, 0.75, 1.0)
_NORMAL_SWEEP = (-2.0, -1.0, 0.0, 1.0, 2.0)
_CHANGED = 0.1


class Influence(NamedTuple):
    """What a dimension does to a shape.

    Attributes:
        dimension: Which one.
        total: Sum over all cells of the difference between the largest and the smallest occupancy.
    """

    dimension: int
    total: float


def swept(latent: Float[Tensor, " latent"], dimension: int, uniform: bool) -> Tensor:
    """The latent with five values of one of its dimensions."""
    values = torch.tensor(_UNIFORM_SWEEP if uniform else _NORMAL_SWEEP)
    latents = latent.repeat(len(values), 1)
    latents[:, dimension] = values.to(latent)
    return latents


def influence_map(
    occupancies: Float[np.ndarray, "values depth height width"],
) -> Float[np.ndarray, "depth height width"]:
    """How far each cell moves: the largest minus the smallest occupancy (section 5.1)."""
    return occupancies.max(axis=0) - occupancies.min(axis=0)


def write_influences(
    run: Path, options: ShapeOptions, seed: int, only: list[int] | None, top: int
) -> None:
    """Ranks dimensions by their influence, and writes and draws the first ones.

    Args:
        run: Folder of a training.
        options: Which model makes shapes, and what becomes of them.
        seed: Of the shape.
        only: Dimensions to look at; `None` is all.
        top: Dimensions to show.

    Raises:
        UserError: The model cannot do this, the shape is empty, or there is no such dimension.
    """
    if options.format not in ("glb", "ply"):
        raise UserError(f"--format {options.format} has no colors; give glb or ply")
    loaded = outputs.open_game(run, options)
    latents, labels = starting_points(loaded, options, [seed])
    latent = latents[0]
    wanted = list(range(len(latent))) if only is None else only
    wrong = [number for number in wanted if number >= len(latent)]
    if wrong:
        raise UserError(f"--only {wrong[0]}: the dimensions are 0 to {len(latent) - 1}")
    sweeps = _Sweeps(loaded, options, latent, labels)
    ranking = []
    with shown_progress("looking at dimensions") as progress:
        for done, number in enumerate(wanted, 1):
            ranking.append(Influence(number, float(influence_map(sweeps.of(number)).sum())))
            progress(done, len(wanted))
    ranking.sort(key=lambda influence: -influence.total)
    folder = ShapeFolder(options)
    base = decoded(loaded, latents, labels, 1)[0]
    rows = []
    for number, total in ranking[:top]:
        occupancies = sweeps.of(number)
        changed = (influence_map(occupancies) > _CHANGED).astype(np.float32)
        colored = shape_mesh(base, folder.settings, heat=changed)
        path = options.out / f"dimension-{number:03d}.{options.format}"
        write_mesh(path, colored)
        outputs.say(f"{path}: influence {total:.4g}, {int(changed.sum())} cells change")
        rows.append([colored, *(mesh_or_nothing(each, folder.settings) for each in occupancies)])
    picture = options.out / "dimensions.png"
    write_table(picture, rows)
    outputs.say(f"{picture}: a dimension a row; its cells in red, then five values of it")


class _Sweeps:
    """The shapes of a latent with one dimension changed."""

    def __init__(
        self, loaded: LoadedGame, options: ShapeOptions, latent: Tensor, labels: list[int] | None
    ) -> None:
        self._loaded, self._latent, self._batch_size = loaded, latent, options.batch_size
        self._uniform = getattr(loaded.game, "prior", "normal") == "uniform"
        self._label = labels

    def of(self, dimension: int) -> Float[np.ndarray, "values depth height width"]:
        latents = swept(self._latent, dimension, self._uniform)
        labels = None if self._label is None else self._label * len(latents)
        return decoded(self._loaded, latents, labels, self._batch_size)
