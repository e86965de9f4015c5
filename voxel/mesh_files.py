"""Shapes as files that other programs open: GLB, OBJ, STL, PLY, binvox, NPZ."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import trimesh
from jaxtyping import Float
from trimesh.exchange.binvox import export_binvox
from trimesh.visual import ColorVisuals
from trimesh.visual.color import srgb_to_linear
from trimesh.voxel import VoxelGrid

from vidgen.writing import replacing
from voxel.meshes import CLAY, MeshSettings, cleared, shape_mesh

ShapeFormat = Literal["glb", "obj", "stl", "ply", "binvox", "npz"]

_ROUGHNESS = 0.9
# glTF wants y up; what looks along -y here looks along z there.
_TO_GLTF = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def write_mesh(path: Path, mesh: trimesh.Trimesh) -> None:
    """Writes a mesh as what the name ends in: `.glb`, `.obj`, `.stl` or `.ply`.

    GLB has y up, as its standard asks, and is of clay; the other files keep z up. GLB and PLY keep
    colors.

    Args:
        path: The file; replaced when it exists.
        mesh: With z up, in metres.

    Raises:
        UserError: The file cannot be written.
        ValueError: Another ending.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in ("glb", "obj", "stl", "ply"):
        raise ValueError(f"cannot write {path.name}: it must end in .glb, .obj, .stl or .ply")
    # Text or bytes, by kind.
    content: Any = _glb(mesh) if kind == "glb" else mesh.export(file_type=kind)
    with replacing(path) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


def _glb(mesh: trimesh.Trimesh) -> bytes:
    """A mesh with normals, of a dull material: glTF's own default is a metal, black in viewers."""
    turned = mesh.copy().apply_transform(_TO_GLTF)
    color = [*srgb_to_linear(np.array(CLAY)).tolist(), 1.0]
    if isinstance(mesh.visual, ColorVisuals) and mesh.visual.kind == "vertex":
        # The material's color is a factor of the vertices'. glTF's colors are linear.
        color = [1.0, 1.0, 1.0, 1.0]
        linear = srgb_to_linear(np.asarray(mesh.visual.vertex_colors)[:, :3])
        turned.visual = ColorVisuals(turned, vertex_colors=np.round(255 * linear).astype(np.uint8))
    surface = {"baseColorFactor": color, "metallicFactor": 0.0, "roughnessFactor": _ROUGHNESS}

    def dressed(tree: dict[str, Any]) -> None:
        tree["materials"] = [{"pbrMetallicRoughness": surface}]
        for part in tree["meshes"]:
            for primitive in part["primitives"]:
                primitive["material"] = 0

    content: Any = turned.export(file_type="glb", include_normals=True, tree_postprocessor=dressed)
    return content


def write_volume(
    path: Path, occupancy: Float[np.ndarray, "depth height width"], settings: MeshSettings
) -> None:
    """Writes a volume as what the name ends in: `.binvox` or `.npz`.

    Args:
        path: The file; replaced when it exists. An NPZ holds `voxels`, the cells inside, the
            probabilities as `occupancy`, and the `threshold`.
        occupancy: Probabilities in [0, 1], of a cube.
        settings: What is inside, and how large; a binvox file places its cells where the mesh of
            the same settings, neither smoothed nor decimated, is.

    Raises:
        EmptyShape: Nothing reaches the threshold.
        UserError: The file cannot be written.
        ValueError: Another ending.
    """
    kept = cleared(occupancy, settings)
    solid = kept >= settings.threshold
    if path.suffix.lower() == ".npz":
        with replacing(path) as unfinished, unfinished.open("wb") as file:
            np.savez_compressed(
                file, voxels=solid, occupancy=occupancy, threshold=settings.threshold
            )
        return
    if path.suffix.lower() != ".binvox":
        raise ValueError(f"cannot write {path.name}: it must end in .binvox or .npz")
    content = export_binvox(VoxelGrid(solid, _cell_placement(solid, settings)))
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def _cell_placement(solid: np.ndarray, settings: MeshSettings) -> np.ndarray:
    """The matrix from a cell's index to its middle, in metres."""
    ranges = [np.flatnonzero(solid.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    low = np.array([found[0] for found in ranges])
    size = np.array([found[-1] + 1 for found in ranges]) - low
    pitch = 1 / size.max() if settings.height is None else settings.height / size[2]
    standing = low + size * (0.5, 0.5, 0)
    return trimesh.transformations.scale_and_translate(pitch, pitch * (0.5 - standing))


def write_shape(
    path: Path, occupancy: Float[np.ndarray, "depth height width"], settings: MeshSettings
) -> trimesh.Trimesh:
    """Writes a volume as any of the six kinds, by the ending of its name; gives its mesh.

    Raises:
        EmptyShape: Nothing reaches the threshold.
        UserError: The file cannot be written.
        ValueError: Another ending.
    """
    mesh = shape_mesh(occupancy, settings)
    if path.suffix.lower() in (".binvox", ".npz"):
        write_volume(path, occupancy, settings)
    else:
        write_mesh(path, mesh)
    return mesh
