from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from voxel.metrics import aligned_scores, average_precision, average_precision_grid
from voxel.metrics.alignment import _moved


def lopsided(size=8):
    truth = np.zeros((size,) * 3, dtype=bool)
    truth[2:6, 2:4, 2:3] = truth[2:3, 2:4, 2:5] = truth[5, 3, 2:4] = True
    return truth


def moved_by_hand(truth, axes, flips, shift):
    """A truth in a frame two cells wider on every side."""
    moved = np.zeros(tuple(side + 4 for side in truth.shape), dtype=bool)
    for cell in np.argwhere(truth):
        place = [cell[axis] for axis in axes]
        place = [truth.shape[0] - 1 - p if f else p for p, f in zip(place, flips, strict=True)]
        moved[tuple(p + 2 + s for p, s in zip(place, shift, strict=True))] = True
    return moved


def test_there_are_6000_alignments_and_they_are_those_made_by_hand():
    truth = np.zeros((5, 5, 5), dtype=bool)
    truth[1, 1:4, 2], truth[1, 1, 3], truth[2, 3, 2] = True, True, True
    made = {row.tobytes() for poses in _moved(truth) for row in poses}
    assert sum(len(poses) for poses in _moved(truth)) == 6000
    flips, shifts = product((False, True), repeat=3), product(range(-2, 3), repeat=3)
    by_hand = {
        moved_by_hand(truth, axes, flip, shift).ravel().tobytes()
        for (axes, flip), shift in product(product(permutations(range(3)), flips), shifts)
    }
    assert made == by_hand


@pytest.mark.parametrize("shift, found", [((2, -2, 1), True), ((3, 0, 0), False)])
def test_a_turned_flipped_and_moved_copy_is_found_if_it_moved_by_two_at_most(shift, found):
    truth = lopsided(10)
    copy = np.roll(np.flip(truth.transpose(2, 0, 1), (0, 2)), shift, axis=(0, 1, 2))
    if not found:
        # Not even another pose comes there: the shape is at the middle, and then three cells off.
        truth = np.zeros((10,) * 3, dtype=bool)
        truth[3:7, 4:6, 4:6] = True
        copy = np.roll(truth, shift, axis=(0, 1, 2))
    scores = aligned_scores(copy.astype(float), truth)
    assert (scores.aligned_average_precision == 1) == found
    assert (scores.aligned_iou == 1) == found
    assert scores.average_precision < 0.7 and scores.iou < 0.7


def test_scores_are_the_best_of_a_plain_loop_with_ties():
    random = np.random.default_rng(0)
    truth = lopsided(4 + 4)[1:6, 1:6, 1:6]
    predicted = np.round(random.random(truth.shape) * 4) / 4
    padded = np.pad(predicted, 2)
    best_precision = best_iou = 0.0
    for poses in _moved(truth):
        for row in poses[::5]:
            pose = row.reshape(padded.shape)
            best_precision = max(best_precision, average_precision(padded, pose))
            both, either = pose & (padded >= 0.5), pose | (padded >= 0.5)
            best_iou = max(best_iou, both.sum() / either.sum())
    scores = aligned_scores(predicted, truth)
    assert scores.aligned_average_precision >= best_precision - 1e-12
    assert scores.aligned_iou >= best_iou
    still = np.pad(truth, 2)
    assert scores.average_precision == pytest.approx(average_precision(padded, still))


def test_an_empty_truth_has_no_score():
    with pytest.raises(ValueError, match="empty truth"):
        aligned_scores(np.zeros((4, 4, 4)), np.zeros((4, 4, 4), dtype=bool))


def test_predictions_come_to_20_by_means_and_truths_by_maxima():
    volume = np.zeros((40, 40, 40))
    volume[0, 0, 0], volume[2:4, 2:4, 2:4] = 1, 1
    mean, largest = (average_precision_grid(volume, truth) for truth in (False, True))
    assert mean.shape == largest.shape == (20, 20, 20)
    assert mean[0, 0, 0] == 1 / 8 and mean[1, 1, 1] == 1 and mean.sum() == 9 / 8
    assert largest[0, 0, 0] == 1 and largest.sum() == 2
