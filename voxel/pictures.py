"""Many shapes in one picture or film."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import trimesh
from jaxtyping import UInt8

from vidgen.writing import frame_sheet, grid, write_clip
from voxel.rendering import Camera, Renderer

FPS = 12
_SHEET_CAMERAS = [Camera(-35, 20), Camera(35, 20), Camera(145, 20)]
_TURN_ELEVATION, _TURN_FRAMES = 20, 36


def on_background(
    picture: UInt8[np.ndarray, "4 *shape"],
    background: UInt8[np.ndarray, "3 *shape"] | int = 255,
) -> UInt8[np.ndarray, "3 *shape"]:
    """A drawn object in front of a picture, or of one grey level."""
    cover = picture[3:].astype(float) / 255
    mixed = cover * picture[:3] + (1 - cover) * background
    return np.round(mixed).astype(np.uint8)


def write_contact_sheet(path: Path, meshes: Sequence[trimesh.Trimesh], size: int = 192) -> None:
    """Writes a PNG with a row for each mesh: from its front left, front right, and behind.

    Args:
        path: The file; replaced when it exists.
        meshes: At least one.
        size: Pixels of a view's side.

    Raises:
        UserError: The file cannot be written.
    """
    write_clip(path, frame_sheet(_films(meshes, _SHEET_CAMERAS, size), len(_SHEET_CAMERAS)), FPS)


def write_turntable(path: Path, meshes: Sequence[trimesh.Trimesh], size: int = 192) -> None:
    """Writes an MP4 in which all meshes turn side by side, once around in three seconds.

    Args:
        path: The file; replaced when it exists.
        meshes: At least one.
        size: Pixels of a view's side.

    Raises:
        UserError: The file cannot be written.
    """
    around = [Camera(360 * n / _TURN_FRAMES - 35, _TURN_ELEVATION) for n in range(_TURN_FRAMES)]
    write_clip(path, grid(_films(meshes, around, size)), FPS)


def write_row(path: Path, meshes: Sequence[trimesh.Trimesh], size: int = 192) -> None:
    """Writes a PNG of the meshes from left to right, or an MP4 of them one after another.

    Raises:
        UserError: The file cannot be written.
    """
    films = _films(meshes, [Camera(-35, _TURN_ELEVATION)], size)
    frames = films.transpose(0, 2)[0].transpose(0, 1) if path.suffix == ".mp4" else None
    write_clip(path, grid(films, columns=len(films)) if frames is None else frames, FPS)


def _films(
    meshes: Sequence[trimesh.Trimesh], cameras: Sequence[Camera], size: int
) -> torch.Tensor:
    """Pixels (mesh, channel, camera, height, width), on white."""
    films = [
        on_background(Renderer(mesh, smooth=True).views(cameras, size)) for mesh in meshes
    ]
    return torch.from_numpy(np.stack(films))
