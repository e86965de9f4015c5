"""Convolutions of clips that need fewer multiplications through time.

A convolution with kernel 4 makes m outputs of a row of moments with 4·m multiplications. A minimal
filtering algorithm (Winograd, 1980; Toom and Cook's products of polynomials) makes them with fewer:
it mixes the moments by one constant matrix, the taps of the kernel by another, multiplies what
belongs together, and mixes the products by a third:

    moments (time) → mixed moments (product, piece) ┐
                                                    ├ 2-D convolution → products → moments (time')
    kernel (4)     → mixed kernels (product)        ┘

Here each multiplication is a whole 2-D convolution of frames, so the mixing costs nearly nothing.
With stride 1 four outputs take 7 products for 16, with stride 2 they take 10 for 16. The numbers
that come out are torch's but for rounding. Which layers gain is told in docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from math import prod
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

_TAPS = 4
_FEW_CHANNELS = 4
_MOST_WEIGHTS = 6  # for each number before and after; to mix more costs more than is saved
_MOST_PRODUCTS = 0.7  # of torch's multiplications; with more than that nothing was gained
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5)  # small, so that rounding stays small


class Mixing(NamedTuple):
    """The three matrices of a fast convolution through time.

    Attributes:
        moments: Products of all pieces, piece fastest, from moments.
        kernels: Products from taps.
        products: Output moments from products of all pieces.
        num_products: Of a piece.
    """

    moments: Float[Tensor, "mixed time"]
    kernels: Float[Tensor, "product tap"]
    products: Float[Tensor, "later mixed"]
    num_products: int

    def transposed(self) -> Mixing:
        """That of the transposed convolution, which spreads what the convolution gathers."""
        return Mixing(self.products.T, self.kernels, self.moments.T, self.num_products)


@cache
def time_mixing(num_frames: int, stride: int, padding: int) -> Mixing:
    """How to convolve `num_frames` moments with 4 taps by few multiplications.

    With a stride the moments are dealt out in turn to `stride` shorter rows, and the taps with
    them, so that each row is convolved with stride 1 and the results are added.

    Args:
        num_frames: Moments before the convolution.
        stride: 1 or 2.
        padding: Zeros before and after the moments.
    """
    later = (num_frames + 2 * padding - _TAPS) // stride + 1
    taps = _TAPS // stride
    sizes = range(1, 5)
    piece = min(sizes, key=lambda size: (-(-later // size) * (size + taps - 1), size))
    num_pieces = -(-later // piece)
    span = piece + taps - 1  # moments that a piece looks at, and products of its row
    into, of_taps, out = _minimal_filtering(piece, taps)

    moments = np.zeros((stride, span, num_pieces, num_frames))
    kernels = np.zeros((stride, span, _TAPS))
    products = np.zeros((later, stride, span, num_pieces))
    for row in range(stride):
        kernels[row, :, row::stride] = of_taps
        for number in range(num_pieces):
            for place in range(span):
                moment = stride * (number * piece + place) + row - padding
                if 0 <= moment < num_frames:
                    moments[row, :, number, moment] = into[:, place]
            made = slice(number * piece, min((number + 1) * piece, later))
            products[made, row, :, number] = out[: made.stop - made.start]
    # Kept for trainings too, so never as tensors of inference.
    with torch.inference_mode(False):
        return Mixing(
            torch.from_numpy(moments.reshape(-1, num_frames)),
            torch.from_numpy(kernels.reshape(-1, _TAPS)),
            torch.from_numpy(products.reshape(later, -1)),
            stride * span,
        )


def _minimal_filtering(outputs: int, taps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrices B, G, A with A·(G·taps * B·moments) = the outputs of a sliding product.

    A product of two polynomials is known from its values at as many points as it has coefficients,
    infinity among them; a sliding product is the transposed map.
    """
    points = np.array(_POINTS[: outputs + taps - 2])

    def values(coefficients: int) -> np.ndarray:
        powers = points[:, None] ** np.arange(coefficients)
        return np.vstack([powers, np.eye(coefficients)[-1:]])

    return np.linalg.inv(values(outputs + taps - 1)).T, values(taps), values(outputs).T


def _convolve(
    input: Float[Tensor, "batch before time height width"],
    weight: Float[Tensor, "first second taps 4 4"],
    mixing: Mixing,
    in_space: Callable[[Tensor, Tensor], Tensor],
) -> Float[Tensor, "batch after later new_height new_width"]:
    """One convolution, ordinary or transposed as `in_space` is, through space and time."""
    batch, channels, time, height, width = input.shape
    rows = input.permute(2, 0, 3, 4, 1).reshape(time, -1)  # channels innermost
    mixed = mixing.moments.to(rows) @ rows
    shape = (mixing.num_products, -1, height, width, channels)
    kernels = mixing.kernels.to(weight) @ weight.permute(2, 0, 3, 4, 1).reshape(_TAPS, -1)
    kernels = kernels.view(-1, weight.shape[0], 4, 4, weight.shape[1])
    pairs = zip(mixed.view(shape), kernels, strict=True)
    made = torch.stack(
        [
            in_space(frames.permute(0, 3, 1, 2), kernel.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
            for frames, kernel in pairs
        ]
    )  # (product, piece·B, H', W', after)
    later = mixing.products.to(made) @ made.reshape(mixing.products.shape[1], -1)
    clips = later.view(-1, batch, *made.shape[2:]).permute(1, 4, 0, 2, 3)
    # BatchNorm is several times slower with time outermost.
    return clips.contiguous(memory_format=torch.channels_last_3d)


def _pays(input: Tensor, layer: nn.Conv3d | nn.ConvTranspose3d, mixing: Mixing) -> bool:
    """Whether the mixing gains more than it costs, and rounds no worse than torch.

    Elsewhere than on a CPU torch's kernels are faster; in half precision mixing is too rough.
    """
    if input.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return False
    if min(layer.in_channels, layer.out_channels) <= _FEW_CHANNELS:
        return False
    numbers = input.numel() * (1 + layer.out_channels * _growth(layer) / layer.in_channels)
    if layer.weight.numel() > _MOST_WEIGHTS * numbers:
        return False
    num_moments = min(mixing.moments.shape[1], mixing.products.shape[0])
    return mixing.moments.shape[0] <= _MOST_PRODUCTS * _TAPS * num_moments


def _growth(layer: nn.Conv3d | nn.ConvTranspose3d) -> float:
    """Pixels of all moments after a layer for each one before it."""
    times = float(prod(layer.stride))
    return times if isinstance(layer, nn.ConvTranspose3d) else 1 / times


class QuickConv3d(nn.Conv3d):
    """A convolution with kernel 4 that halves height and width, with padding 1.

    The same weights and the same sums as torch's, in another order. Off the CPU it is torch's.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        time_stride: 2 halves time too, with padding 1; 1 shortens it by 3.
        bias: Add a bias.
    """

    def __init__(
        self, in_channels: int, out_channels: int, time_stride: int = 1, bias: bool = False
    ) -> None:
        stride, padding = (time_stride, 2, 2), (time_stride - 1, 1, 1)
        super().__init__(in_channels, out_channels, 4, stride, padding, bias=bias)

    def forward(
        self, input: Float[Tensor, "batch before time height width"]
    ) -> Float[Tensor, "batch after later half_height half_width"]:
        """Height and width are halved."""
        mixing = time_mixing(input.shape[2], self.stride[0], self.padding[0])
        if not _pays(input, self, mixing):
            return super().forward(input)
        made = _convolve(
            input, self.weight, mixing, partial(functional.conv2d, stride=2, padding=1)
        )
        return made if self.bias is None else made + self.bias.view(-1, 1, 1, 1)


class QuickConvTranspose3d(nn.ConvTranspose3d):
    """A transposed convolution with kernel 4 that doubles time, height and width, with padding 1.

    The same weights and the same sums as torch's, in another order. Off the CPU it is torch's.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        bias: Add a bias.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 4, 2, 1, bias=bias)

    def forward(
        self,
        input: Float[Tensor, "batch before time height width"],
        output_size: list[int] | None = None,
    ) -> Float[Tensor, "batch after double_time double_height double_width"]:
        """Time, height and width are doubled."""
        mixing = time_mixing(2 * input.shape[2], 2, 1).transposed()
        if output_size is not None or not _pays(input, self, mixing):
            return super().forward(input, output_size)
        made = _convolve(
            input,
            self.weight,
            mixing,
            partial(functional.conv_transpose2d, stride=2, padding=1),
        )
        return made if self.bias is None else made + self.bias.view(-1, 1, 1, 1)
