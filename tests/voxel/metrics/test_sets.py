from __future__ import annotations

import numpy as np
import pytest
import trimesh

from tests.voxel.solids import ball, block
from voxel.metrics import (
    chamfer_distance,
    chamfer_distances,
    f_score,
    overlap_distances,
    set_scores,
    shape_health,
    surface_points,
)


def test_the_chamfer_distance_of_two_pairs_of_points():
    one, other = np.array([[0.0, 0, 0], [1, 0, 0]]), np.array([[0.0, 0, 0], [3, 0, 0]])
    assert chamfer_distance(one, other) == 2.5


def test_chamfer_distances_and_f_score_are_those_of_a_plain_loop():
    random = np.random.default_rng(0)
    ones = [random.random((n, 3)) for n in (5, 9)]
    others = [random.random((n, 3)) for n in (4, 7, 8)]
    distances = chamfer_distances(ones, others)
    for row, one in enumerate(ones):
        for column, other in enumerate(others):
            apart = np.linalg.norm(one[:, None] - other[None], axis=2)
            there, back = apart.min(axis=1), apart.min(axis=0)
            expected = (there**2).mean() + (back**2).mean()
            assert distances[row, column] == pytest.approx(expected)
            assert chamfer_distance(one, other) == pytest.approx(expected)
            precision, recall = (there <= 0.3).mean(), (back <= 0.3).mean()
            score = f_score(one, other, 0.3)
            assert score == pytest.approx(2 * precision * recall / (precision + recall))


def test_the_f_score_of_points_far_apart_is_0():
    assert f_score(np.zeros((3, 3)), np.ones((2, 3))) == 0


def test_points_of_a_surface_are_uniform_by_area_and_normalised():
    box = trimesh.creation.box(extents=[4, 2, 1])
    box.apply_translation([5, 5, 5])
    points = surface_points(box, 4000, seed=1)
    assert points.min(axis=0) == pytest.approx([-0.5, -0.25, -0.125], abs=1e-3)
    assert points.max(axis=0) == pytest.approx([0.5, 0.25, 0.125], abs=1e-3)
    # Two faces of 8 in a surface of 28.
    at_top_or_bottom = np.isclose(np.abs(points[:, 2]), 0.125).mean()
    assert at_top_or_bottom == pytest.approx(16 / 28, abs=0.03)
    assert np.array_equal(points, surface_points(box, 4000, seed=1))


def test_overlap_distances_are_those_of_a_plain_loop():
    random = np.random.default_rng(1)
    ones, others = random.random((3, 4, 4, 4)) < 0.4, random.random((5, 4, 4, 4)) < 0.4
    ones[0], others[0] = False, False
    expected = [
        [1 - (a & b).sum() / (a | b).sum() if (a | b).any() else 0 for b in others] for a in ones
    ]
    assert overlap_distances(ones, others) == pytest.approx(np.array(expected))


def points_on_a_line(*places):
    return np.array(places, dtype=float)


def scores_of(generated, real):
    distance = [np.abs(a[:, None] - b[None]) for a, b in
                ((generated, generated), (generated, real), (real, real))]  # fmt: skip
    return set_scores(*distance)


def test_a_copy_of_the_real_set_matches_covers_and_is_recognised_as_one():
    real = points_on_a_line(0, 1, 3, 7)
    scores = scores_of(real.copy(), real)
    assert scores.minimum_matching_distance == 0 and scores.coverage == 1
    assert scores.nearest_neighbour_accuracy == 0


def test_a_set_far_away_is_told_apart_and_covers_one_shape():
    scores = scores_of(points_on_a_line(100, 101, 102), points_on_a_line(0, 1, 3))
    assert scores.nearest_neighbour_accuracy == 1 and scores.coverage == 1 / 3
    assert scores.minimum_matching_distance == pytest.approx((100 + 99 + 97) / 3)


def test_two_draws_of_one_distribution_are_hardly_told_apart():
    random = np.random.default_rng(0)
    scores = scores_of(random.random(1000), random.random(1000))
    assert scores.nearest_neighbour_accuracy == pytest.approx(0.5, abs=0.05)


def test_matching_goes_from_the_real_shapes_and_covering_from_the_generated_ones():
    # Both generated ones are nearest to 0: 10 is not covered, yet matched from afar.
    scores = scores_of(points_on_a_line(1, 2), points_on_a_line(0, 10))
    assert scores.coverage == 0.5 and scores.minimum_matching_distance == (1 + 8) / 2


def test_sets_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="2 generated and 3 real"):
        scores_of(points_on_a_line(0, 1), points_on_a_line(0, 1, 2))


def test_statistics_of_volumes_are_means_over_them():
    two_parts = block(8, (0, 2), (0, 2), (0, 2)) + block(8, (4, 6), (4, 5), (4, 5), value=0.6)
    health = shape_health(np.stack([two_parts, np.zeros((8, 8, 8))]))
    assert health.occupancy == 10 / 1024
    assert health.components == 1 and health.largest_share == pytest.approx(0.8 / 2)
    assert health.undecided == 2 / 1024
    assert health.mirror_overlap == pytest.approx(1 / 2), "nothing on itself, and empty on empty"
    assert health.empty == 0.5
    assert shape_health(ball(8, 3)[None]).mirror_overlap == 1
