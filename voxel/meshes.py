"""From occupancy to closed meshes: marching cubes, smoothing, decimation, physical size.

Volumes are (depth, height, width) arrays; their axes are a mesh's x, y and z, and z is up. Meshes
leave this module in metres, standing on the ground z = 0 and centred above its origin. Every one is
watertight, with faces that look outwards.

Source: Lorensen and Cline, Marching Cubes (1987); Taubin, A Signal Processing Approach To Fair
Surface Design (1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import trimesh
from jaxtyping import Bool, Float, Int, UInt8
from scipy import ndimage
from skimage.measure import marching_cubes
from trimesh.smoothing import filter_taubin
from trimesh.visual import ColorVisuals

from vidgen.errors import UserError

Axis = Literal["x", "y", "z"]
Number = int | float

CLAY, RED = (0.82, 0.76, 0.68), (0.85, 0.1, 0.08)
# Rows are the new x, y and z in the old ones. All three are rotations: none mirrors the shape.
_UPRIGHT = {
    "x": np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]]),
    "y": np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "z": np.eye(3, dtype=int),
}
Touch = Literal["faces", "corners"]
# Cells belong together that share a face, or that share a face, an edge or a corner.
_NEIGHBORS: dict[Touch, int] = {"faces": 1, "corners": 3}
# As a share of the threshold. A cell exactly at the threshold would put many corners of the surface
# into one point, and the surface would touch itself there.
_CLEARANCE = 1e-3
_TAUBIN_SHRINK, _TAUBIN_GROW, _TAUBIN_PASSES = 0.5, 0.53, 10
_DECIMATION_ATTEMPTS = 6


class EmptyShape(UserError):
    """Nothing of a volume reaches the threshold."""


@dataclass(frozen=True, kw_only=True)
class MeshSettings:
    """How a volume becomes a mesh.

    Attributes:
        threshold: Occupancy from which a cell is inside.
        largest: Keep only the largest part connected over faces of cells: one piece of surface.
        smooth: Round off the steps of the cells; volume and size stay.
        faces: Most triangles; `None` keeps all.
        height: In metres; `None` makes the longest side 1.
    """

    threshold: Number = 0.5
    largest: bool = False
    smooth: bool = False
    faces: int | None = None
    height: Number | None = None


def shape_mesh(
    occupancy: Float[np.ndarray, "depth height width"],
    settings: MeshSettings | None = None,
    heat: Float[np.ndarray, "depth height width"] | None = None,
) -> trimesh.Trimesh:
    """The mesh of a volume, of its physical size.

    Args:
        occupancy: Probabilities in [0, 1].
        settings: How; `None` takes the defaults.
        heat: Cells to color, from 0, clay, to 1, red; `None` leaves the mesh without colors.

    Raises:
        EmptyShape: Nothing reaches the threshold.
    """
    settings = settings or MeshSettings()
    mesh = surface(cleared(occupancy, settings), settings.threshold)
    if settings.largest:
        # Cells that share no more than an edge or a corner may still be apart on the surface.
        mesh = largest_part(mesh)
    if settings.smooth:
        mesh = smoothed(mesh)
    if settings.faces is not None:
        mesh = decimated(mesh, settings.faces)
    if heat is not None:
        mesh.visual = ColorVisuals(mesh, vertex_colors=_heat_colors(mesh.vertices, heat))
    return placed(mesh, height=settings.height)


def cleared(
    occupancy: Float[np.ndarray, "depth height width"], settings: MeshSettings
) -> Float[np.ndarray, "depth height width"]:
    """The volume without the parts that `settings.largest` leaves out.

    Cells that share no more than an edge or a corner are different parts here: `surface` runs
    between them, and what hangs on to a shape by such a cell would be a loose piece of its mesh.
    """
    if not settings.largest:
        return occupancy
    solid = occupancy >= settings.threshold
    kept = largest_component(solid, "faces")
    return np.where(solid & ~kept, 0, occupancy).astype(occupancy.dtype)


def largest_component(
    solid: Bool[np.ndarray, "depth height width"], touch: Touch = "corners"
) -> Bool[np.ndarray, "depth height width"]:
    """The largest connected part; of equal ones the first.

    Args:
        solid: Cells inside.
        touch: What connected cells share: "faces", or "corners", where edges count too.
    """
    labels = component_labels(solid, touch)
    sizes = np.bincount(labels.ravel())[1:]
    return labels == 1 + int(np.argmax(sizes)) if len(sizes) else solid


def component_labels(
    solid: Bool[np.ndarray, "depth height width"], touch: Touch = "corners"
) -> Int[np.ndarray, "depth height width"]:
    """The number of each cell's connected part, from 1 in the order of first cells; else 0."""
    labels = np.zeros(solid.shape, dtype=np.int32)
    structure = ndimage.generate_binary_structure(3, _NEIGHBORS[touch])
    ndimage.label(solid, structure=structure, output=labels)
    return labels


def surface(
    occupancy: Float[np.ndarray, "depth height width"], threshold: Number = 0.5
) -> trimesh.Trimesh:
    """Where the occupancy crosses the threshold, in cells: a block of cells i ... j spans i to j+1.

    Args:
        occupancy: Probabilities in [0, 1].
        threshold: Strictly between 0 and 1.

    Raises:
        EmptyShape: Nothing reaches the threshold.
    """
    solid = occupancy >= threshold
    if not solid.any():
        raise EmptyShape(
            f"the shape is empty: no cell reaches the threshold {threshold:g}, the highest has "
            f"{occupancy.max():.3g}; give a lower --threshold"
        )
    inside, outside = threshold * (1 + _CLEARANCE), threshold * (1 - _CLEARANCE)
    field = np.where(solid, np.maximum(occupancy, inside), np.minimum(occupancy, outside))
    # Without the empty cells around it, a shape that touches the border would stay open there.
    padded = np.pad(field.astype(np.float32), 1)
    # "descent", the default, makes faces that look inwards. Lewiner's table, the other default,
    # leaves holes in noise.
    vertices, faces, _, _ = marching_cubes(
        padded, threshold, method="lorensen", gradient_direction="ascent"
    )
    # One cell less for the padding, half a cell more because a value sits in its cell's middle.
    return trimesh.Trimesh(vertices.astype(float) - 0.5, faces)


def largest_part(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The part of a mesh connected over edges with the largest area; cavities in it are filled."""
    return max(mesh.split(only_watertight=False), key=lambda part: part.area)


def smoothed(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The mesh with its steps rounded off: shrunk and grown in turn, so that the volume stays."""
    return filter_taubin(mesh.copy(), _TAUBIN_SHRINK, _TAUBIN_GROW, _TAUBIN_PASSES)


def decimated(mesh: trimesh.Trimesh, faces: int) -> trimesh.Trimesh:
    """The mesh with about `faces` triangles, more where fewer would leave it open.

    Collapsing edges can pinch thin parts; then the next attempt keeps more triangles, and after the
    last the mesh stays as it is.

    Args:
        mesh: Watertight.
        faces: Triangles wanted, at least 4.
    """
    target = faces
    for _ in range(_DECIMATION_ATTEMPTS):
        if target >= len(mesh.faces):
            break
        fewer = mesh.simplify_quadric_decimation(face_count=target)
        if is_closed(fewer):
            return fewer
        target = round(1.5 * target)
    return mesh


def is_closed(mesh: trimesh.Trimesh) -> bool:
    """Whether a mesh encloses a volume: watertight, all faces looking outwards."""
    return bool(mesh.is_watertight and mesh.is_winding_consistent and mesh.volume > 0)


def _heat_colors(
    vertices: Float[np.ndarray, "vertices 3"], heat: Float[np.ndarray, "depth height width"]
) -> UInt8[np.ndarray, "vertices 3"]:
    """The color at each vertex, in cells."""
    # A vertex lies between a cell inside and one outside: the hottest around it counts.
    hottest = ndimage.maximum_filter(heat, 3)
    places = np.clip(np.floor(vertices), 0, np.array(heat.shape) - 1).astype(int)
    at_vertex = hottest[tuple(places.T)][:, None]
    return np.round(255 * ((1 - at_vertex) * CLAY + at_vertex * np.array(RED))).astype(np.uint8)


def placed(mesh: trimesh.Trimesh, up: Axis = "z", height: Number | None = None) -> trimesh.Trimesh:
    """The mesh with z up, of its physical size, standing on the origin.

    Args:
        mesh: In any unit.
        up: Its axis that points up.
        height: In metres; `None` makes the longest side 1.
    """
    upright = mesh.copy()
    upright.vertices = mesh.vertices @ _UPRIGHT[up].T
    low, high = upright.bounds
    scale = 1 / np.max(high - low) if height is None else height / (high - low)[2]
    standing = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]
    upright.vertices = (upright.vertices - standing) * scale
    return upright
