"""The singular values of one matrix, clipped without decomposing it.

A matrix W of m rows and at least as many columns is U diag(s) V^T. Its m x m Gram matrix
W W^T = U diag(s^2) U^T has all that clipping needs: what goes beyond the maximum is

    E = U diag(max(0, 1 - maximum / s)) U^T W

and W - E = U diag(min(s, maximum)) V^T. Only the columns of U whose s exceeds the maximum take
part, and often not even they are needed, since W W^T shows cheaply that nothing exceeds.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

# Singular values that exceed the maximum by no more than this share of it are inside: the rounding
# of a clipped weight stays below, so that clipping twice is clipping once.
TOLERANCE = 2e-6

# How much larger than the maximum a singular value may be before W W^T, which squares it, leaves
# too few digits of those near the maximum.
TRUSTED = {torch.float32: 4.0, torch.float64: 1e4}

# Columns that are clipped at a time, so that their temporaries stay in the cache.
NUM_COLUMNS = 2048

# Rows of a block of W W^T: products of fewer rows are slow, of more compute more of it twice.
NUM_ROWS = 128

# Squarings of W W^T before its eigenvalues are computed after all, which costs 20 of them.
MAX_SQUARINGS = 8

# Lower and lower targets that are tried for a weight in half precision.
MAX_ROUNDS = 20


def clip_weight_(weight: Float[Tensor, "out ..."], maximum: float) -> None:
    """Clip the singular values of a weight, reshaped to (out, rest), in place.

    Raises:
        FloatingPointError: The weight is not finite, or its precision too low to clip it.
    """
    matrix = as_matrix(weight)
    if weight.dtype not in TRUSTED:
        _clip_half_precision_(weight, matrix.float(), maximum)
    elif clip_matrix_(matrix, maximum) and matrix.data_ptr() != weight.data_ptr():
        weight.copy_(matrix.view_as(weight))


def as_matrix(weight: Float[Tensor, "out ..."]) -> Float[Tensor, "out columns"]:
    """The weight as TGAN reshapes it, (out, in * kernel): a view where its memory allows."""
    return weight.reshape(len(weight), -1)


def clip_matrix_(matrix: Float[Tensor, "out columns"], maximum: float) -> bool:
    """Clip the singular values of a float32 or float64 matrix in place.

    Returns:
        Whether there was anything to clip; if not, the matrix is as it was, bit for bit.

    Raises:
        FloatingPointError: The matrix is not finite.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    for dtype in dict.fromkeys((_first_precision(wide), torch.float64)):
        gram = _gram(wide.to(dtype))
        if not gram.isfinite().all():
            continue
        if _surely_inside(gram, maximum**2):
            return False
        # In float64: this matrix is small, and float32 would cost another digit.
        squares, vectors = torch.linalg.eigh(gram.double())
        values = squares.clamp(min=0).sqrt()
        if values[-1] <= TRUSTED[dtype] * maximum:
            return _subtract_excess_(wide, values, vectors, maximum, dtype)
    if not wide.isfinite().all():
        raise FloatingPointError("it holds values that are not finite")
    left, values, right = torch.linalg.svd(wide.double(), full_matrices=False)
    wide.copy_(left * values.clamp(max=maximum) @ right)
    return True


def _subtract_excess_(
    wide: Float[Tensor, "row column"],
    values: Float[Tensor, " value"],
    vectors: Float[Tensor, "row value"],
    maximum: float,
    dtype: torch.dtype,
) -> bool:
    """W - E in place, given singular values and left vectors; whether there is an E."""
    exceeding = values > maximum * (1 + TOLERANCE)
    if not exceeding.any():
        return False
    values, vectors = values[exceeding], vectors[:, exceeding]
    scaled = vectors * (1 - maximum / values)
    left, right = scaled.to(dtype), vectors.T.to(dtype)
    if 2 * len(values) >= len(wide):  # then one product with a square matrix is cheaper
        left, right = (scaled @ vectors.T).to(dtype), None
    for columns in wide.split(NUM_COLUMNS, dim=1):
        exact = columns.to(dtype)
        columns.sub_(left @ (exact if right is None else right @ exact))
    return True


def _clip_half_precision_(
    weight: Tensor, matrix: Float[Tensor, "out columns"], maximum: float
) -> None:
    """Aim lower until rounding no longer lifts a singular value above the maximum again."""
    target = maximum
    for _ in range(MAX_ROUNDS):
        clipped = matrix.clone()
        if not clip_matrix_(clipped, target):
            return
        rounded = clipped.to(weight.dtype)
        wide = rounded.double() if len(rounded) <= rounded.shape[1] else rounded.double().T
        excess = float(torch.linalg.eigvalsh(_gram(wide))[-1].sqrt()) - maximum
        if excess <= TOLERANCE * maximum:
            weight.copy_(rounded.view_as(weight))
            return
        target -= excess
    raise FloatingPointError(f"{weight.dtype} is too coarse to hold its clipped values")


def _first_precision(wide: Tensor) -> torch.dtype:
    """float32 where its products keep all their digits, which torch may be told to give up."""
    if wide.is_cuda or torch.get_float32_matmul_precision() != "highest":
        return torch.float64
    return wide.dtype


def _gram(wide: Float[Tensor, "row column"]) -> Float[Tensor, "row row"]:
    """W W^T, which is symmetric: blocks of rows meet the rows up to them, the rest is copied."""
    num_rows = len(wide)
    gram = wide.new_empty(num_rows, num_rows)
    for start in range(0, num_rows, NUM_ROWS):
        end = min(start + NUM_ROWS, num_rows)
        torch.mm(wide[start:end], wide[:end].T, out=gram[start:end, :end])
        gram[:start, start:end] = gram[start:end, :start].T
    return gram


def _surely_inside(gram: Float[Tensor, "row row"], limit: float) -> bool:
    """Whether a cheap bound shows every eigenvalue of a Gram matrix G to be within a limit.

    With m rows and p a power of two, reached by squaring, the largest eigenvalue lies between
    ||G^p||^(1/p) / m^(1/2p) and ||G^p||^(1/p), in Frobenius norms: for 512 rows within a factor of
    22 at first and of 1.012 after 8 squarings.
    """
    norm = float(gram.norm())
    if norm == 0:
        return True
    log_norm = math.log(norm)  # of G^power
    for power in (2**number for number in range(MAX_SQUARINGS + 1)):
        upper = log_norm / power
        if upper <= math.log(limit) - 1e-5:  # the margin is for rounding
            return True
        if upper - math.log(len(gram)) / (2 * power) > math.log(limit):
            return False
        gram = gram / norm
        gram = gram @ gram
        norm = float(gram.norm())
        log_norm = 2 * log_norm + math.log(norm)
    return False
