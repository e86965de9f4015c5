"""The running average of the generating weights."""

from __future__ import annotations

import copy

import pytest
import torch

from vidgen.adversarial.averages import WeightAverage
from vidgen.adversarial.game import Game
from vidgen.errors import UserError


def set_weights(game, value: float) -> None:
    with torch.no_grad():
        for weight in game.parameters():
            weight.fill_(value)


def generating(game) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in game.generator.parameters()]


def test_the_average_after_n_steps_has_its_closed_form(tiny_game):
    set_weights(tiny_game, 1.0)
    average = WeightAverage(tiny_game, 0.5)
    set_weights(tiny_game, 3.0)
    expected = 1.0
    for step in range(1, 31):
        average.update(step)
        decay = min(0.5, step / (step + 10))
        expected = decay * expected + (1 - decay) * 3.0
    # step / (step + 10) rules up to step 10: 10 · 9 · … · 1 / (11 · 12 · … · 20), then halves.
    left = 1.0
    for step in range(1, 11):
        left *= step / (step + 10)
    assert expected == pytest.approx(3.0 - 2.0 * left * 0.5**20)
    with average.in_place():
        for weight in tiny_game.generator.parameters():
            assert weight.flatten()[0].item() == pytest.approx(expected, abs=1e-6)


def test_the_decay_holds_from_the_step_where_the_warm_up_passes_it(tiny_game):
    average = WeightAverage(tiny_game, 0.25)
    set_weights(tiny_game, 0.0)
    average.update(10**6)
    set_weights(tiny_game, 8.0)
    with average.in_place():
        before = generating(tiny_game)
    average.update(10**6)
    with average.in_place():
        for now, was in zip(generating(tiny_game), before, strict=True):
            torch.testing.assert_close(now, 0.25 * was + 0.75 * 8.0)


def test_only_the_generating_weights_are_averaged(tiny_game):
    average = WeightAverage(tiny_game, 0.9)
    set_weights(tiny_game, 2.0)
    for buffer in tiny_game.buffers():
        buffer.fill_(5)
    average.update(1)
    with average.in_place():
        assert all((weight == 2.0).all() for weight in tiny_game.critic.parameters())
        assert all((buffer == 5).all() for buffer in tiny_game.critic.buffers())
        assert not all((weight == 2.0).all() for weight in tiny_game.generator.parameters())


def test_the_average_is_used_with_moments_of_its_own_samples(tiny_game):
    average = WeightAverage(tiny_game, 0.9)
    norm = tiny_game.generator.image.branches[0][1]  # of the slow latent's linear map
    with torch.no_grad():
        tiny_game.generator.image.branches[0][0].weight.mul_(100)
    norm.running_var.fill_(7)
    with average.in_place():
        weight = tiny_game.generator.image.branches[0][0].weight
        expected = weight.square().sum(1) / 3  # variance of a map of U[-1, 1]
        torch.testing.assert_close(norm.running_var, expected, rtol=0.3, atol=0)
        assert norm.momentum == 0.1
    assert (norm.running_var == 7).all()


def test_in_place_swaps_and_restores_exactly_even_after_an_error(tiny_game):
    average = WeightAverage(tiny_game, 0.9)
    first = copy.deepcopy(tiny_game.state_dict())
    with torch.no_grad():
        for weight in tiny_game.parameters():
            weight.mul_(1.7)
    raw = copy.deepcopy(tiny_game.state_dict())
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt), average.in_place():
            for name, weight in tiny_game.generator.named_parameters(prefix="generator"):
                assert torch.equal(weight, first[name]), name
            raise KeyboardInterrupt
        for name, weight in tiny_game.state_dict().items():
            assert torch.equal(weight, raw[name]), name


def test_raw_weights_do_not_follow_the_swap(tiny_game):
    average = WeightAverage(tiny_game, 0.9)
    set_weights(tiny_game, 4.0)
    raw = average.raw_weights()
    assert set(raw) == {f"generator.{name}" for name in tiny_game.generator.state_dict()}
    with average.in_place():
        for name, _ in tiny_game.generator.named_parameters(prefix="generator"):
            assert (raw[name] == 4.0).all(), name


def test_restore_puts_the_raw_weights_back_and_keeps_the_loaded_ones_as_average(make_tiny_game):
    game, other = make_tiny_game(seed=1), make_tiny_game(seed=2)
    loaded = generating(game)
    raw = {f"generator.{name}": weight for name, weight in other.generator.named_parameters()}
    average = WeightAverage(game, 0.9)
    average.restore(raw)
    for weight, value in zip(generating(game), other.generator.parameters(), strict=True):
        assert torch.equal(weight, value)
    with average.in_place():
        for weight, value in zip(generating(game), loaded, strict=True):
            assert torch.equal(weight, value)


def test_a_resumed_run_may_begin_to_keep_an_average(tiny_game):
    loaded = generating(tiny_game)
    average = WeightAverage(tiny_game, 0.9)
    average.restore({})
    with average.in_place():
        for weight, value in zip(generating(tiny_game), loaded, strict=True):
            assert torch.equal(weight, value)


def test_a_resumed_run_may_leave_off_keeping_one_and_goes_on_with_the_raw_weights(tiny_game):
    raw = {
        f"generator.{name}": torch.full_like(weight, 0.25)
        for name, weight in tiny_game.generator.named_parameters()
    }
    WeightAverage(tiny_game, None).restore(raw)
    assert all((weight == 0.25).all() for weight in tiny_game.generator.parameters())


def test_without_a_decay_nothing_happens(tiny_game):
    average = WeightAverage(tiny_game, None)
    before = generating(tiny_game)
    average.update(1)
    with average.in_place():
        for now, was in zip(generating(tiny_game), before, strict=True):
            assert torch.equal(now, was)
    assert average.raw_weights() == {}


@pytest.mark.parametrize("decay", [1.0, 1.5, -0.1, float("nan")])
def test_a_decay_outside_its_range_is_refused(tiny_game, decay: float):
    with pytest.raises(ValueError, match="average is"):
        WeightAverage(tiny_game, decay)


def test_a_game_without_fakes_is_refused_before_it_trains(tiny_game):
    class WithoutFakes(type(tiny_game)):
        fakes = Game.fakes

    tiny_game.__class__ = WithoutFakes
    with pytest.raises(UserError, match=r"WithoutFakes cannot keep .*training\.average"):
        WeightAverage(tiny_game, 0.9)
    WeightAverage(tiny_game, None)
