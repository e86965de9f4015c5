"""WGAN-GP against linear critics, whose gradient is known."""

from __future__ import annotations

import pytest
import torch

from vidgen.adversarial.gradient_penalty import between, gradient_penalty


@pytest.mark.parametrize("shape", [(4,), (3, 4), (1, 2, 3, 4)])
def test_a_linear_critic_pays_for_its_distance_from_norm_one(shape):
    slope = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    slope = (5 * slope / slope.norm()).requires_grad_()
    points = torch.randn(6, *shape).requires_grad_()
    penalty = gradient_penalty((points * slope).flatten(1).sum(1), points)
    assert penalty.item() == pytest.approx(16, rel=1e-5)
    (gradient,) = torch.autograd.grad(penalty, slope)
    torch.testing.assert_close(gradient, 2 * (5 - 1) * slope.detach() / 5)


def test_each_sample_has_a_norm_of_its_own():
    points = torch.tensor([[3.0, 4.0], [0.0, 0.0]]).requires_grad_()
    penalty = gradient_penalty(0.5 * points.square().sum(1), points)
    assert penalty.item() == pytest.approx(((5 - 1) ** 2 + (0 - 1) ** 2) / 2)
    penalty.backward()
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()


def test_points_lie_between_fake_and_real_by_the_share():
    real, fake = torch.ones(3, 1, 2, 2, 2), torch.zeros(3, 1, 2, 2, 2, requires_grad=True)
    points = between(real, fake, torch.tensor([0.0, 0.25, 1.0]))
    assert points[:, 0, 1, 0, 1].tolist() == [0.0, 0.25, 1.0]
    assert points.is_leaf
    assert points.requires_grad
