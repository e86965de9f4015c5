"""Convolutions from and to one channel, with kernel 4, stride 2 and padding 1.

To one channel torch's are several times slower than their multiplications need, as a layer and as
the gradient of one. Here all taps of all voxels are one matrix product, whose results are added
where they belong: torch's sums but for rounding. What goes from one channel is torch's own.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

from vidgen.wanted_gradients import is_wanted

_TAPS = 4
_NUMBERS_AT_ONCE = 2**22  # of products, 16 MiB: they stay in memory that is used again


def from_one_channel(
    volume: Float[Tensor, "batch 1 x y z"], weight: Float[Tensor, "after 1 4 4 4"]
) -> Float[Tensor, "batch after half_x half_y half_z"]:
    """The convolution, with a quicker gradient of the volume."""
    return _FromOneChannel.apply(volume, weight)


def to_one_channel(
    maps: Float[Tensor, "batch before x y z"],
    weight: Float[Tensor, "before 1 4 4 4"],
    size: tuple[int, ...] | None = None,
) -> Float[Tensor, "batch 1 double_x double_y double_z"]:
    """The transposed convolution; of a volume of `size`, if it is not twice the maps'."""
    return _ToOneChannel.apply(maps, weight, size or tuple(2 * side for side in maps.shape[2:]))


class _FromOneChannel(Function):
    @staticmethod
    def forward(context: Any, volume: Tensor, weight: Tensor) -> Tensor:
        context.save_for_backward(volume, weight)
        return functional.conv3d(volume, weight, None, 2, 1)

    @staticmethod
    def backward(context: Any, maps: Tensor) -> tuple[Tensor | None, Tensor | None]:
        volume, weight = context.saved_tensors
        of_volume = of_weight = None
        if is_wanted(context, 0):
            of_volume = to_one_channel(maps, weight, tuple(volume.shape[2:]))
        if is_wanted(context, 1):
            options = (None, [2] * 3, [1] * 3, [1] * 3, False, [0] * 3, 1, [False, True, False])
            backward = torch.ops.aten.convolution_backward
            of_weight = backward(maps, volume, weight, *options)[1]
        return of_volume, of_weight


class _ToOneChannel(Function):
    @staticmethod
    def forward(context: Any, maps: Tensor, weight: Tensor, size: tuple[int, ...]) -> Tensor:
        context.save_for_backward(maps, weight)
        context.size = size
        num = max(1, _NUMBERS_AT_ONCE // (_TAPS**3 * prod(maps.shape[2:])))
        return torch.cat([_folded(some, weight, size) for some in maps.split(num)])

    @staticmethod
    def backward(context: Any, volume: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        maps, weight = context.saved_tensors
        wanted = [is_wanted(context, 0), is_wanted(context, 1), False]
        odd = [side % 2 for side in context.size]
        options = (None, [2] * 3, [1] * 3, [1] * 3, True, odd, 1, wanted)
        of_maps, of_weight, _ = torch.ops.aten.convolution_backward(volume, maps, weight, *options)
        return of_maps, of_weight, None


def _folded(maps: Tensor, weight: Tensor, size: tuple[int, ...]) -> Tensor:
    batch, channels, *sides = maps.shape
    rows = maps.permute(0, 2, 3, 4, 1).reshape(-1, channels)
    taps = (weight.view(channels, -1).T @ rows.T).view(_TAPS**3, batch, *sides)
    # With the padding, and one more where the size is odd.
    volume = maps.new_zeros(batch, *(side + 2 for side in size))
    places = product(range(_TAPS), repeat=3)
    for (x, y, z), made in zip(places, taps, strict=True):
        ends = [start + 2 * side for start, side in zip((x, y, z), sides, strict=True)]
        volume[:, x : ends[0] : 2, y : ends[1] : 2, z : ends[2] : 2] += made
    # No view of another: the next layer could not change one in place.
    return volume[:, None, 1:-1, 1:-1, 1:-1].contiguous()
