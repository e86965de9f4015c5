"""Pictures of meshes, without a display: first hits of rays, and Lambert's law.

A camera at azimuth 0 stands in front of the object, on its -y side, with x to the right and z up;
growing azimuths take it counter-clockwise as seen from above, growing elevations up. It looks at
the middle of the object from so far that the object's bounding sphere fills a given share of the
picture, so all views of an object have one scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan, cos, radians, sin, tan

import numpy as np
import trimesh
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Int, UInt8
from trimesh.visual import ColorVisuals

from voxel.meshes import CLAY

Number = int | float
Color = tuple[Number, Number, Number]

_AMBIENT = 0.4
# Towards the light, in the camera's right, up and backward: from the upper left, behind it.
_LIGHT = np.array([-0.4, 0.6, 0.7]) / np.linalg.norm([-0.4, 0.6, 0.7])
# Where a pixel that is not all of one shade is looked at again, in pixels from its middle.
_CLOSER = [(0.25 * row, 0.25 * column) for row in (-1, 1) for column in (-1, 1)]
_VISIBLE_STEP = 0.02


@dataclass(frozen=True)
class Camera:
    """Where an object is looked at from.

    Attributes:
        azimuth: Degrees around the object; 0 is in front of it, 90 at its right (+x).
        elevation: Degrees above its middle.
        field_of_view: Degrees that the picture covers.
        fill: Share of the picture that the bounding sphere fills.
    """

    azimuth: Number = 0
    elevation: Number = 0
    field_of_view: Number = 30
    fill: Number = 0.8

    def axes(self) -> Float[np.ndarray, "3 3"]:
        """Unit vectors to the picture's right, to its top, and from the object to the camera."""
        a, e = radians(self.azimuth), radians(self.elevation)
        right = [cos(a), sin(a), 0]
        up = [-sin(e) * sin(a), sin(e) * cos(a), cos(e)]
        backward = [cos(e) * sin(a), -cos(e) * cos(a), sin(e)]
        return np.array([right, up, backward], dtype=float)

    def half_width(self) -> float:
        """Half of the picture's width at distance 1."""
        return tan(radians(self.field_of_view) / 2)

    def distance(self) -> float:
        """From the middle of a sphere of radius 1."""
        return 1 / sin(atan(self.fill * self.half_width()))


def turntable(angles: int = 24, elevations: Sequence[Number] = (15, 30, 45)) -> list[Camera]:
    """Cameras all around an object, one round after another, from 3D-VAE-GAN's 72 by default.

    The paper (section 4.3) has 24 angles and 3 elevations that it does not name.
    """
    return [Camera(360 * n / angles, elevation) for elevation in elevations for n in range(angles)]


class Renderer:
    """Draws one mesh from anywhere.

    Args:
        mesh: With z up; its vertices' colors are used when it has them. Faces are seen from both
            sides.
        color: Red, green and blue in [0, 1] of a mesh without colors.
        smooth: Shade as if the surface bent between its faces; for surfaces of volumes.

    Raises:
        ValueError: The mesh has no faces, or a coordinate is not finite.
    """

    def __init__(self, mesh: trimesh.Trimesh, color: Color = CLAY, smooth: bool = False) -> None:
        vertices = np.asarray(mesh.vertices, dtype=float)[mesh.faces]
        if len(vertices) == 0 or not np.isfinite(vertices).all():
            raise ValueError("a mesh to draw has faces, and coordinates that are finite")
        corners = vertices.reshape(-1, 3)
        middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
        radius = np.linalg.norm(corners - middle, axis=1).max()
        # A point-like mesh is drawn as nothing rather than refused.
        self._corners = (vertices - middle) / (radius or 1)
        self._scene = EmbreeScene()
        TriangleMesh(self._scene, self._corners.astype(np.float32))
        # (face, corner, xyz), of one corner when the face is flat.
        self._normals = np.asarray(
            mesh.vertex_normals[mesh.faces] if smooth else mesh.face_normals[:, None]
        )
        self._has_colors = False
        self.paint(color)
        if isinstance(mesh.visual, ColorVisuals) and mesh.visual.kind == "vertex":
            self._colors = np.asarray(mesh.visual.vertex_colors)[mesh.faces, :3] / 255
            self._has_colors = True

    def paint(self, color: Color) -> None:
        """Gives a mesh without colors of its own another color in the views to come."""
        if not self._has_colors:
            self._colors = np.array(color, dtype=float)[None, None]

    def view(self, camera: Camera, size: int = 256) -> UInt8[np.ndarray, "4 size size"]:
        """A picture: red, green, blue and how much of the pixel the object covers.

        Args:
            camera: Where from.
            size: Pixels of a side.
        """
        picture = np.zeros((size, size, 4))
        rows, columns = self._window(camera, size)
        window = self._shades(camera, size, rows, columns)
        mixed = np.nonzero(_at_an_edge(window))
        closer = [
            self._shades(camera, size, rows[mixed] + down, columns[mixed] + right)
            for down, right in _CLOSER
        ]
        window[mixed] = np.mean(closer, axis=0)
        picture[rows[0, 0] : rows[-1, 0] + 1, columns[0, 0] : columns[0, -1] + 1] = window
        cover = picture[..., 3:]
        # The shades of what was missed are 0: the mean of the others is left.
        picture[..., :3] /= np.where(cover == 0, 1, cover)
        return np.round(255 * picture).astype(np.uint8).transpose(2, 0, 1)

    def views(
        self, cameras: Sequence[Camera], size: int = 256
    ) -> UInt8[np.ndarray, "4 views size size"]:
        """The pictures of several cameras, one after another."""
        return np.stack([self.view(camera, size) for camera in cameras], axis=1)

    def _window(
        self, camera: Camera, size: int
    ) -> tuple[Int[np.ndarray, "height width"], Int[np.ndarray, "height width"]]:
        """Rows and columns of the pixels that the object may touch."""
        right, up, backward = (self._corners.reshape(-1, 3) @ camera.axes().T).T
        depth = (camera.distance() - backward) * camera.half_width()
        column, row = (1 + right / depth) * size / 2, (1 - up / depth) * size / 2
        spans = [
            np.arange(max(0, int(place.min()) - 1), min(size, int(place.max()) + 2))
            for place in (row, column)
        ]
        rows, columns = np.meshgrid(*spans, indexing="ij")
        return rows, columns

    def _shades(
        self,
        camera: Camera,
        size: int,
        rows: Float[np.ndarray, "*pixels"] | Int[np.ndarray, "*pixels"],
        columns: Float[np.ndarray, "*pixels"] | Int[np.ndarray, "*pixels"],
    ) -> Float[np.ndarray, "*pixels 4"]:
        """Red, green, blue and 1 where the ray through a point of the picture hits; else zeros."""
        axes = camera.axes()
        across = ((2 * columns + 1) / size - 1).ravel() * camera.half_width()
        upward = (1 - (2 * rows + 1) / size).ravel() * camera.half_width()
        rays = np.stack([across, upward, np.full_like(across, -1)], axis=1) @ axes
        origins = np.broadcast_to(camera.distance() * axes[2], rays.shape)
        flat = self._normals.shape[1] == 1 and self._colors.shape[1] == 1
        found = self._scene.run(
            origins.astype(np.float32), rays.astype(np.float32), output=not flat
        )
        face = found if flat else found["primID"]
        hit = np.flatnonzero(face >= 0)
        weights = np.ones((len(hit), 1)) if flat else _weights(found["u"][hit], found["v"][hit])
        shades = np.zeros((len(rays), 4))
        normals = _between(self._normals, face[hit], weights)
        lit = _lambert(normals, rays[hit], _LIGHT @ axes)
        shades[hit, :3] = lit * _between(self._colors, face[hit], weights)
        shades[hit, 3] = 1
        return shades.reshape(*rows.shape, 4)


def _weights(
    u: Float[np.ndarray, " hits"], v: Float[np.ndarray, " hits"]
) -> Float[np.ndarray, "hits 3"]:
    return np.stack([1 - u - v, u, v], axis=1).astype(float)


def _between(
    values: Float[np.ndarray, "faces corners 3"],
    face: Int[np.ndarray, " hits"],
    weights: Float[np.ndarray, "hits weights"],
) -> Float[np.ndarray, "hits 3"]:
    """The corners' values where the faces were hit; one value for all is taken as it is."""
    of_face = values[face] if len(values) > 1 else values
    if values.shape[1] == 1:
        return np.broadcast_to(of_face[:, 0], (len(face), 3))
    return (of_face * weights[..., None]).sum(axis=1)


def _lambert(
    normals: Float[np.ndarray, "hits 3"],
    rays: Float[np.ndarray, "hits 3"],
    light: Float[np.ndarray, " 3"],
) -> Float[np.ndarray, "hits 1"]:
    """Brightness in [0, 1] of the sides that the rays see."""
    length = np.linalg.norm(normals, axis=1)
    facing = -np.sign((normals * rays).sum(axis=1))
    cosine = facing * (normals @ light) / np.where(length == 0, 1, length)
    return (_AMBIENT + (1 - _AMBIENT) * np.maximum(cosine, 0))[:, None]


def _at_an_edge(shades: Float[np.ndarray, "height width 4"]) -> np.ndarray:
    """Whether a pixel's shade differs visibly from that of a neighbour."""
    edge = np.zeros(shades.shape[:2], dtype=bool)
    down = np.abs(np.diff(shades, axis=0)).max(axis=-1) > _VISIBLE_STEP
    right = np.abs(np.diff(shades, axis=1)).max(axis=-1) > _VISIBLE_STEP
    edge[:-1] |= down
    edge[1:] |= down
    edge[:, :-1] |= right
    edge[:, 1:] |= right
    return edge
