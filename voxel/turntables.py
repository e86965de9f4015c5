"""Folders of meshes as folders of turntable films, the images that 3D-VAE-GAN learns from."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import UInt8

from vidgen.errors import UserError
from vidgen.writing import replacing, write_mp4
from voxel.backgrounds import BackgroundKind, Backgrounds
from voxel.meshes import CLAY, Axis, placed
from voxel.pictures import in_front
from voxel.rendering import Renderer, turntable

MESH_ENDINGS = frozenset((".glb", ".gltf", ".obj", ".off", ".ply", ".stl"))
_ABOUT = "views.json"


@dataclass(frozen=True, kw_only=True)
class TurntableSettings:
    """How objects are filmed.

    Attributes:
        angles: Views around an object, evenly spaced from 0 degrees.
        elevations: Degrees above the ground; a round of views each.
        size: Pixels of a frame's side.
        up: Axis of the meshes that points up.
        background: What stands behind the objects, another one in each view.
        photos: Folder of pictures for the background photo.
        seed: Of backgrounds, and of the objects' colors where the background is not plain: another
            one in each view, too.
        fps: Frames a second of the films.
    """

    angles: int = 24
    elevations: tuple[float, ...] = (15, 30, 45)
    size: int = 256
    up: Axis = "z"
    background: BackgroundKind = "plain"
    photos: Path | None = None
    seed: int = 0
    fps: int = 12


def mesh_films(source: Path) -> dict[Path, Path]:
    """The meshes below a folder in the order of their paths, and for each its film's path.

    Both are relative. A film is named after its mesh without the ending, unless two would be the
    same.

    Raises:
        UserError: There are none.
    """
    if not source.is_dir():
        raise UserError(f"{source} is no folder; give one with meshes, such as a ModelNet's")
    found = (path for path in source.rglob("*") if path.suffix.lower() in MESH_ENDINGS)
    meshes = sorted(path.relative_to(source) for path in found)
    if not meshes:
        raise UserError(f"{source} holds no meshes: {', '.join(sorted(MESH_ENDINGS))}")
    stems = Counter(mesh.with_suffix("") for mesh in meshes)
    return {
        mesh: mesh.with_suffix(".mp4")
        if stems[mesh.with_suffix("")] == 1
        else mesh.with_name(mesh.name + ".mp4")
        for mesh in meshes
    }


def note_settings(folder: Path, settings: TurntableSettings) -> None:
    """Writes down what the folder's films show, or finds the same written down before.

    views.json has the settings, and azimuth and elevation of every frame.

    Raises:
        UserError: The folder's films were made with other settings, or it cannot be written.
    """
    cameras = turntable(settings.angles, settings.elevations)
    about: dict[str, Any] = asdict(settings)
    about["photos"] = None if settings.photos is None else str(settings.photos)
    about["frames"] = [[camera.azimuth, camera.elevation] for camera in cameras]
    about = json.loads(json.dumps(about))
    path = folder / _ABOUT
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read: {error}; give another folder") from error
        changed = [name for name in about if before.get(name) != about[name]]
        if changed:
            raise UserError(
                f"the films in {folder} were made with other settings of {', '.join(changed)}; "
                "give the old ones, or another folder"
            )
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


class Filming:
    """Writes films of meshes; it can travel to other processes.

    Args:
        source: Folder of meshes.
        folder: Folder of films.
        settings: How.

    Raises:
        UserError: There are no photographs where they are asked for.
    """

    def __init__(self, source: Path, folder: Path, settings: TurntableSettings) -> None:
        self._source, self._folder, self._settings = source, folder, settings
        self._backgrounds = Backgrounds(settings.background, settings.photos)

    def __call__(self, names: tuple[Path, Path]) -> str | None:
        """Writes the film of a mesh; a line that says why, where it cannot be read.

        Args:
            names: Relative paths of mesh and film.

        Raises:
            UserError: The film cannot be written.
        """
        mesh, film = names
        try:
            pixels = self.frames(mesh)
        except UserError:
            raise
        except Exception as error:  # readers raise anything at all on a bad file
            reason = " ".join(str(error).split())
            return f"left out: {mesh} cannot be drawn: {reason or type(error).__name__}"
        write_mp4(self._folder / film, pixels, self._settings.fps)
        return None

    def frames(self, mesh: Path) -> UInt8[np.ndarray, "3 views size size"]:
        """The views of a mesh, the same for the same seed and name."""
        settings = self._settings
        random = np.random.default_rng([settings.seed, zlib.crc32(mesh.as_posix().encode())])
        renderer = Renderer(placed(read_mesh(self._source / mesh), settings.up), CLAY)
        frames = []
        for camera in turntable(settings.angles, settings.elevations):
            if settings.background != "plain":
                # Of one color in all views, an object would be known by it, and not by its shape.
                red, green, blue = random.uniform(0.1, 1, 3).tolist()
                renderer.paint((red, green, blue))
            background = self._backgrounds.draw(random, settings.size)
            frames.append(in_front(renderer.view(camera, settings.size), background))
        return np.stack(frames, axis=1)


def read_mesh(path: Path) -> trimesh.Trimesh:
    """A mesh of any kind that trimesh reads, all its parts in one, with the file's own axes.

    GLB's y up is the file's own too.

    Raises:
        Exception: The file is no mesh; readers raise anything at all.
    """
    loaded = trimesh.load_scene(path, process=False).to_mesh()
    return trimesh.Trimesh(loaded.vertices, loaded.faces, process=False)
