"""Inception score, intra-class score, accuracy, motion control: closed forms and numpy by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vidgen.metrics.inception import InceptionScore, accuracy, inception_score, intra_class_score
from vidgen.metrics.motion_control import motion_control_score, segments


def certain(labels, num_classes=5):
    """Logits of predictions without any doubt."""
    return 1000 * torch.eye(num_classes)[torch.as_tensor(labels)]


def by_hand(logits, epsilon):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = exponentials / exponentials.sum(axis=1, keepdims=True)
    mean = p.mean(axis=0)
    return np.exp((p * (np.log(p + epsilon) - np.log(mean + epsilon))).sum(axis=1).mean())


def test_certain_and_balanced_predictions_score_the_number_of_classes():
    assert inception_score(certain([0, 1, 2, 3, 4] * 3)) == pytest.approx(5, rel=1e-12)
    assert inception_score(certain([0, 2])) == pytest.approx(2, rel=1e-12)


def test_equal_predictions_score_one():
    assert inception_score(torch.zeros(7, 5)) == pytest.approx(1, rel=1e-12)
    assert inception_score(certain([3] * 4)) == pytest.approx(1, rel=1e-12)
    same = torch.randn(1, 5, generator=torch.Generator().manual_seed(0)).expand(6, -1)
    assert inception_score(same) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("epsilon", [0.0, 1e-7, 1e-20, 1e-2])
def test_the_score_equals_its_formula(epsilon):
    logits = torch.randn(50, 9, generator=torch.Generator().manual_seed(1)) * 3
    expected = by_hand(logits.double().numpy(), epsilon)
    assert inception_score(logits, epsilon) == pytest.approx(expected, rel=1e-10)


def test_pieces_and_order_do_not_matter():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(40, 6, generator=generator) * 2
    score = InceptionScore()
    for piece in logits[torch.randperm(40, generator=generator)].split(7):
        score.update(piece)
    assert score.count == 40
    assert score.value() == pytest.approx(inception_score(logits), rel=1e-12)


def test_no_predictions_have_no_score():
    with pytest.raises(ValueError, match="no predictions"):
        InceptionScore().value()


def test_the_intra_class_score_is_the_mean_of_the_classes_own():
    # Class 0 always looks like class 0, class 1 like two classes equally often.
    logits = certain([0, 0, 0, 1, 2])
    labels = torch.tensor([0, 0, 0, 1, 1])
    assert intra_class_score(logits, labels) == pytest.approx((1 + 2) / 2, rel=1e-12)


def test_accuracy_is_the_share_of_right_classes():
    assert accuracy(certain([0, 1, 2, 2]), torch.tensor([0, 1, 1, 2])) == 0.75


def test_motion_control_is_told_for_each_category():
    logits = certain([0, 0, 1, 0, 2, 2])
    value, each = motion_control_score(logits, torch.tensor([0, 0, 1, 1, 2, 2]))
    assert value == pytest.approx(5 / 6)
    assert each == [1.0, 0.5, 1.0]


def test_segments_are_consecutive_frames_of_one_clip():
    clips = torch.arange(2 * 6).float().view(2, 1, 6, 1, 1)
    cut = segments(clips, 3).flatten(1)
    assert cut.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    with pytest.raises(ValueError, match="6 frames cannot be cut into pieces of 4"):
        segments(clips, 4)
