"""Sliced Wasserstein distance: scipy, closed forms, and a pyramid that adds up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from scipy.stats import wasserstein_distance

from vidgen.metrics.wasserstein import (
    doubled,
    laplacian_pyramid,
    random_patches,
    sliced_wasserstein,
    space_time_slices,
    standardized,
)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_one_direction_is_scipys_distance():
    first, second = noise(50, 1), 2 * noise(50, 1, seed=1) + 1
    expected = wasserstein_distance(first[:, 0].numpy(), second[:, 0].numpy())
    assert sliced_wasserstein(first, second, 3) == pytest.approx(expected, rel=1e-5)


def test_a_shift_and_a_doubling_move_it_by_their_closed_forms():
    points = noise(2000, 147)
    shifted = points.clone()
    shifted[:, 0] += 1
    assert sliced_wasserstein(points, points, 8) == 0
    # E|θ1| of a unit vector in 147 dimensions, and E|N(0,1)| = √(2/π).
    assert sliced_wasserstein(points, shifted, 256) == pytest.approx(0.0659, rel=0.08)
    assert sliced_wasserstein(points, 2 * points, 64) == pytest.approx(0.798, rel=0.03)


def test_the_pyramid_adds_up_to_the_image():
    image = noise(2, 3, 64, 32)
    levels = laplacian_pyramid(image)
    assert [tuple(level.shape[-2:]) for level in levels] == [(64, 32), (32, 16)]
    torch.testing.assert_close(levels[0] + doubled(levels[1]), image)


def test_the_coarser_level_is_a_binomial_blur_mirrored_at_the_border():
    image = noise(1, 1, 32, 32).double()
    line = np.array([1, 4, 6, 4, 1]) / 16
    blurred = convolve(image[0, 0].numpy(), np.outer(line, line), mode="mirror")
    np.testing.assert_allclose(laplacian_pyramid(image)[1][0, 0], blurred[::2, ::2], atol=1e-12)


def test_doubling_keeps_a_plain_image():
    inner = doubled(torch.ones(1, 1, 8, 8))[0, 0, 2:-2, 2:-2]
    torch.testing.assert_close(inner, torch.ones(12, 12))


def test_patches_are_windows_of_their_own_image():
    images = torch.arange(2 * 2 * 9 * 10.0).view(2, 2, 9, 10)
    patches = random_patches(images, 40, torch.Generator().manual_seed(0))
    assert patches.shape == (2, 40, 2, 7, 7)
    corners = patches[:, :, 0, 0, 0]
    assert set(corners[0].tolist()) == {
        10.0 * row + column for row in range(3) for column in range(4)
    }
    assert (corners[1] >= 180).all()
    torch.testing.assert_close(
        patches[..., 1, 0] - patches[..., 0, 0], torch.full((2, 40, 2), 10.0)
    )
    torch.testing.assert_close(patches[:, :, 1] - patches[:, :, 0], torch.full((2, 40, 7, 7), 90.0))
    with pytest.raises(ValueError, match="hold no patch of 7 x 7"):
        random_patches(images[..., :6], 1, torch.Generator())


def test_each_channel_is_standardized_over_the_set():
    patches = noise(100, 3, 7, 7) * torch.tensor([1.0, 5, 0]).view(3, 1, 1) + 4
    flat = standardized(patches).view(100, 3, 49)
    torch.testing.assert_close(flat.mean(dim=(0, 2)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        flat.std(dim=(0, 2), correction=0), torch.tensor([1.0, 1, 0]), atol=1e-5, rtol=0
    )


def test_a_slice_shows_one_row_over_time():
    clips = noise(2, 3, 4, 5, 6)
    slices = space_time_slices(clips, [1, 4])
    assert torch.equal(slices[0], clips[0, :, :, 1]) and torch.equal(slices[1], clips[1, :, :, 4])
