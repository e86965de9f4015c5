"""Up-sampling of trajectories."""

from __future__ import annotations

import pytest
import torch

from vidgen.trajectories.base import upsample_trajectory


def test_factor_one_is_the_identity():
    trajectory = torch.randn(2, 5, 3)
    assert torch.equal(upsample_trajectory(trajectory, 1), trajectory)


@pytest.mark.parametrize("factor", [2, 3, 7])
@pytest.mark.parametrize("length", [1, 2, 16])
def test_every_factorth_latent_is_the_given_one_bit_for_bit(factor: int, length: int):
    torch.manual_seed(factor)
    trajectory = torch.randn(2, length, 3)
    before = trajectory.clone()
    finer = upsample_trajectory(trajectory, factor)
    assert finer.shape == (2, factor * (length - 1) + 1, 3)
    assert torch.equal(finer[:, ::factor], trajectory)
    assert torch.equal(trajectory, before)


def test_latents_between_two_lie_on_the_line_between_them():
    trajectory = torch.tensor([[[0.0, 10.0], [4.0, 30.0], [4.0, -10.0]]])
    expected = [[0, 10], [1, 15], [2, 20], [3, 25], [4, 30], [4, 20], [4, 10], [4, 0], [4, -10]]
    torch.testing.assert_close(
        upsample_trajectory(trajectory, 4), torch.tensor([expected], dtype=torch.float32)
    )


@pytest.mark.parametrize("factor", [0, -1])
def test_a_factor_below_one_is_refused(factor: int):
    with pytest.raises(ValueError, match=f"factor is {factor}"):
        upsample_trajectory(torch.zeros(1, 2, 1), factor)
