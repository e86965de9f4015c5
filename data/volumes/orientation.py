"""Turning shapes: the up axis to z, and the rotations and reflections of augmentation."""

from __future__ import annotations

from functools import cache
from itertools import permutations, product
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Bool, Float64, Int, Shaped

Up = Literal["x", "y", "z"]
Rotations = Literal[1, 4, 12, 24]

Array = TypeVar("Array", bound=np.ndarray)


def upright_points(
    points: Float64[np.ndarray, "point 3"], up: Up
) -> Float64[np.ndarray, "point 3"]:
    """Points turned so that `up` becomes z; a rotation, so that left stays left."""
    x, y, z = points.T
    turned = {"x": (-z, y, x), "y": (x, -z, y), "z": (x, y, z)}[up]
    return np.stack(turned, axis=1)


def upright_volume(volume: Bool[np.ndarray, "x y z"], up: Up) -> Bool[np.ndarray, "_ _ _"]:
    """A volume turned as `upright_points` turns points."""
    if up == "x":
        return volume[:, :, ::-1].transpose(2, 1, 0)
    if up == "y":
        return volume[:, :, ::-1].transpose(0, 2, 1)
    return volume


def rotated(
    volume: Shaped[np.ndarray, "size size size"], rotations: Rotations, number: int
) -> Shaped[np.ndarray, "size size size"]:
    """A volume turned by one of the rotations of a set; number 0 leaves it as it is.

    Args:
        volume: Axes x, y, z.
        rotations: 4 or 12 equal steps about z, counter-clockwise seen from above; 24 are all by
            which a cube falls upon itself. Those of 30 degrees take the nearest cell, and cut off
            what leaves the grid; the others lose nothing.
        number: Which of them, from 0.
    """
    if rotations == 24:
        axes, flips = _cube_rotations()[number]
        return np.flip(volume.transpose(axes), flips) if flips else volume.transpose(axes)
    degrees = number * 360 // rotations
    if degrees % 90 == 0:
        return np.rot90(volume, degrees // 90, axes=(0, 1))
    columns, outside = _turned_columns(volume.shape[0], degrees)
    turned = volume.reshape(-1, volume.shape[2])[columns]
    turned[outside] = 0
    return turned.reshape(volume.shape)


def mirrored(volume: Shaped[np.ndarray, "size size size"]) -> Shaped[np.ndarray, "size size size"]:
    """A volume with left and right exchanged (x reversed): its handedness changes."""
    return volume[::-1]


def shifted(
    volume: Shaped[np.ndarray, "size size size"], steps: Int[np.ndarray, " 3"]
) -> Shaped[np.ndarray, "size size size"]:
    """A volume moved by whole cells; what leaves the grid is lost, nothing comes in behind."""
    moved = np.zeros_like(volume)
    size = volume.shape[0]
    into = tuple(slice(max(step, 0), size + min(step, 0)) for step in steps.tolist())
    from_ = tuple(slice(max(-step, 0), size + min(-step, 0)) for step in steps.tolist())
    moved[into] = volume[from_]
    return moved


@cache
def _cube_rotations() -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Axes to take and axes to reverse, of the 24 signed permutations of determinant 1."""
    found = []
    for axes in permutations(range(3)):
        matrix = np.eye(3)[list(axes)]
        for flips in product((False, True), repeat=3):
            signs = np.where(flips, -1, 1)
            if np.linalg.det(signs[:, None] * matrix) > 0:
                found.append((axes, tuple(axis for axis in range(3) if flips[axis])))
    return found


@cache
def _turned_columns(
    size: int, degrees: int
) -> tuple[Int[np.ndarray, " column"], Bool[np.ndarray, " column"]]:
    """For each upright column of the result, the column it comes from, and whether none does."""
    centre = (size - 1) / 2
    x, y = np.meshgrid(np.arange(size) - centre, np.arange(size) - centre, indexing="ij")
    angle = np.deg2rad(degrees)
    # Where the point lay before it was turned: turned back.
    old_x = np.rint(np.cos(angle) * x + np.sin(angle) * y + centre).astype(np.int64).ravel()
    old_y = np.rint(np.cos(angle) * y - np.sin(angle) * x + centre).astype(np.int64).ravel()
    outside = (old_x < 0) | (old_x >= size) | (old_y < 0) | (old_y >= size)
    return np.where(outside, 0, old_x * size + old_y), outside
