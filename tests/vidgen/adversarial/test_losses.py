"""Losses at known logits, their gradients, and what a mistake would break."""

import math
from typing import get_args

import pytest
import torch

from vidgen.adversarial.losses import LOSSES, Hinge, LeastSquares, LossName

LOGITS = {"real": [2.0, -1.0], "fake": [0.5, -3.0]}


def sp(value: float) -> float:
    return math.log1p(math.exp(value))


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def both() -> tuple[torch.Tensor, torch.Tensor]:
    real, fake = (torch.tensor(LOGITS[key], requires_grad=True) for key in ("real", "fake"))
    return real, fake


EXPECTED = {
    # name: discriminator's loss, its gradients at real and fake; generator's loss, its gradient
    "minimax": (
        (sp(-2) + sp(1)) / 2 + (sp(0.5) + sp(-3)) / 2,
        [-sigmoid(-2) / 2, -sigmoid(1) / 2],
        [sigmoid(0.5) / 2, sigmoid(-3) / 2],
        -(sp(0.5) + sp(-3)) / 2,
        [-sigmoid(0.5) / 2, -sigmoid(-3) / 2],
    ),
    "non_saturating": (
        (sp(-2) + sp(1)) / 2 + (sp(0.5) + sp(-3)) / 2,
        [-sigmoid(-2) / 2, -sigmoid(1) / 2],
        [sigmoid(0.5) / 2, sigmoid(-3) / 2],
        (sp(-0.5) + sp(3)) / 2,
        [-sigmoid(-0.5) / 2, -sigmoid(3) / 2],
    ),
    "wasserstein": (-1.25 - 0.5, [-0.5, -0.5], [0.5, 0.5], 1.25, [-0.5, -0.5]),
    "least_squares": (
        0.5 * (1 + 4) / 2 + 0.5 * (0.25 + 9) / 2,
        [0.5, -1.0],
        [0.25, -1.5],
        0.5 * (0.25 + 16) / 2,
        [-0.25, -2.0],
    ),
    "hinge": ((0 + 2) / 2 + (1.5 + 0) / 2, [0.0, -0.5], [0.5, 0.0], 1.25, [-0.5, -0.5]),
}


@pytest.mark.parametrize("name", get_args(LossName))
def test_values_and_gradients_at_known_logits(name):
    value, at_real, at_fake, generator_value, at_generated = EXPECTED[name]
    real, fake = both()
    loss = LOSSES[name].discriminator(real, fake)
    loss.backward()
    assert loss.item() == pytest.approx(value)
    assert real.grad.tolist() == pytest.approx(at_real)
    assert fake.grad.tolist() == pytest.approx(at_fake)
    _, fake = both()
    loss = LOSSES[name].generator(fake)
    loss.backward()
    assert loss.item() == pytest.approx(generator_value)
    assert fake.grad.tolist() == pytest.approx(at_generated)


@pytest.mark.parametrize(
    ("name", "at_discriminator", "at_generator"),
    [
        ("minimax", 1.3863, -0.6931),
        ("non_saturating", 1.3863, 0.6931),
        ("wasserstein", 0, 0),
        ("least_squares", 0.5, 0.5),
        ("hinge", 2, 0),
    ],
)
def test_values_where_the_discriminator_knows_nothing(name, at_discriminator, at_generator):
    zeros = torch.zeros(7)
    assert LOSSES[name].discriminator(zeros, zeros).item() == pytest.approx(
        at_discriminator, abs=1e-4
    )
    assert LOSSES[name].generator(zeros).item() == pytest.approx(at_generator, abs=1e-4)


def test_only_the_non_saturating_generator_learns_while_the_discriminator_wins():
    for name, expected in (("minimax", -0.0067), ("non_saturating", -0.9933)):
        logit = torch.tensor([-5.0], requires_grad=True)
        LOSSES[name].generator(logit).backward()
        assert logit.grad.item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", get_args(LossName))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_far_logits_neither_overflow_nor_lose_their_gradient(name, dtype):
    for size in (100.0, -100.0):
        real, fake = (torch.full((3,), sign * size, dtype=dtype) for sign in (1, -1))
        real.requires_grad_()
        fake.requires_grad_()
        loss = LOSSES[name].discriminator(real, fake)
        loss.backward()
        assert loss.dtype == torch.float32
        assert loss.isfinite() and real.grad.isfinite().all() and fake.grad.isfinite().all()
    # A discriminator that is wrong by 100 is pushed with full force, whatever the loss.
    assert (real.grad <= -0.33).all() and (fake.grad >= 0.33).all()


@pytest.mark.parametrize("name", get_args(LossName))
def test_right_discriminators_pay_less_than_swapped_ones(name):
    high, low = torch.tensor([0.8, 0.6]), torch.tensor([-0.7, -0.2])
    loss = LOSSES[name]
    assert loss.discriminator(high, low) < loss.discriminator(low, high)
    assert loss.generator(high) < loss.generator(low)


def test_wasserstein_is_antisymmetric():
    real, fake = torch.randn(9), torch.randn(9)
    loss = LOSSES["wasserstein"]
    assert torch.equal(loss.discriminator(real, fake), -loss.discriminator(fake, real))


def test_wasserstein_gives_the_distance_of_parallel_lines():
    heights, theta = torch.rand(50), -0.7
    real = torch.stack([torch.zeros(50), heights], dim=1)
    fake = torch.stack([torch.full((50,), theta), heights], dim=1)
    critic = [-math.copysign(1, theta) * points[:, 0] for points in (real, fake)]
    assert -LOSSES["wasserstein"].discriminator(*critic).item() == pytest.approx(abs(theta))


def test_hinge_leaves_alone_what_is_beyond_the_margin():
    real, fake = torch.tensor([2.0], requires_grad=True), torch.tensor([-2.0], requires_grad=True)
    loss = Hinge().discriminator(real, fake)
    loss.backward()
    assert loss.item() == real.grad.item() == fake.grad.item() == 0
    assert Hinge(margin=3.0).discriminator(real, fake).item() == 2
    assert Hinge(margin=0.5).discriminator(torch.zeros(4), torch.zeros(4)).item() == 1


def test_least_squares_with_tgans_targets():
    loss = LeastSquares(fake_target=-1.0, real_target=1.0, generator_target=0.0, scale=1.0)
    real, fake = torch.tensor([3.0]), torch.tensor([2.0])
    assert loss.discriminator(real, fake).item() == 4 + 9
    assert loss.generator(fake).item() == 4


def test_least_squares_is_zero_at_its_targets():
    loss = LOSSES["least_squares"]
    assert (
        loss.discriminator(torch.ones(3), torch.zeros(3)) == 0
        and loss.generator(torch.ones(3)) == 0
    )


@pytest.mark.parametrize("name", get_args(LossName))
def test_every_shape_of_logits_gives_the_mean_over_all(name):
    real, fake = torch.randn(24), torch.randn(48)  # unequal numbers, as in conditional games
    loss = LOSSES[name]
    for real_shape, fake_shape in (((24,), (48,)), ((2, 3, 4), (2, 4, 6)), ((4, 6, 1), (48, 1))):
        value = loss.discriminator(real.reshape(real_shape), fake.reshape(fake_shape))
        assert value.shape == () and value.item() == pytest.approx(
            loss.discriminator(real, fake).item(), rel=1e-5
        )
        assert loss.generator(fake.reshape(fake_shape)).shape == ()


@pytest.mark.parametrize("name", get_args(LossName))
def test_losses_can_be_differentiated_twice(name):
    logits = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: LOSSES[name].discriminator(x, 2 * x), logits)
    assert torch.autograd.gradgradcheck(LOSSES[name].generator, logits)


def test_there_is_a_loss_for_each_name():
    assert tuple(LOSSES) == get_args(LossName)
