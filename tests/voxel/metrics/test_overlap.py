from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from voxel.metrics import average_precision, intersection_over_union


def test_iou_is_the_share_of_common_cells_and_1_of_two_empty_volumes():
    one, other = np.zeros((4, 4, 4), dtype=bool), np.zeros((4, 4, 4), dtype=bool)
    assert intersection_over_union(one, other) == 1
    one[:2], other[1:] = True, True
    assert intersection_over_union(one, other) == 1 / 4
    assert intersection_over_union(one, ~one) == 0


def test_average_precision_of_the_written_examples():
    truth = np.array([True, False, True, False])
    assert average_precision(np.array([0.9, 0.8, 0.7, 0.1]), truth) == pytest.approx(5 / 6)
    assert average_precision(np.full(4, 0.3), truth) == 0.5


@pytest.mark.parametrize("levels", [3, 10, 10_000])
def test_average_precision_is_that_of_scikit_learn_with_ties_too(levels):
    random = np.random.default_rng(levels)
    scores = np.round(random.random((5, 6, 7)) * levels) / levels
    truth = random.random((5, 6, 7)) < 0.2 + 0.3 * scores
    expected = average_precision_score(truth.ravel(), scores.ravel())
    assert average_precision(scores, truth) == pytest.approx(expected, abs=1e-12)


def test_average_precision_without_a_true_cell_is_not_a_number():
    assert np.isnan(average_precision(np.ones(3), np.zeros(3, dtype=bool)))
