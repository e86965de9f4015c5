"""A trained model that makes shapes, and the folder they go to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from torch import Tensor

from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.commands import outputs
from vidgen.commands.labels import label_number
from vidgen.errors import UserError
from vidgen.writing import remove_leftovers
from voxel.commands.arguments import ShapeOptions
from voxel.mesh_files import write_shape
from voxel.meshes import EmptyShape, MeshSettings
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
    loaded: LoadedGame, options: ShapeOptions, latents: Float[Tensor, "count latent"]
) -> Float[np.ndarray, "count depth height width"]:
    """The volumes of latents, `options.batch_size` at a time.

    Raises:
        UserError: The model cannot do this.
    """
    decode = outputs.ability(loaded, "decode", "make shapes of given latents")
    parts = []
    for part in latents.split(options.batch_size):
        with outputs.enough_memory(len(part)):
            parts.append(volumes(decode(part, labels_of(loaded, options, len(part)))))
    return np.concatenate(parts)


def volumes(
    occupancy: Float[Tensor, "batch 1 depth height width"],
) -> Float[np.ndarray, "batch depth height width"]:
    """A model's output as arrays."""
    return occupancy[:, 0].float().numpy(force=True)


class ShapeFolder:
    """Writes shapes as they come, says which, and keeps the first ones for the pictures.

    Args:
        options: Where to, and as what.
    """

    def __init__(self, options: ShapeOptions) -> None:
        self._options, self._settings = options, mesh_settings(options)
        self.meshes: list[trimesh.Trimesh] = []
        self._written = 0
        remove_leftovers(options.out)

    def write(
        self, names: Sequence[str], occupancies: Float[np.ndarray, "count depth height width"]
    ) -> None:
        """Writes one file a shape; an empty one costs a line.

        Raises:
            UserError: A file cannot be written.
        """
        for name, occupancy in zip(names, occupancies, strict=True):
            self.write_one(self._options.out / f"{name}.{self._options.format}", occupancy)

    def write_one(self, path: Path, occupancy: Float[np.ndarray, "depth height width"]) -> None:
        """Writes a shape and says how large it is.

        Raises:
            UserError: The file cannot be written.
        """
        try:
            mesh = write_shape(path, occupancy, self._settings)
        except EmptyShape as error:
            outputs.say(f"left out: {path.name}: {error}")
            return
        self._written += 1
        if len(self.meshes) < TURNTABLE_SHAPES:
            self.meshes.append(mesh)
        size = " x ".join(f"{side:.3g}" for side in mesh.extents)
        outputs.say(f"{path}: {len(mesh.faces):,} faces, {size} m, {mesh.volume:.3g} m³")

    def write_pictures(self) -> None:
        """Writes sheet.png, three views of each shape, and turntable.mp4, all of them turning.

        Raises:
            UserError: All shapes are empty, or a file cannot be written.
        """
        if not self._written:
            raise UserError(
                f"every shape is empty at --threshold {self._options.threshold:g}; give a lower "
                "one, or train for longer"
            )
        sheet, film = self._options.out / "sheet.png", self._options.out / "turntable.mp4"
        shown = self.meshes[:SHEET_SHAPES]
        write_contact_sheet(sheet, shown)
        outputs.say(f"{sheet}: three views of each of {len(shown)} shapes")
        write_turntable(film, self.meshes)
        outputs.say(f"{film}: {len(self.meshes)} shapes turning")
