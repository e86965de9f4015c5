"""PSNR, SSIM and MS-SSIM against scikit-image, scipy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d
from skimage.measure import block_reduce
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vidgen.metrics.similarity import (
    enlarged_to,
    mean_and_interval,
    ms_ssim_per_frame,
    psnr_per_frame,
    ssim_per_frame,
)


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(2, 3, 2, 24, 20, generator=generator) * 2 - 1
    noise = torch.randn(first.shape, generator=generator)
    return first, (first + 0.3 * noise).clamp(-1, 1)


def test_equal_clips_are_infinitely_alike(pair):
    clips, _ = pair
    assert psnr_per_frame(clips, clips).tolist() == [[math.inf] * 2] * 2
    torch.testing.assert_close(ssim_per_frame(clips, clips), torch.ones(2, 2).double())


def test_psnr_and_ssim_equal_scikit_images(pair):
    first, second = pair
    psnr, ssim = psnr_per_frame(first, second), ssim_per_frame(first, second)
    for clip in range(2):
        for time in range(2):
            one, other = (x[clip, :, time].double().numpy() for x in pair)
            expected = peak_signal_noise_ratio(one, other, data_range=2)
            assert psnr[clip, time].item() == pytest.approx(expected, rel=1e-10)
            expected = structural_similarity(  # as it is defined, of brightness from 0
                one + 1,
                other + 1,
                data_range=2,
                channel_axis=0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            assert ssim[clip, time].item() == pytest.approx(expected, rel=1e-6)


def by_hand(first, second, weights):
    """MS-SSIM of two images of one channel from 0 to 2, by scipy's convolution."""
    line = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
    window = np.outer(line, line) / line.sum() ** 2

    def mean(image):
        return convolve2d(image, window, mode="valid")

    value = 1.0
    for scale, weight in enumerate(weights):
        m1, m2 = mean(first), mean(second)
        v1, v2 = mean(first**2) - m1**2, mean(second**2) - m2**2
        term = (2 * (mean(first * second) - m1 * m2) + 0.06**2) / (v1 + v2 + 0.06**2)
        if scale == len(weights) - 1:
            term = term * (2 * m1 * m2 + 0.02**2) / (m1**2 + m2**2 + 0.02**2)
        value *= term.mean() ** weight
        first, second = (block_reduce(image, (2, 2), np.mean) for image in (first, second))
    return value


@pytest.mark.parametrize("weights", [(1.0,), (0.3, 0.7), (0.2, 0.3, 0.5)])
def test_ms_ssim_equals_its_formula(weights):
    generator = torch.Generator().manual_seed(1)
    first = torch.rand(1, 1, 1, 48, 64, generator=generator).double() * 2 - 1
    second = (first + 0.2 * torch.randn(first.shape, generator=generator)).clamp(-1, 1)
    expected = by_hand(*((image[0, 0, 0] + 1).numpy() for image in (first, second)), weights)
    assert ms_ssim_per_frame(first, second, weights).item() == pytest.approx(expected, rel=1e-9)


def test_ms_ssim_is_one_for_equal_clips_symmetric_and_falls_with_noise(pair):
    first, second = (clips.repeat(1, 1, 1, 2, 2) for clips in pair)
    torch.testing.assert_close(ms_ssim_per_frame(first, first), torch.ones(2, 2).double())
    there, back = ms_ssim_per_frame(first, second), ms_ssim_per_frame(second, first)
    torch.testing.assert_close(there, back)
    assert (there > 0.2).all() and (there < 0.99).all()
    with pytest.raises(ValueError, match="fewer than 5 scales"):
        ms_ssim_per_frame(first[..., :12], second[..., :12])


def test_small_frames_have_a_smaller_window():
    frames = torch.rand(1, 1, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    assert ssim_per_frame(frames, frames).item() == pytest.approx(1)
    assert ssim_per_frame(frames, frames.flip(-1)).item() < 0.99


def test_a_coarse_level_is_enlarged_frame_by_frame():
    coarse = torch.arange(4.0).view(1, 1, 2, 1, 2)
    large = enlarged_to(coarse, (2, 4))
    assert large.shape == (1, 1, 2, 2, 4)
    assert large[0, 0, :, 0].tolist() == [[0, 0.25, 0.75, 1], [2, 2.25, 2.75, 3]]


def test_the_interval_is_that_of_the_mean():
    values = torch.tensor([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0], [7.0, 5.0]])
    mean, half = mean_and_interval(values)
    assert mean.tolist() == [4, 5]
    expected = [1.96 * np.std([1, 3, 5, 7], ddof=1) / 2, 0]
    np.testing.assert_allclose(half, expected, rtol=1e-12)
