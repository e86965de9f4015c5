from __future__ import annotations

import numpy as np
import pytest

from voxel.classification import default_penalty, drawn_per_class, svm_accuracy


def clouds(counts, seed):
    """Points around the corners of a triangle, so many of each class."""
    random = np.random.default_rng(seed)
    middles = np.array([[0.0, 4.0], [4.0, 0.0], [-4.0, -4.0]])
    labels = np.repeat(np.arange(len(counts)), counts)
    return middles[labels] + random.normal(size=(len(labels), 2)), labels


def test_clouds_far_apart_are_told_apart():
    accuracy = svm_accuracy(*clouds([20, 20, 20], 0), *clouds([30, 30, 30], 1), penalty=1.0)
    assert accuracy.overall > 0.98 and accuracy.per_class > 0.98


def test_the_mean_of_the_classes_counts_small_classes_as_much_as_large_ones():
    train, labels = np.array([[0.0], [1.0]] * 10), np.array([0, 1] * 10)
    # All eight of class 0 are recognised, one of the two of class 1.
    test, test_labels = np.array([[0.0]] * 8 + [[1.0], [0.0]]), np.array([0] * 8 + [1] * 2)
    accuracy = svm_accuracy(train, labels, test, test_labels, penalty=10.0)
    assert accuracy.overall == 0.9 and accuracy.per_class == 0.75


def test_weights_are_balanced():
    random = np.random.default_rng(0)
    train = np.concatenate([random.normal(0, 1, (300, 1)), random.normal(2, 1, (15, 1))])
    labels = np.repeat([0, 1], [300, 15])
    test = np.concatenate([random.normal(0, 1, (500, 1)), random.normal(2, 1, (500, 1))])
    accuracy = svm_accuracy(train, labels, test, np.repeat([0, 1], 500), penalty=1.0)
    # At best 84 %; without weights hardly any of the rare class is found.
    assert accuracy.per_class > 0.8


def test_few_shapes_of_each_class_are_drawn_by_the_seed():
    labels = np.array([2, 0, 0, 2, 2, 0, 1, 0])
    drawn = drawn_per_class(labels, 2, seed=3)
    assert np.bincount(labels[drawn]).tolist() == [2, 1, 2]
    assert np.array_equal(drawn, drawn_per_class(labels, 2, seed=3))
    others = {tuple(drawn_per_class(labels, 2, seed)) for seed in range(20)}
    assert len(others) > 5
    assert drawn_per_class(labels, None, seed=0).tolist() == list(range(8))


@pytest.mark.parametrize("classes, penalty", [(7, 0.01), (10, 0.01), (40, 0.07)])
def test_the_penalty_is_the_papers(classes, penalty):
    assert default_penalty(classes) == penalty
