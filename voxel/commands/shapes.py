"""A trained model that makes shapes, and the folder they go to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

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
from voxel.pictures import Map, write_contact_sheet, write_turntable

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


@torch.no_grad()
def sampled(
    loaded: LoadedGame, options: ShapeOptions, seeds: Sequence[int], truncation: float
) -> Iterator[tuple[str, Float[np.ndarray, "depth height width"]]]:
    """Names of files and volumes of seeds, made a batch at a time as they are taken.

    Raises:
        UserError: There is no such class, or the batch does not fit.
    """
    for batch in outputs.batches(seeds, options.batch_size):
        labels = labels_of(loaded, options, len(batch))
        with outputs.enough_memory(len(batch)):
            occupancies = volumes(loaded.game.sample(batch, labels, truncation=truncation))
        for seed, occupancy in zip(batch, occupancies, strict=True):
            yield f"seed-{outputs.seed_name(seed)}", occupancy


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


class _Written(NamedTuple):
    """What became of a volume: a mesh, or the reason why there is none."""

    path: Path
    highest: float
    mesh: trimesh.Trimesh | None
    reason: str = ""


class _Writing(NamedTuple):
    """Writes volumes as files; it can travel to other processes."""

    out: Path
    ending: str
    settings: MeshSettings

    def __call__(self, named: tuple[str, Float[np.ndarray, "depth height width"]]) -> _Written:
        name, occupancy = named
        path, highest = self.out / f"{name}.{self.ending}", float(occupancy.max())
        try:
            return _Written(path, highest, write_shape(path, occupancy, self.settings))
        except EmptyShape as error:
            return _Written(path, highest, None, str(error))


class ShapeFolder:
    """Writes shapes as they come, says which, and keeps the first ones for the pictures.

    Args:
        options: Where to, and as what.
        done_by: Python's `map`, or one that works in several processes.
    """

    def __init__(self, options: ShapeOptions, done_by: Map = map) -> None:
        self._done_by = done_by
        self.out, self.settings = options.out, mesh_settings(options)
        self.meshes: list[trimesh.Trimesh] = []
        self._format, self._shown = options.format, []
        self._highest = 0.0
        remove_leftovers(options.out)

    def write_all(
        self, named: Iterable[tuple[str, Float[np.ndarray, "depth height width"]]]
    ) -> None:
        """Writes shapes one after another, as `write` does, with what there is to do it.

        Args:
            named: Names of files, without endings, and volumes; few of them are taken ahead.

        Raises:
            UserError: A file cannot be written.
        """
        writing = _Writing(self.out, self._format, self.settings)
        for written in self._done_by(writing, named):
            self._note(written)

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
        writing = _Writing(self.out, self._format, self.settings)
        return self._note(writing((name, occupancy)), image)

    def _note(
        self, written: _Written, image: UInt8[np.ndarray, "3 size size"] | None = None
    ) -> trimesh.Trimesh | None:
        path, mesh = written.path, written.mesh
        self._highest = max(self._highest, written.highest)
        if mesh is None:
            outputs.say(f"left out: {path.name}: {written.reason}")
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
        write_contact_sheet(table, rows, self._shown, self._done_by)
        outputs.say(f"{table}: views of {len(rows)} shapes")
        write_turntable(moving, self.meshes, self._done_by)
        outputs.say(f"{moving}: {len(self.meshes)} shapes turning")
