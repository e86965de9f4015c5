"""Films of a still scene by a camera whose every view is known."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

HEIGHT, WIDTH = 90, 120
_MARGIN = 60


@cache
def scene() -> np.ndarray:
    """A picture with plenty of spots, larger than any view by a margin."""
    size = (HEIGHT + 2 * _MARGIN, WIDTH + 2 * _MARGIN, 3)
    spots = gaussian_filter(np.random.default_rng(0).standard_normal(size), (2, 2, 0))
    return np.clip(128 + 60 * spots / spots.std(), 0, 255)


def places_seen(view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of the first frame that the pixels of a frame with this view show."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    x, y, depth = np.einsum("ij,jrc->irc", view, np.stack([columns, rows, np.ones_like(rows)]))
    return x / depth, y / depth


def frame(view: np.ndarray, square: tuple[float, float] | None = None) -> np.ndarray:
    """What a camera shows; a red square of side 9 may lie in the scene, centered at (x, y)."""
    x, y = places_seen(view)
    around = [y + _MARGIN, x + _MARGIN]
    picture = np.stack(
        [map_coordinates(scene()[..., color], around, order=1) for color in range(3)], axis=-1
    )
    if square is not None:
        picture[np.maximum(abs(x - square[0]), abs(y - square[1])) < 4.5] = (255, 0, 0)
    return np.round(picture).astype(np.uint8)


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def shaken_views(num_frames: int, model: str, seed: int = 1) -> list[np.ndarray]:
    """From each frame to the first; no two moves commute, so that their order matters."""
    generator = np.random.default_rng(seed)
    views = [np.eye(3)]
    for _ in range(num_frames - 1):
        angle, scale = generator.uniform(-0.12, 0.12), generator.uniform(0.95, 1.05)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        view = shift(*generator.uniform(-9, 9, 2))
        view[:2, :2] = turn
        if model == "homography":
            view[2, :2] = generator.uniform(-4e-4, 4e-4, 2)
            view[0, 1] += generator.uniform(-0.03, 0.03)
        views.append(view)
    return views
