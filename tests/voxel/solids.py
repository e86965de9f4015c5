"""Volumes whose shape is known."""

from __future__ import annotations

import numpy as np


def block(size, *spans, value=1.0):
    """A volume of `size` cells a side with a block of cells in it, `(first, end)` an axis."""
    occupancy = np.zeros((size,) * 3)
    occupancy[tuple(slice(*span) for span in spans)] = value
    return occupancy


def ball(size, radius, middle=None):
    """Cells whose middle is within the radius of the grid's middle."""
    middle = (size - 1) / 2 if middle is None else middle
    squares = (np.indices((size,) * 3) - middle) ** 2
    return (squares.sum(axis=0) <= radius**2).astype(float)
