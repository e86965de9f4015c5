"""Triangle meshes from files: OFF by a reader of our own, the other formats by trimesh."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from data.sources import DataError

MESH_ENDINGS = frozenset((".glb", ".obj", ".off", ".ply", ".stl"))
MOST_FACES = 2_000_000
MOST_BYTES = 1 << 30

_COMMENT = re.compile(r"#[^\n]*")
_HEADER = re.compile(r"\s*(?:ST|C|N|4|n)*OFF\b|\s*(?:ST|C|N|4|n)*OFF(?=\d)")


class Mesh(NamedTuple):
    """Triangles in space."""

    vertices: Float64[np.ndarray, "vertex 3"]
    faces: Int64[np.ndarray, "face 3"]


def read_mesh(path: Path) -> Mesh:
    """The triangles of a file; materials, textures and files that it refers to are not opened.

    Raises:
        DataError: It is too large, damaged or holds no triangles.
    """
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"the file is larger than {MOST_BYTES >> 20} MB: decimate the mesh")
    mesh = _read_off(path) if path.suffix.lower() == ".off" else _read_by_trimesh(path)
    if len(mesh.faces) == 0:
        raise DataError("the mesh has no faces")
    if len(mesh.faces) > MOST_FACES:
        raise DataError(f"more than {MOST_FACES:,} faces: decimate the mesh")
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise DataError(
            f"a face names vertex {mesh.faces.max()}, but there are {len(mesh.vertices)}"
        )
    used = np.unique(mesh.faces)
    if not np.isfinite(mesh.vertices[used]).all():
        bad = used[~np.isfinite(mesh.vertices[used]).all(axis=1)][0]
        raise DataError(f"vertex {bad} is not finite: {mesh.vertices[bad].tolist()}")
    return mesh


def _read_by_trimesh(path: Path) -> Mesh:
    import trimesh

    # Through an open file, without a resolver: whatever other file it names stays closed.
    with open(path, "rb") as file:
        try:
            scene = trimesh.load_scene(
                file, file_type=path.suffix[1:].lower(), process=False, skip_materials=True
            )
            mesh = scene.to_mesh()
        except Exception as error:  # trimesh's parsers raise anything at all
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise DataError(f"no readable mesh: {reason}") from error
    return Mesh(
        np.array(mesh.vertices, np.float64).reshape(-1, 3),
        np.array(mesh.faces, np.int64).reshape(-1, 3),
    )


def _read_off(path: Path) -> Mesh:
    """Object file format; ModelNet's header glued to the counts, comments and polygons included."""
    text = _COMMENT.sub("", path.read_text(encoding="utf-8", errors="replace"))
    header = _HEADER.match(text)
    if header is None:
        raise DataError(f"no OFF file: it begins with {text[:20].strip()!r}")
    lines = [line for line in text[header.end() :].splitlines() if line and not line.isspace()]
    try:
        num_vertices, num_faces = (int(word) for word in lines[0].split()[:2])
    except (IndexError, ValueError):
        raise DataError("its counts of vertices and faces cannot be read") from None
    if num_vertices < 0 or num_faces < 0 or len(lines) < 1 + num_vertices + num_faces:
        raise DataError(
            f"cut off: {len(lines) - 1} lines for {num_vertices} vertices and {num_faces} faces"
        )
    first_face = 1 + num_vertices
    try:
        vertices = _vertices(lines[1:first_face])
        return Mesh(vertices, _triangles(lines[first_face : first_face + num_faces]))
    except (ValueError, IndexError) as error:
        raise DataError(f"a line of numbers cannot be read: {error}") from None


def _vertices(lines: list[str]) -> Float64[np.ndarray, "vertex 3"]:
    if not lines:
        return np.zeros((0, 3))
    numbers = np.array(" ".join(lines).split(), np.float64)
    return np.ascontiguousarray(numbers.reshape(len(lines), -1)[:, :3])


def _triangles(lines: list[str]) -> Int64[np.ndarray, "face 3"]:
    """Polygons cut into fans; colours behind the corners are passed over."""
    try:
        numbers = np.array(" ".join(lines).split(), np.int64).reshape(len(lines), -1)
        if lines and numbers.shape[1] > 3 and (numbers[:, 0] == 3).all():
            return np.ascontiguousarray(numbers[:, 1:4])
    except ValueError:
        pass  # faces of several lengths, or with fractional colours
    triangles: list[list[int]] = []
    for line in lines:
        words = line.split()
        corners = [int(word) for word in words[1 : 1 + int(words[0])]]
        triangles += [[corners[0], *pair] for pair in pairwise(corners[1:])]
    return np.array(triangles, np.int64).reshape(-1, 3)
