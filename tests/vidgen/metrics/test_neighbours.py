"""The nearest training clips, found by scikit-learn too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from vidgen.metrics.neighbours import memorisation_ratio, nearest, side_by_side, thumbnails


def test_the_nearest_rows_are_scikit_learns():
    generator = torch.Generator().manual_seed(0)
    known, queries = (torch.randn(n, 5, generator=generator) for n in (40, 9))
    distances, rows = NearestNeighbors(n_neighbors=1).fit(known).kneighbors(queries)
    found, how_far = nearest(queries, known)
    assert found.tolist() == rows[:, 0].tolist()
    np.testing.assert_allclose(how_far, distances[:, 0], rtol=1e-6)


def test_copies_are_a_memory():
    assert memorisation_ratio(torch.zeros(4), torch.tensor([1.0, 2.0, 3.0])) == 0
    assert memorisation_ratio(torch.tensor([1.0, 2, 9]), torch.tensor([4.0])) == pytest.approx(0.5)


def test_thumbnails_are_means_over_pieces_of_space_and_time():
    clips = torch.zeros(1, 1, 16, 32, 32)
    clips[0, 0, 0, 0, 0] = 8
    small = thumbnails(clips).view(8, 16, 16)
    assert small[0, 0, 0] == 1 and small.sum() == 1
    assert thumbnails(torch.zeros(2, 3, 4, 8, 6)).shape == (2, 3 * 4 * 8 * 6)


def test_pairs_lie_one_below_the_other():
    generated = torch.full((2, 3, 1, 2, 2), 1, dtype=torch.uint8)
    both = side_by_side(generated, generated + torch.tensor([4, 9]).view(2, 1, 1, 1, 1).byte())
    assert both[:, 0, 0, 0, 0].tolist() == [1, 5, 1, 10]
