"""The game: what each player wants, against numpy, and what it may change."""

import numpy as np
import pytest
import torch

from tests.vidgen.tganv2_tiny import make_batch, make_game, witnesses
from vidgen import OptimizerSettings
from vidgen.adversarial.game import only_trainable


def softplus(values):
    return np.logaddexp(0, values)


@pytest.mark.parametrize("combine", ["concat", "sum"])
def test_losses_are_logistic_of_each_level_or_of_the_levels_sum(combine):
    game, batch = make_game(combine=combine), make_batch()
    judges = witnesses(game)
    wanted = game.generator_loss(batch)["adversarial"].item()
    told = game.discriminator_loss(batch)["adversarial"].item()
    per_call = [
        np.stack([judge.outputs[call].detach().numpy() for judge in judges]) for call in range(3)
    ]
    if combine == "sum":
        per_call = [scores.sum(0) for scores in per_call]
    fake, _, real = per_call
    assert wanted == pytest.approx(softplus(-fake).mean(), rel=1e-5)
    assert told == pytest.approx(softplus(-real).mean() + softplus(fake).mean(), rel=1e-5)


def test_with_one_level_both_combinations_are_the_same():
    terms = []
    for combine in ("concat", "sum"):
        game, batch = make_game(discriminators="clip", combine=combine), make_batch()
        terms.append([player.loss(batch) for player in game.players()])
    assert terms[0] == terms[1]


@pytest.mark.parametrize("discriminators", ["levels", "clip_and_frame"])
def test_r1_is_the_sum_over_clips_and_levels_of_squared_gradients(discriminators):
    game, batch = make_game(discriminators=discriminators, r1_weight=0.7), make_batch()
    judges = witnesses(game)
    moments = []
    draw = game.randomness.shared_index
    game.randomness.shared_index = lambda kinds: moments.append(draw(kinds)) or moments[-1]
    term = game.discriminator_loss(batch)["r1"].item()
    expected = 0.0
    for judge, witness in zip(game.discriminators, judges, strict=True):
        for clip in witness.inputs[-1].detach():
            clip = clip.unsqueeze(0).requires_grad_()
            score = judge(clip)
            if game.frame_discriminator is not None:
                score = score + game.frame_discriminator(clip[:, :, moments[-1]])
            (gradient,) = torch.autograd.grad(score, clip)
            expected += gradient.double().square().sum().item()
    assert term == pytest.approx(0.7 * expected, rel=1e-4)
    assert term > 0


def test_published_weight_of_the_sum_is_that_weight_times_the_clips_of_the_mean():
    terms = []
    for options in (
        {"r1_weight": 0.5, "r1_reduction": "sum"},
        {"r1_weight": 0.5 * 3, "r1_reduction": "mean"},
    ):
        game, batch = make_game(**options), make_batch(3)
        terms.append(game.discriminator_loss(batch)["r1"].item())
    assert terms[0] == pytest.approx(terms[1], rel=1e-6)


def test_r1_can_be_off():
    assert set(make_game(r1_weight=0.0).discriminator_loss(make_batch())) == {"adversarial"}


def gradients(game, batch, mixed=False):
    """Of every player's move from the same random numbers: terms, and norms by network."""
    game.randomness.turn_to(3)
    found = {}
    for player in game.players():
        game.zero_grad(set_to_none=True)
        with only_trainable(game, player.parameters()):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
                terms = player.loss(batch)
            torch.stack(list(terms.values())).sum().backward()
        moved = {
            name.split(".")[0]
            for name, weight in game.named_parameters()
            if weight.grad is not None and weight.grad.abs().sum() > 0
        }
        norms = [w.grad.norm() for w in player.parameters() if w.grad is not None]
        found[player.name] = (terms, moved, torch.stack(norms).norm())
    return found


@pytest.mark.parametrize("discriminators", ["levels", "clip_and_frame"])
@pytest.mark.parametrize("order", ["generator_first", "discriminator_first"])
def test_a_move_reaches_exactly_its_own_networks(order, discriminators):
    game = make_game(order=order, discriminators=discriminators)
    found = gradients(game, make_batch())
    judges = {"discriminators"}
    if discriminators == "clip_and_frame":
        judges.add("frame_discriminator")
    assert {name: moved for name, (_, moved, _) in found.items()} == {
        "generator": {"generator"},
        "discriminator": judges,
    }
    assert list(found) == (["generator", "discriminator"][:: 1 if order[0] == "g" else -1])


def test_projections_and_conditional_norms_learn():
    game, batch = make_game(num_classes=3), make_batch(2)
    for player in game.players():
        torch.stack(list(player.loss(batch).values())).sum().backward()
    tables = [judge.classes.weight.grad for judge in game.discriminators]
    tables += [level.render.norm.scale.weight.grad for level in game.generator.levels]
    for table in tables:
        assert table[:2].abs().sum(1).min() > 0
        assert not table[2].any()  # class 2 was not in the batch


def test_in_mixed_precision_losses_are_finite_and_r1_is_that_of_float32():
    exact = gradients(make_game(), make_batch())
    mixed = gradients(make_game(), make_batch(), mixed=True)
    assert torch.equal(exact["discriminator"][0]["r1"], mixed["discriminator"][0]["r1"])
    for name in exact:
        torch.testing.assert_close(mixed[name][2], exact[name][2], rtol=0.1, atol=0)
        assert not torch.equal(mixed[name][2], exact[name][2])


def test_running_moments_count_each_step_once():
    for order in ("generator_first", "discriminator_first"):
        game, batch = make_game(order=order), make_batch()
        for player in game.players():
            player.loss(batch)
        counts = [b for name, b in game.named_buffers() if name.endswith("num_batches_tracked")]
        assert {int(number) for number in counts} == {1}


def test_optimizers_can_differ():
    own = OptimizerSettings(learning_rate=3e-4)
    game = make_game(discriminator_optimizer=own)
    rates = {player.name: player.optimizer.learning_rate for player in game.players()}
    assert rates == {"generator": 1e-4, "discriminator": 3e-4}


def test_a_look_without_gradients_leaves_r1_out():
    with torch.no_grad():
        terms = make_game().discriminator_loss(make_batch())
    assert set(terms) == {"adversarial"}
