"""Optimisers as settings."""

from __future__ import annotations

import pytest
import torch

from vidgen.adversarial.optimizers import OptimizerSettings


def step_of(settings: OptimizerSettings, gradients: list[float], start: float = 1.0) -> float:
    weight = torch.nn.Parameter(torch.tensor(start))
    optimizer = settings.build([weight])
    for gradient in gradients:
        weight.grad = torch.tensor(gradient)
        optimizer.step()
    return weight.item()


def test_gradient_descent_with_and_without_weight_decay():
    assert step_of(OptimizerSettings("sgd", 0.5), [2.0]) == 1 - 0.5 * 2
    assert step_of(OptimizerSettings("sgd", 0.5, weight_decay=0.1), [2.0]) == pytest.approx(
        1 - 0.5 * (2 + 0.1)
    )


def test_rmsprop_by_its_formula():
    settings = OptimizerSettings("rmsprop", 0.1, smoothing=0.75, epsilon=0.5)
    weight, square = 1.0, 0.0
    for gradient in (2.0, -1.0):
        square = 0.75 * square + 0.25 * gradient**2
        weight -= 0.1 * gradient / (square**0.5 + 0.5)
    assert step_of(settings, [2.0, -1.0]) == pytest.approx(weight)


def test_adam_by_its_formula():
    settings = OptimizerSettings("adam", 0.1, betas=(0.5, 0.75), epsilon=0.5)
    weight, mean, square = 1.0, 0.0, 0.0
    for step, gradient in enumerate((2.0, -1.0), 1):
        mean = 0.5 * mean + 0.5 * gradient
        square = 0.75 * square + 0.25 * gradient**2
        corrected = mean / (1 - 0.5**step), square / (1 - 0.75**step)
        weight -= 0.1 * corrected[0] / (corrected[1] ** 0.5 + 0.5)
    assert step_of(settings, [2.0, -1.0]) == pytest.approx(weight)


def test_rates_of_the_schedules_are_functions_of_the_step():
    constant = OptimizerSettings(learning_rate=0.4)
    linear = OptimizerSettings(learning_rate=0.4, schedule="linear")
    assert [constant.learning_rate_at(step, 4) for step in (1, 3, 4)] == [0.4] * 3
    rates = [linear.learning_rate_at(step, 4) for step in (1, 2, 3, 4, 5, 6)]
    assert rates == pytest.approx([0.4, 0.3, 0.2, 0.1, 0, 0])


def test_betas_are_kept_as_a_tuple_so_that_settings_compare_and_hash():
    assert OptimizerSettings(betas=(0.0, 0.9)).betas == (0.0, 0.9)
    assert hash(OptimizerSettings()) == hash(OptimizerSettings())


def test_a_negative_rate_is_refused():
    with pytest.raises(ValueError, match=r"learning_rate is -0\.1"):
        OptimizerSettings(learning_rate=-0.1)
