"""Fréchet and kernel distances, precision and recall: scipy, double loops, closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from sklearn.neighbors import NearestNeighbors

from vidgen.metrics.frechet import Moments, frechet_distance
from vidgen.metrics.kernel import cubic_kernel, kernel_distance, squared_discrepancy
from vidgen.metrics.precision_recall import inside_manifold, precision_and_recall


def drawn(count, num_features, seed, scale=1.0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, num_features, generator=generator) * scale + shift


def moments_of(features, piece=1000):
    moments = Moments(features.shape[1])
    for rows in features.split(piece):
        moments.update(rows)
    return moments


def gaussian(mean, covariance):
    """Moments that are exactly these: of the points mean ± √(d) · root's columns."""
    size = len(mean)
    root = torch.linalg.cholesky(torch.as_tensor(covariance, dtype=torch.float64))
    offsets = torch.cat([root.T, -root.T]) * ((2 * size - 1) / 2) ** 0.5
    return moments_of(torch.as_tensor(mean, dtype=torch.float64) + offsets)


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_moments_equal_numpys_whatever_the_pieces(piece):
    features = drawn(50, 6, 0, shift=100.0)
    moments = moments_of(features, piece)
    assert moments.count == 50
    np.testing.assert_allclose(moments.mean, features.double().mean(0), rtol=1e-13)
    expected = np.cov(features.double().numpy(), rowvar=False)
    np.testing.assert_allclose(moments.covariance(), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(moments.covariance(0), expected * 49 / 50, rtol=1e-10, atol=1e-12)


def test_moments_do_not_cancel_where_the_mean_is_large():
    moments = moments_of(torch.tensor([[1e8], [1e8 + 1], [1e8 + 2]], dtype=torch.float64), 1)
    assert moments.covariance().item() == pytest.approx(1, rel=1e-6)


def test_one_row_has_no_covariance():
    with pytest.raises(ValueError, match="more than 1 rows, not 1"):
        moments_of(torch.ones(1, 2)).covariance()


def test_known_gaussians_are_at_known_distances():
    unit = gaussian([0.0, 0, 0], np.eye(3))
    assert frechet_distance(unit, gaussian([1.0, 2, 0], np.eye(3))) == pytest.approx(5, rel=1e-9)
    assert frechet_distance(gaussian([0.0, 0, 0], 4 * np.eye(3)), unit) == pytest.approx(3)
    assert frechet_distance(unit, unit) == pytest.approx(0, abs=1e-9)
    # Commuting covariances: Σ (√a - √b)².
    other = gaussian([0.0, 0, 0], np.diag([9.0, 1, 0.25]))
    assert frechet_distance(unit, other) == pytest.approx(4 + 0 + 0.25, rel=1e-9)


@pytest.mark.parametrize("correction", [0, 1])
def test_the_frechet_distance_equals_scipys_root(correction):
    first, second = drawn(200, 8, 1), drawn(150, 8, 2) @ drawn(8, 8, 3) + 0.5
    c1, c2 = (
        np.cov(rows.double().numpy(), rowvar=False, ddof=correction) for rows in (first, second)
    )
    difference = (first.double().mean(0) - second.double().mean(0)).numpy()
    root = scipy.linalg.sqrtm(c1 @ c2)
    expected = difference @ difference + np.trace(c1 + c2 - 2 * np.real(root))
    found = frechet_distance(moments_of(first), moments_of(second), correction)
    assert found == pytest.approx(expected, rel=1e-8)
    back = frechet_distance(moments_of(second), moments_of(first), correction)
    assert back == pytest.approx(found, rel=1e-8)


def test_fewer_clips_than_features_still_have_a_distance():
    few = moments_of(drawn(5, 12, 4))
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(few, moments_of(drawn(6, 12, 5))) > 1


def test_the_kernel_distance_equals_a_double_loop():
    first, second = drawn(9, 4, 6).double(), drawn(7, 4, 7, shift=0.5).double()

    def kernel(x, y):
        return (float(x @ y) / 4 + 1) ** 3

    def within(rows):
        pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if i != j]
        return sum(kernel(rows[i], rows[j]) for i, j in pairs) / len(pairs)

    between = sum(kernel(x, y) for x in first for y in second) / (9 * 7)
    expected = within(first) + within(second) - 2 * between
    assert squared_discrepancy(first, second) == pytest.approx(expected, rel=1e-10)


def test_the_cubic_kernel_divides_by_the_number_of_features():
    ones = torch.ones(1, 10, dtype=torch.float64)
    assert cubic_kernel(ones, 2 * ones).item() == pytest.approx(27)


def test_one_distribution_is_about_nought_from_itself_and_another_is_not():
    near, _ = kernel_distance(drawn(400, 8, 8), drawn(400, 8, 9))
    far, _ = kernel_distance(drawn(400, 8, 8), drawn(400, 8, 9, shift=1.0))
    assert abs(near) < 0.05 < 1 < far


def test_subsets_of_equal_size_are_drawn_where_the_samples_differ():
    first, second = drawn(30, 4, 10), drawn(20, 4, 11, shift=1.0)
    value, spread = kernel_distance(first, second, num_subsets=200, largest_subset=10)
    assert value == pytest.approx(squared_discrepancy(first, second), abs=4 * spread / 200**0.5)
    assert spread > 0
    assert kernel_distance(first, second, 20, 10) == kernel_distance(first, second, 20, 10)
    assert kernel_distance(first[:20], second) == (squared_discrepancy(first[:20], second), 0.0)


def test_identical_sets_are_wholly_precise_and_recalled_and_far_ones_not_at_all():
    features = drawn(30, 5, 12)
    assert precision_and_recall(features, features) == (1, 1)
    assert precision_and_recall(features, features + 1000) == (0, 0)


def test_a_dropped_mode_costs_recall_alone():
    low, high = drawn(40, 3, 13), drawn(40, 3, 14, shift=100.0)
    precision, recall = precision_and_recall(torch.cat([low, high]), low)
    assert (precision, recall) == (1, 0.5)


def test_manifolds_equal_those_of_scikit_learns_neighbours():
    sample, points = drawn(60, 4, 15).numpy(), drawn(50, 4, 16, scale=1.5).numpy()
    tree = NearestNeighbors(n_neighbors=4).fit(sample)
    radii = tree.kneighbors(sample)[0][:, 3]  # the first neighbour is the point itself
    distances = np.linalg.norm(points[:, None] - sample[None], axis=2)
    expected = (distances <= radii).any(axis=1)
    found = inside_manifold(torch.from_numpy(points), torch.from_numpy(sample))
    assert found.tolist() == expected.tolist()
    assert 0 < expected.sum() < 50


def test_too_few_features_have_no_third_neighbour():
    with pytest.raises(ValueError, match="3 features have no neighbour number 3"):
        precision_and_recall(torch.ones(3, 2), torch.ones(5, 2))
