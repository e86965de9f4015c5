"""Convolutions of clips as few 2-D convolutions of mixed moments, with all their derivatives.

What `vidgen.time_mixing` makes of moments and kernels is multiplied as 2-D convolutions of frames:

    moments (time) → mixed moments (product, piece) ┐
                                                    ├ 2-D convolution → products → moments (time')
    kernel (4)     → mixed kernels (product)        ┘

A few clips at a time go all the way, so that what is between stays in the cache and in memory that
is used again: fresh pages for large maps cost more than the mixing. Nothing of it is kept for the
gradients, which are operations of the same family:

                      of the first input      of the second
    convolution       transposed(later, k)    kernel gradient(clips, later)
    transposed        convolution(clips, k)   kernel gradient(clips, later)
    kernel gradient   transposed(later, k)    convolution(clips, k)
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional
from torch.nn.grad import conv2d_weight

from vidgen.time_mixing import Mixing
from vidgen.wanted_gradients import is_wanted

_NUMBERS_AT_ONCE = 2**22  # of a clip before it is mixed, 16 MiB


def mixed_convolution(
    clips: Float[Tensor, "batch before time height width"],
    weight: Float[Tensor, "after before 4 4 4"],
    mixing: Mixing,
) -> Float[Tensor, "batch after later half_height half_width"]:
    """A convolution that halves height and width, with padding 1."""
    return _Convolution.apply(clips, weight, mixing)


def mixed_transposed(
    later: Float[Tensor, "batch after later half_height half_width"],
    weight: Float[Tensor, "after before 4 4 4"],
    mixing: Mixing,
) -> Float[Tensor, "batch before time height width"]:
    """Its adjoint, the transposed convolution."""
    size = (2 * later.shape[3], 2 * later.shape[4])
    return _Transposed.apply(later, weight, mixing, size)


class _Convolution(Function):
    """Later clips from clips and kernels."""

    @staticmethod
    def forward(
        context: Any,
        clips: Float[Tensor, "batch before time height width"],
        weight: Float[Tensor, "after before 4 4 4"],
        mixing: Mixing,
    ) -> Float[Tensor, "batch after later new_height new_width"]:
        context.save_for_backward(clips, weight)
        context.mixing = mixing
        kernels = mixing.mixed_kernels(weight)
        made = []
        for some in clips.split(_num_at_once(*clips.shape[1:])):
            products = [
                functional.conv2d(_turned(frames), _turned(kernel), stride=2, padding=1)
                for frames, kernel in zip(mixing.before.mixed(some), kernels, strict=True)
            ]
            made.append(mixing.after.gathered(_stacked(products), mixing.num_after))
        return _joined(made)

    @staticmethod
    def backward(context: Any, later: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        clips, weight = context.saved_tensors
        of_clips = of_weight = None
        if is_wanted(context, 0):
            size = (clips.shape[3], clips.shape[4])
            of_clips = _Transposed.apply(later, weight, context.mixing, size)
        if is_wanted(context, 1):
            of_weight = _KernelGradient.apply(clips, later, context.mixing)
        return of_clips, of_weight, None


class _Transposed(Function):
    """Clips, of a given height and width, from later ones: the adjoint of a convolution."""

    @staticmethod
    def forward(
        context: Any,
        later: Float[Tensor, "batch after later new_height new_width"],
        weight: Float[Tensor, "after before 4 4 4"],
        mixing: Mixing,
        size: tuple[int, int],
    ) -> Float[Tensor, "batch before time height width"]:
        context.save_for_backward(later, weight)
        context.mixing = mixing
        kernels = mixing.mixed_kernels(weight)
        odd = (size[0] % 2, size[1] % 2)
        time = mixing.num_before
        made = []
        num = min(_num_at_once(*later.shape[1:]), _num_at_once(weight.shape[1], time, *size))
        for some in later.split(num):
            products = [
                functional.conv_transpose2d(_turned(frames), _turned(kernel), None, 2, 1, odd)
                for frames, kernel in zip(mixing.after.mixed(some), kernels, strict=True)
            ]
            made.append(mixing.before.gathered(_stacked(products), time))
        return _joined(made)

    @staticmethod
    def backward(context: Any, clips: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        later, weight = context.saved_tensors
        of_later = of_weight = None
        if is_wanted(context, 0):
            of_later = _Convolution.apply(clips, weight, context.mixing)
        if is_wanted(context, 1):
            of_weight = _KernelGradient.apply(clips, later, context.mixing)
        return of_later, of_weight, None, None


class _KernelGradient(Function):
    """How clips and later ones, or their gradients, change the kernels between them."""

    @staticmethod
    def forward(
        context: Any,
        clips: Float[Tensor, "batch before time height width"],
        later: Float[Tensor, "batch after later new_height new_width"],
        mixing: Mixing,
    ) -> Float[Tensor, "after before 4 4 4"]:
        context.save_for_backward(clips, later)
        context.mixing = mixing
        shape = (later.shape[1], clips.shape[1] * mixing.before.num_rows, 4, 4)
        totals: list[Tensor] = []
        num = min(_num_at_once(*clips.shape[1:]), _num_at_once(*later.shape[1:]))
        for some, some_later in zip(clips.split(num), later.split(num), strict=True):
            pairs = zip(mixing.before.mixed(some), mixing.after.mixed(some_later), strict=True)
            made = [
                conv2d_weight(_turned(frames), shape, _turned(wanted), 2, 1)
                for frames, wanted in pairs
            ]
            if totals:
                made = [one.add_(other) for one, other in zip(totals, made, strict=True)]
            totals = made
        return mixing.gathered_kernels(_stacked(totals))

    @staticmethod
    def backward(context: Any, weight: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        clips, later = context.saved_tensors
        of_clips = of_later = None
        if is_wanted(context, 0):
            size = (clips.shape[3], clips.shape[4])
            of_clips = _Transposed.apply(later, weight, context.mixing, size)
        if is_wanted(context, 1):
            of_later = _Convolution.apply(clips, weight, context.mixing)
        return of_clips, of_later, None


def _num_at_once(*shape: int) -> int:
    """Clips of a shape that go through together."""
    return max(1, _NUMBERS_AT_ONCE // prod(shape))


def _turned(
    frames: Float[Tensor, "count height width channels"],
) -> Float[Tensor, "count channels height width"]:
    return frames.permute(0, 3, 1, 2)


def _stacked(
    made: list[Tensor],
) -> Float[Tensor, "product count height width channels"]:
    return torch.stack([each.permute(0, 2, 3, 1) for each in made])


def _joined(parts: list[Tensor]) -> Float[Tensor, "batch channels time height width"]:
    """One tensor, the channel innermost: with time outermost BatchNorm is several times slower.

    No view of another: the next layer could not change one in place.
    """
    lengths = [len(part) for part in parts]
    shape = (sum(lengths), *parts[0].shape[1:])
    joined = torch.empty(
        shape,
        dtype=parts[0].dtype,
        device=parts[0].device,
        memory_format=torch.channels_last_3d,
    )
    for place, part in zip(joined.split(lengths), parts, strict=True):
        place.copy_(part)
    return joined
