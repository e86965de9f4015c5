"""Quick pictures of volumes, good enough to see what a training has learned."""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

_LIGHT = (-0.4, -0.6, 0.7)  # from the upper left, towards the viewer
_AMBIENT, _WHITE = 0.25, 255
_EDGE = 1.5  # half a picture's side, the cube being [-1, 1]; its utmost corners are cut


def turntable(
    volumes: Float[Tensor, "count 1 x y z"],
    num_frames: int = 8,
    elevation: float = 25.0,
    threshold: float = 0.5,
    size: int = 64,
) -> UInt8[Tensor, "count 1 time height width"]:
    """Volumes turned once about their up axis, the last one: shaded, parallel projection.

    Args:
        volumes: Probabilities; axes (x, y, z) with z up.
        num_frames: Views, evenly spaced over a turn.
        elevation: Of the viewer over the ground, in degrees.
        threshold: From where on a voxel is seen.
        size: Height and width of the pictures in pixels.
    """
    occupied = (volumes >= threshold).flatten(1).byte().cpu()
    # One empty cell more, for what lies outside of the volume.
    occupied = functional.pad(occupied, (0, 1))
    frames = torch.empty(len(volumes), 1, num_frames, size, size, dtype=torch.uint8)
    for view in range(num_frames):
        turned = 2 * math.pi * view / num_frames
        places = _rays(turned, math.radians(elevation), size, volumes.shape[2:])
        for number, cells in enumerate(occupied):
            frames[number, 0, view] = _shaded(cells[places])
    return frames


@cache
def _rays(
    azimuth: float, elevation: float, size: int, shape: torch.Size
) -> Int[Tensor, "step height width"]:
    """The cell, counted through the flattened volume, that each step of a pixel's ray meets.

    Nearest steps first; steps outside of the volume meet the cell after its last.
    """
    across = torch.linspace(-_EDGE, _EDGE, size)
    spacing = 2 * _EDGE / (size - 1)
    steps = math.ceil(math.sqrt(3) / spacing)
    into = spacing * torch.arange(-steps, steps + 1)
    depth, down, right = torch.meshgrid(into, across, across, indexing="ij")
    # The viewer's axes in the world, which looks down from its elevation.
    outward = math.cos(elevation) * depth - math.sin(elevation) * down
    z = -math.cos(elevation) * down - math.sin(elevation) * depth
    x = math.cos(azimuth) * right - math.sin(azimuth) * outward
    y = math.sin(azimuth) * right + math.cos(azimuth) * outward
    sides = torch.tensor(shape)
    cell = ((torch.stack([x, y, z], dim=-1) + 1) / 2 * sides).floor().long()
    inside = ((cell >= 0) & (cell < sides)).all(-1)
    number = (cell[..., 0] * shape[1] + cell[..., 1]) * shape[2] + cell[..., 2]
    return number.where(inside, sides.prod())


def _shaded(solid: UInt8[Tensor, "step height width"]) -> UInt8[Tensor, "height width"]:
    """Brightness of the first surface that each ray meets; white where it meets none."""
    hit = solid.amax(0) > 0
    depth = solid.argmax(0).float()  # the first of equal ones
    # A surface's normal leans the way the depth grows; at an outline the neighbour is far behind.
    slope_down, slope_right = (
        slope.clamp(-2, 2)
        for slope in torch.gradient(depth.where(hit, depth.new_tensor(len(solid))))
    )
    normal = torch.stack([slope_right, slope_down, torch.ones_like(depth)])
    light = torch.tensor(_LIGHT).to(depth)
    facing = (functional.normalize(normal, dim=0) * light[:, None, None] / light.norm()).sum(0)
    level = _AMBIENT + (1 - _AMBIENT) * facing.clamp(0, 1)
    return torch.where(hit, 220 * level, _WHITE).round().to(torch.uint8)
