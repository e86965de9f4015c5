"""A given volume brought to the wanted size by whole cells."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool

Volume = Bool[np.ndarray, "_ _ _"]


def fitted(volume: Volume, size: int) -> Bool[np.ndarray, "{size} {size} {size}"]:
    """A volume of other sides in a cube of `size` cells.

    It is padded evenly with empty cells, then repeated or reduced by a whole number: 30 becomes 32
    by one cell on each side, and 64 by repeating each of those 2 x 2 x 2 times. Reducing keeps a
    cell if any of those it replaces is occupied.
    """
    largest = max(volume.shape)
    if largest <= size:
        repeats = max(k for k in range(1, size // largest + 1) if size % k == 0)
        padded = _padded(volume, size // repeats)
        return _repeated(padded, repeats)
    reduction = -(-largest // size)
    blocks = _padded(volume, size * reduction).reshape([size, reduction] * 3)
    return np.asarray(blocks.any(axis=(1, 3, 5)))


def num_repeats(volume: Volume, size: int) -> int:
    """How many cells along a side `fitted` makes of one; 1 if it keeps or reduces them."""
    largest = max(volume.shape)
    return max([1, *(k for k in range(1, size // largest + 1) if size % k == 0)])


def _padded(volume: Volume, size: int) -> Volume:
    before = [(size - side) // 2 for side in volume.shape]
    widths = [(low, size - side - low) for low, side in zip(before, volume.shape, strict=True)]
    return np.pad(volume, widths)


def _repeated(volume: Volume, repeats: int) -> Volume:
    if repeats == 1:
        return volume
    for axis in range(3):
        volume = np.repeat(volume, repeats, axis)
    return volume
