"""Linear classifiers on features of shapes (3D-GAN, section 4.2 and supplement A.2).

Where the paper is silent: the loss is the squared hinge, features are not scaled, and the few
training shapes of the limited-data curve are drawn anew by each seed.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

_MOST_ITERATIONS = 10_000
# The paper's penalties for ModelNet40 and ModelNet10.
_MANY_CLASSES_PENALTY, _FEW_CLASSES_PENALTY, _MANY_CLASSES = 0.07, 0.01, 20


class Accuracy(NamedTuple):
    """Of a classifier on test shapes.

    Attributes:
        overall: Share of the shapes that are recognised.
        per_class: Mean over the classes of the share of theirs.
    """

    overall: float
    per_class: float


def default_penalty(num_classes: int) -> float:
    """The paper's C: 0.07 for ModelNet40, 0.01 for ModelNet10."""
    return _MANY_CLASSES_PENALTY if num_classes > _MANY_CLASSES else _FEW_CLASSES_PENALTY


def svm_accuracy(
    train: Float[np.ndarray, "train features"],
    train_labels: Int[np.ndarray, " train"],
    test: Float[np.ndarray, "test features"],
    test_labels: Int[np.ndarray, " test"],
    penalty: float,
) -> Accuracy:
    """Accuracy of a one-versus-rest linear SVM with balanced class weights.

    Args:
        train: Features to learn from, of two classes at least.
        train_labels: Their classes.
        test: Features to recognise.
        test_labels: Their classes.
        penalty: The factor C of the hinge losses; larger fits the training shapes closer.
    """
    machine = LinearSVC(
        C=penalty,
        class_weight="balanced",
        dual="auto",
        intercept_scaling=1,
        max_iter=_MOST_ITERATIONS,
        random_state=0,
    )
    with warnings.catch_warnings():
        # liblinear says so when the last digits are still moving.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(train, train_labels)
    right = np.equal(machine.predict(test), test_labels)
    classes = np.unique(test_labels)
    return Accuracy(
        overall=float(right.mean()),
        per_class=float(np.mean([right[test_labels == label].mean() for label in classes])),
    )


def drawn_per_class(
    labels: Int[np.ndarray, " shapes"], count: int | None, seed: int
) -> Int[np.ndarray, " drawn"]:
    """Numbers of `count` shapes of each class, all of a class that has fewer; `None` takes all."""
    if count is None:
        return np.arange(len(labels))
    random = np.random.default_rng(seed)
    of_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    drawn = [random.permutation(items)[:count] for items in of_class]
    return np.sort(np.concatenate(drawn))
