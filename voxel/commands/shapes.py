"""A trained model that makes shapes, and the folder they go to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import trimesh
from jaxtyping import Float, UInt8
from torch import Tensor

from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.commands import outputs
from vidgen.commands.labels import label_number
from vidgen.errors import UserError
from vidgen.writing import remove_leftovers
from voxel.commands.arguments import ShapeOptions
from voxel.mesh_files import write_shape
from voxel.meshes import EmptyShape, MeshSettings, shape_mesh
from voxel.pictures import write_contact_sheet, write_turntable

# Beyond these a contact sheet and a turntable are too large to look at.
SHEET_SHAPES = 16
TURNTABLE_SHAPES = 64


def mesh_settings(options: ShapeOptions) -> MeshSettings:
    """How the options want a volume to become a mesh."""
    return MeshSettings(
        threshold=options.threshold,
        largest=options.largest,
        smooth=options.smooth,
        faces=options.faces,
        height=options.height,
    )


def labels_of(loaded: LoadedGame, options: ShapeOptions, count: int) -> list[int] | None:
    """The class of each shape, `None` where none was asked for.

    Raises:
        UserError: There is no such class, or the model knows no classes.
    """
    label = label_number(loaded, options.label)
    return None if label is None else [label] * count


@torch.no_grad()
def decoded(
    loaded: LoadedGame,
    latents: Float[Tensor, "count latent"],
    labels: Sequence[int] | None,
    batch_size: int,
) -> Float[np.ndarray, "count depth height width"]:
    """The volumes of latents, `batch_size` at a time; `labels` are their classes, if any.

    Raises:
        UserError: The model cannot do this.
    """
    decode = outputs.ability(loaded, "decode", "make shapes of given latents")
    parts = []
    for start in range(0, len(latents), batch_size):
        part = slice(start, start + batch_size)
        with outputs.enough_memory(len(latents[part])):
            parts.append(volumes(decode(latents[part], None if labels is None else labels[part])))
    return np.concatenate(parts)


def volumes(
    occupancy: Float[Tensor, "batch 1 depth height width"],
) -> Float[np.ndarray, "batch depth height width"]:
    """A model's output as arrays."""
    return occupancy[:, 0].float().numpy(force=True)


@torch.no_grad()
def starting_points(
    loaded: LoadedGame, options: ShapeOptions, seeds: Sequence[int]
) -> tuple[Float[Tensor, "count latent"], list[int] | None]:
    """The latents of seeds, and their classes where the model has classes.

    Raises:
        UserError: The model has no latents of seeds, or there is no such class.
    """
    latents = outputs.ability(loaded, "latents", "give the latents of seeds")(seeds)
    labels = labels_of(loaded, options, len(seeds))
    if labels is None and loaded.game.num_classes:
        labels = outputs.ability(loaded, "draw_labels", "draw classes")(seeds)
    return latents, labels


def mesh_or_nothing(
    occupancy: Float[np.ndarray, "depth height width"], settings: MeshSettings
) -> trimesh.Trimesh | None:
    """The mesh of a volume, `None` of an empty one."""
    try:
        return shape_mesh(occupancy, settings)
    except EmptyShape:
        return None


class ShapeFolder:
    """Writes shapes as they come, says which, and keeps the first ones for the pictures.

    Args:
        options: Where to, and as what.
    """

    def __init__(self, options: ShapeOptions) -> None:
        self.out, self.settings = options.out, mesh_settings(options)
        self.meshes: list[trimesh.Trimesh] = []
        self._format, self._shown = options.format, []
        self._highest = 0.0
        remove_leftovers(options.out)

    def write(
        self,
        name: str,
        occupancy: Float[np.ndarray, "depth height width"],
        image: UInt8[np.ndarray, "3 size size"] | None = None,
    ) -> trimesh.Trimesh | None:
        """Writes a shape and says how large it is; an empty one is `None` and costs a line.

        Args:
            name: Of the file, without ending.
            occupancy: Probabilities in [0, 1].
            image: To begin the shape's row of the contact sheet with.

        Raises:
            UserError: The file cannot be written.
        """
        path = self.out / f"{name}.{self._format}"
        self._highest = max(self._highest, float(occupancy.max()))
        try:
            mesh = write_shape(path, occupancy, self.settings)
        except EmptyShape as error:
            outputs.say(f"left out: {path.name}: {error}")
            return None
        if len(self.meshes) < TURNTABLE_SHAPES:
            self.meshes.append(mesh)
        if image is not None and len(self._shown) < SHEET_SHAPES:
            self._shown.append(image)
        size = " x ".join(f"{side:.3g}" for side in mesh.extents)
        outputs.say(f"{path}: {len(mesh.faces):,} faces, {size} m, {mesh.volume:.3g} m³")
        return mesh

    def refuse_if_empty(self) -> None:
        """Complains if there was nothing in any shape.

        Raises:
            UserError: So it is.
        """
        if not self.meshes:
            raise UserError(
                f"every shape is empty at --threshold {self.settings.threshold:g}, the highest "
                f"occupancy is {self._highest:.3g}; give a lower threshold, or train for longer"
            )

    def write_pictures(self, sheet: str = "sheet", film: str = "turntable") -> None:
        """Writes a contact sheet, views of each shape in a row, and a film of them turning.

        Args:
            sheet: Name of the sheet, without ending.
            film: Name of the film.

        Raises:
            UserError: All shapes are empty, or a file cannot be written.
        """
        self.refuse_if_empty()
        table, moving = self.out / f"{sheet}.png", self.out / f"{film}.mp4"
        rows = self.meshes[:SHEET_SHAPES]
        write_contact_sheet(table, rows, self._shown)
        outputs.say(f"{table}: views of {len(rows)} shapes")
        write_turntable(moving, self.meshes)
        outputs.say(f"{moving}: {len(self.meshes)} shapes turning")
