"""ACD: still, two-frame and permuted clips, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidgen.metrics.content import average_content_distance, shape_colors


def test_a_still_clip_has_no_distance():
    vectors = torch.randn(3, 1, 4, generator=torch.Generator().manual_seed(0)).expand(-1, 6, -1)
    assert average_content_distance(vectors).tolist() == [0, 0, 0]


def test_two_frames_are_as_far_as_their_vectors():
    vectors = torch.tensor([[[0.0, 0.0], [3.0, 4.0]]])
    assert average_content_distance(vectors).tolist() == [5]


def test_the_distance_is_the_mean_over_all_pairs_in_any_order():
    vectors = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    rows = vectors.double().numpy()
    total = sum(
        np.linalg.norm(rows[:, i] - rows[:, j], axis=1) for i in range(5) for j in range(i + 1, 5)
    )
    np.testing.assert_allclose(average_content_distance(vectors), 2 / (5 * 4) * total, rtol=1e-12)
    mixed = vectors[:, [3, 0, 4, 2, 1]]
    np.testing.assert_allclose(average_content_distance(mixed), 2 / 20 * total, rtol=1e-12)


def test_one_frame_has_no_pair():
    with pytest.raises(ValueError, match="1 frames has no pair"):
        average_content_distance(torch.zeros(1, 1, 3))


def clip_of(levels):
    """A clip (1, 3, time, height, width) in [-1, 1] from levels (time, height, width, 3)."""
    pixels = torch.as_tensor(levels, dtype=torch.float).permute(3, 0, 1, 2)[None]
    return pixels / 127.5 - 1


def test_the_shape_is_where_the_brightest_channel_is_above_the_threshold():
    levels = np.zeros((2, 2, 3, 3))
    levels[0, 0, 0] = [200, 0, 26]
    levels[0, 1, 2] = [100, 50, 0]
    levels[0, 1, 1] = [24, 24, 24]  # background, though the sum is large
    levels[1, 0, 0] = [0, 0, 24]
    colors, num_empty = shape_colors(clip_of(levels))
    np.testing.assert_allclose(colors[0, 0], [150, 25, 13], atol=1e-3)
    assert colors[0, 1].tolist() == [0, 0, 0]
    assert num_empty.tolist() == [1]
    assert shape_colors(clip_of(levels), threshold=10.0)[1].tolist() == [0]


def test_a_moving_shape_of_one_color_has_no_distance_and_a_changing_one_has():
    levels = np.zeros((3, 4, 4, 3))
    for time in range(3):
        levels[time, time, time] = [60, 120, 240]
    assert average_content_distance(shape_colors(clip_of(levels))[0]).item() == pytest.approx(0)
    levels[2, 2, 2] = [90, 160, 240]  # 50 from the others: two of three pairs
    changed = average_content_distance(shape_colors(clip_of(levels))[0])
    assert changed.item() == pytest.approx(50 * 2 / 3, rel=1e-5)
