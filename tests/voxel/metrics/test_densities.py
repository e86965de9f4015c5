from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from voxel.metrics import density, jensen_shannon_divergence


def test_the_divergence_is_that_of_scipy_squared_and_between_0_and_1():
    random = np.random.default_rng(0)
    one, other = random.random(50), random.random(50) * (random.random(50) < 0.5)
    one, other = one / one.sum(), other / other.sum()
    expected = jensenshannon(one, other, base=2) ** 2
    assert jensen_shannon_divergence(one, other) == pytest.approx(expected)
    assert jensen_shannon_divergence(one, one) == 0
    assert jensen_shannon_divergence(np.array([1.0, 0]), np.array([0, 1.0])) == 1


def test_points_go_to_the_nearest_cell_of_the_ball():
    line = np.linspace(-0.5, 0.5, 28)
    grid = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    ball = grid[np.linalg.norm(grid, axis=1) <= 0.5]
    points = np.random.default_rng(0).uniform(-0.6, 0.6, (40, 3))
    expected = np.zeros(len(ball))
    for point in points:
        expected[np.linalg.norm(ball - point, axis=1).argmin()] += 1 / 40
    assert density([points[:15], points[15:]]) == pytest.approx(expected)


def test_without_points_there_is_no_density():
    with pytest.raises(ValueError, match="at least one point"):
        density([])
