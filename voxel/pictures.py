"""Many shapes in one picture or film."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from jaxtyping import UInt8

from vidgen.writing import frame_sheet, grid, write_clip
from voxel.rendering import Camera, Renderer

FPS = 12
_SHEET_CAMERAS = [Camera(-35, 20), Camera(35, 20), Camera(145, 20)]
# Python's `map`, or one that draws in several processes.
Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
_ONE_CAMERA = [Camera(-35, 20)]
_ELEVATION, _TURN_FRAMES = 20, 36
SIZE = 192


def on_white(
    picture: UInt8[np.ndarray, "4 views height width"],
) -> UInt8[np.ndarray, "3 views height width"]:
    """Drawn views in front of white."""
    return in_front(picture, np.full_like(picture[:3], 255))


def in_front(
    picture: UInt8[np.ndarray, "4 ..."], background: UInt8[np.ndarray, "3 ..."]
) -> UInt8[np.ndarray, "3 ..."]:
    """A drawn object in front of another picture."""
    cover = picture[3:].astype(float) / 255
    return np.round(cover * picture[:3] + (1 - cover) * background).astype(np.uint8)


def write_contact_sheet(
    path: Path,
    meshes: Sequence[trimesh.Trimesh],
    first_column: Sequence[UInt8[np.ndarray, "3 size size"]] = (),
    drawn_by: Map = map,
) -> None:
    """Writes a PNG with a row for each mesh: from its front left, front right, and behind.

    Args:
        path: The file; replaced when it exists.
        meshes: At least one.
        first_column: A picture for each mesh, to begin its row with.
        drawn_by: Draws one mesh after another.

    Raises:
        UserError: The file cannot be written.
    """
    films = _films(meshes, _SHEET_CAMERAS, SIZE, drawn_by)
    if first_column:
        images = torch.from_numpy(np.stack(first_column))[:, :, None]
        films = torch.cat([images, films], dim=2)
    write_clip(path, frame_sheet(films, films.shape[2]), FPS)


def write_turntable(path: Path, meshes: Sequence[trimesh.Trimesh], drawn_by: Map = map) -> None:
    """Writes an MP4 in which all meshes turn side by side, once around in three seconds.

    Args:
        path: The file; replaced when it exists.
        meshes: At least one.
        drawn_by: Draws one mesh after another.

    Raises:
        UserError: The file cannot be written.
    """
    around = [Camera(360 * n / _TURN_FRAMES - 35, _ELEVATION) for n in range(_TURN_FRAMES)]
    write_clip(path, grid(_films(meshes, around, SIZE, drawn_by)), FPS)


def write_table(path: Path, rows: Sequence[Sequence[trimesh.Trimesh | None]]) -> None:
    """Writes a PNG with the meshes in rows from left to right, each from its front left.

    Args:
        path: The file; replaced when it exists.
        rows: Of one length; `None` leaves a place empty.

    Raises:
        UserError: The file cannot be written.
    """
    films = _films([mesh for row in rows for mesh in row], _ONE_CAMERA, SIZE)
    write_clip(path, grid(films, columns=len(rows[0])), FPS)


def write_film(path: Path, meshes: Sequence[trimesh.Trimesh | None], fps: float) -> None:
    """Writes an MP4 of the meshes one after another, each from its front left.

    Args:
        path: The file; replaced when it exists.
        meshes: One a frame; `None` is an empty one.
        fps: Frames a second.

    Raises:
        UserError: The file cannot be written.
    """
    # (frame, channel, 1, height, width) -> (channel, frame, height, width)
    frames = _films(meshes, _ONE_CAMERA, 2 * SIZE)[:, :, 0].transpose(0, 1)
    write_clip(path, frames, fps)


def _films(
    meshes: Sequence[trimesh.Trimesh | None],
    cameras: Sequence[Camera],
    size: int,
    drawn_by: Map = map,
) -> UInt8[torch.Tensor, "mesh 3 camera size size"]:
    """The meshes from each camera, on white."""
    films = torch.empty(len(meshes), 3, len(cameras), size, size, dtype=torch.uint8)
    for place, film in zip(films, drawn_by(partial(_film, cameras, size), meshes), strict=True):
        place.copy_(torch.from_numpy(film))
    return films


def _film(
    cameras: Sequence[Camera], size: int, mesh: trimesh.Trimesh | None
) -> UInt8[np.ndarray, "3 camera size size"]:
    """One mesh from each camera, on white; `None` is nothing."""
    if mesh is None:
        return np.full((3, len(cameras), size, size), 255, dtype=np.uint8)
    return on_white(Renderer(mesh, smooth=True).views(cameras, size))
