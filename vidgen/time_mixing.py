"""Mixing the moments of clips, so that a convolution through time needs fewer multiplications.

A convolution with kernel 4 makes m outputs of a row of moments with 4·m multiplications. A minimal
filtering algorithm (Winograd, 1980; Toom and Cook's products of polynomials) makes them with fewer:
it mixes the moments by one constant matrix, the taps of the kernel by another, multiplies what
belongs together, and mixes the products by a third. With stride 1 four outputs take 7 products for
16, with stride 2 they take 5 of twice the channels: the moments are dealt out in turn to two
shorter rows, the taps with them, and what the rows give is added, as that of channels is.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

TAPS = 4
_POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5)  # small, so that rounding stays small


class MomentMixing(NamedTuple):
    """How the moments of clips become products' inputs, and back: a linear map and its adjoint.

    Attributes:
        matrix: From places in a row to all products of all pieces, piece fastest.
        num_products: Of a piece.
        num_rows: Rows that moments are dealt out to in turn.
        padding: Zeros before the first moment.
    """

    matrix: Float[Tensor, "mixed place"]
    num_products: int
    num_rows: int = 1
    padding: int = 0

    def mixed(
        self, clips: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "product piece_batch height width row_channels"]:
        """What is multiplied; the rows become channels."""
        batch, channels, _, height, width = clips.shape
        moments = clips.permute(2, 0, 3, 4, 1)  # channels innermost
        if self.num_rows == 1:
            places = moments
        else:
            shape = (self.matrix.shape[1], batch, height, width, self.num_rows, channels)
            places = clips.new_zeros(shape)
            for row in range(self.num_rows):
                part = self._share(moments, row)
                start = self._start(row)
                places[start : start + len(part), ..., row, :] = part[: len(places) - start]
        mixed = self.matrix.to(clips) @ places.reshape(self.matrix.shape[1], -1)
        return mixed.view(self.num_products, -1, height, width, self.num_rows * channels)

    def gathered(
        self,
        mixed: Float[Tensor, "product piece_batch height width row_channels"],
        num_moments: int,
    ) -> Float[Tensor, "batch channels time height width"]:
        """The adjoint of `mixed`: its matrix turned over, so that it also makes later moments."""
        height, width, row_channels = mixed.shape[2:]
        places = self.matrix.to(mixed).T @ mixed.reshape(len(self.matrix), -1)
        shape = (len(places), -1, height, width, self.num_rows, row_channels // self.num_rows)
        places = places.view(shape)  # (place, B, H, W, row, channel)
        if self.num_rows == 1:
            moments = places[..., 0, :]
        else:
            moments = places.new_zeros(num_moments, *places.shape[1:4], places.shape[5])
            for row in range(self.num_rows):
                part = self._share(moments, row)
                start = self._start(row)
                part[: len(places) - start] = places[start : start + len(part), ..., row, :]
        return moments.permute(1, 4, 0, 2, 3)

    def _share(self, moments: Tensor, row: int) -> Tensor:
        """The moments of a row, without padding."""
        return moments[self._start(row) * self.num_rows + row - self.padding :: self.num_rows]

    def _start(self, row: int) -> int:
        """Zeros at the beginning of a row."""
        return max(0, -((row - self.padding) // self.num_rows))


class Mixing(NamedTuple):
    """A fast convolution through time.

    Attributes:
        before: Of the moments it convolves.
        after: Of the moments it makes; used the other way round.
        kernels: Products from the taps of a row.
        num_before: Moments before.
        num_after: Moments after.
    """

    before: MomentMixing
    after: MomentMixing
    kernels: Float[Tensor, "product tap"]
    num_before: int
    num_after: int

    @property
    def num_multiplications(self) -> int:
        """Of all moments."""
        return len(self.before.matrix) * self.before.num_rows

    def mixed_kernels(
        self, weight: Float[Tensor, "first second 4 4 4"]
    ) -> Float[Tensor, "product first 4 4 row_second"]:
        """What `before.mixed` is multiplied by; the rows of taps become channels."""
        first, second = weight.shape[:2]
        taps = weight.reshape(first, second, -1, self.before.num_rows, 4, 4)
        taps = taps.permute(2, 0, 4, 5, 3, 1)  # (tap, first, 4, 4, row, second)
        mixed = self.kernels.to(weight) @ taps.reshape(len(taps), -1)
        return mixed.view(len(mixed), first, 4, 4, -1)

    def gathered_kernels(
        self, mixed: Float[Tensor, "product first 4 4 row_second"]
    ) -> Float[Tensor, "first second 4 4 4"]:
        """The adjoint of `mixed_kernels`."""
        rows = self.before.num_rows
        taps = self.kernels.to(mixed).T @ mixed.reshape(len(mixed), -1)
        taps = taps.view(TAPS // rows, *mixed.shape[1:4], rows, -1)
        weight = taps.permute(1, 5, 0, 4, 2, 3)  # (first, second, tap, row, 4, 4)
        return weight.reshape(*weight.shape[:2], TAPS, 4, 4)


@cache
def time_mixing(num_frames: int, stride: int, padding: int) -> Mixing:
    """How to convolve `num_frames` moments with 4 taps by few multiplications.

    Args:
        num_frames: Moments before the convolution.
        stride: 1 or 2.
        padding: Zeros before and after the moments.
    """
    later = (num_frames + 2 * padding - TAPS) // stride + 1
    taps = TAPS // stride
    sizes = range(1, 5)
    piece = min(sizes, key=lambda size: (-(-later // size) * (size + taps - 1), size))
    num_pieces = -(-later // piece)
    span = piece + taps - 1  # places that a piece looks at, and products of it
    into, of_taps, out = _minimal_filtering(piece, taps)

    num_places = later + taps - 1
    places = np.zeros((span, num_pieces, num_places))
    products = np.zeros((span, num_pieces, later))
    for number in range(num_pieces):
        seen = slice(number * piece, min(number * piece + span, num_places))
        places[:, number, seen] = into[:, : seen.stop - seen.start]
        made = slice(number * piece, min((number + 1) * piece, later))
        products[:, number, made] = out[: made.stop - made.start].T
    # Kept for trainings too, so never as tensors of inference.
    with torch.inference_mode(False):
        before = torch.from_numpy(places.reshape(-1, num_places))
        after = torch.from_numpy(products.reshape(-1, later))
        return Mixing(
            MomentMixing(before, span, stride, padding),
            MomentMixing(after, span),
            torch.from_numpy(of_taps),
            num_frames,
            later,
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
