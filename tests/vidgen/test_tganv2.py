"""The game: what the judges see, what each player wants and may change."""

import numpy as np
import pytest
import torch

from vidgen import OptimizerSettings, TGANv2
from vidgen.adversarial.described import build
from vidgen.adversarial.game import Batch, only_trainable
from vidgen.adversarial.latents import StepRandomness
from vidgen.errors import UserError

TINY = {"num_frames": 8, "frame_size": 64, "widths": (4,) * 7, "discriminator_width": 2}


def make_game(**options):
    torch.manual_seed(0)
    return TGANv2(**(TINY | options))


def make_batch(count=3, classes=3):
    generator = torch.Generator().manual_seed(1)
    real = torch.rand(count, 3, 8, 64, 64, generator=generator) * 2 - 1
    return Batch(real, torch.arange(count) % classes)


def softplus(values):
    return np.logaddexp(0, values)


class Witness:
    """Remembers what a module was given and gave, call by call."""

    def __init__(self, module):
        self.inputs, self.outputs = [], []
        module.register_forward_hook(self._see)

    def _see(self, module, given, output):
        self.inputs.append(given[0])
        self.outputs.append(output)


def witnesses(game):
    return [Witness(judge) for judge in game.discriminators]


def count(*modules):
    return sum(weight.numel() for module in modules for weight in module.parameters())


def full_size(**options):
    with torch.device("meta"):
        return TGANv2(**options)


# Networks.


def test_it_has_the_articles_parameters():
    game = full_size()
    assert count(game.generator) == 88_032_460
    assert [count(judge) for judge in game.discriminators] == [29_019_265] * 4
    assert count(game) == 204_109_520
    assert count(full_size(frame_size=256).generator) == 89_874_636


def test_conditional_game_has_the_articles_parameters():
    game = full_size(num_classes=101)
    assert count(game.generator) == 89_622_476
    assert count(game.discriminators) == 116_490_756


def test_baselines_have_the_articles_parameters():
    single, double = full_size(discriminators="clip"), full_size(discriminators="clip_and_frame")
    assert count(single.generator) == count(double.generator) == 88_025_955
    assert count(single.discriminators) == count(double.discriminators) == 29_019_265
    assert single.frame_discriminator is None
    assert count(double.frame_discriminator) == 10_141_441


def test_the_learning_rate_falls_to_nothing_in_a_line():
    optimizer = full_size().optimizer
    rates = [optimizer.learning_rate_at(k + 1, 100_000) for k in (0, 25_000, 99_999)]
    assert rates == pytest.approx([1e-4, 0.75e-4, 1e-9])
    assert (optimizer.betas, optimizer.epsilon) == ((0.0, 0.9), 8e-8)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"frame_size": 96}, "multiple of 64"),
        ({"frame_size": 0}, "multiple of 64"),
        ({"widths": (4, 4)}, "give 7"),
        ({"rates": (2, 2)}, "give 3"),
        ({"rates": (3, 1, 1)}, "every 3. of 8 frames"),
        ({"forget_bias": 1.0, "trajectory": "ode1"}, "forget_bias is the ConvLSTM's"),
    ],
)
def test_what_does_not_fit_together_is_refused(options, reason):
    with pytest.raises(ValueError, match=reason):
        make_game(**options)


def test_a_checkpoints_description_builds_the_same_game():
    game = make_game(rates=[4, 2, 1], num_classes=2, r1_weight=4.0, r1_reduction="mean")
    again = build(game.describe())
    assert again.describe() == game.describe()
    assert again.subsampling == game.subsampling
    again.load_state_dict(game.state_dict())


def test_forget_gates_start_where_told_and_judges_show_spreads_only_if_told():
    plain, kept = make_game(), make_game(forget_bias=2.5, batch_spread=True)
    for game, bias, spread in ((plain, 0.0, 0), (kept, 2.5, 1)):
        assert (
            game.generator.trajectory.from_input.bias.tolist() == [0.0] * 4 + [bias] * 4 + [0.0] * 8
        )
        assert [len(judge.state_dict()) for judge in game.discriminators] == [32] * 4
        last = [dict(judge.named_modules()) for judge in game.discriminators]
        assert all(("blocks.3.1" in names) == bool(spread) for names in last)


# What the judges see.


@pytest.mark.parametrize("order", ["generator_first", "discriminator_first"])
def test_each_judge_sees_its_level_of_fakes_and_of_reals(order):
    game, batch = make_game(order=order), make_batch()
    judges = witnesses(game)
    for player in game.players():
        player.loss(batch)
    for level, judge in enumerate(judges):
        shape = (3, 3, 8 // 2**level, 8 * 2**level, 8 * 2**level)
        assert [tuple(clip.shape) for clip in judge.inputs] == [shape] * 3
        if order == "generator_first":
            wanted, told, real = judge.inputs
            assert torch.equal(wanted, told)
            assert not told.requires_grad
        else:
            told, real, wanted = judge.inputs
            assert not torch.equal(wanted, told)
        squares = real.mean((3, 4))[:, :, :1]  # of each clip's first kept frame
        every = batch.real.mean((3, 4))
        gaps = (every - squares).abs().amax(1).amin(1)
        assert gaps.max() < 1e-6
    assert not batch.made.get("fake_0", None)


def test_real_clips_draw_their_own_offsets_and_every_frame_is_met():
    game = make_game(discriminators="clip")
    game.frames = torch.arange(8.0).view(1, 1, 8, 1, 1).expand(64, 3, 8, 64, 64)
    game.randomness.turn_to(1)
    (levels,) = game._real_levels(Batch(game.frames, torch.zeros(64, dtype=torch.long)))
    met = levels[:, 0, 0, 0, 0]
    assert levels.shape[2] == 1
    assert set(met.tolist()) == set(range(8))


@pytest.mark.parametrize("subsampling", ["pick", "average"])
def test_fakes_and_reals_have_equal_shapes_at_every_level(subsampling):
    game, batch = make_game(subsampling=subsampling, rates=(4, 2, 1)), make_batch()
    fakes, reals = game._fakes(3, None), game._real_levels(batch)
    assert [tuple(clip.shape[1:3]) for clip in reals] == [(3, 8), (3, 2), (3, 1), (3, 1)]
    assert [clip.shape for clip in fakes] == [clip.shape for clip in reals]
    is_mean = torch.allclose(reals[3], batch.real.mean(2, keepdim=True), atol=1e-6)
    assert is_mean == (subsampling == "average")


def test_fakes_of_a_batch_share_their_offsets_and_draw_new_ones_each_time():
    game, drawn = make_game(), []
    game.generator.forward = lambda latent, frames, labels, kept, paths: drawn.append(kept) or []
    for step in range(40):
        game.randomness.turn_to(step)
        game._fakes(2, None)
    starts = {tuple(layer.start for layer in kept) for kept in drawn}
    assert len(starts) == 8
    assert {tuple(layer.step for layer in kept) for kept in drawn} == {(2, 2, 2)}


def test_all_processes_keep_the_same_frames_of_fakes():
    draws = []
    for rank in range(2):
        game = make_game(rates=(4, 2, 1))
        game.generator.forward = lambda *given: draws.append(given[3]) or []
        game.randomness = StepRandomness(5, rank, 2)
        game.randomness.turn_to(7)
        game._fakes(2, None)
    assert draws[0] == draws[1]


def test_the_frame_judge_sees_one_moment_of_all_clips():
    game, batch = make_game(discriminators="clip_and_frame", rates=(1, 1, 1)), make_batch()
    clips, frames = Witness(game.discriminators[0]), Witness(game.frame_discriminator)
    moments = set()
    for step in range(12):
        game.randomness.turn_to(step)
        game.generator_loss(batch)
        clip, frame = clips.inputs[-1], frames.inputs[-1]
        same = [torch.equal(frame, clip[:, :, moment]) for moment in range(8)]
        moments.add(same.index(True))
    assert len(moments) > 3
    scores = game._scores([batch.real], None)[0]
    torch.testing.assert_close(scores, clips.outputs[-1] + frames.outputs[-1])


def test_the_label_reaches_every_judge_of_reals_and_fakes():
    game, batch = make_game(num_classes=3), make_batch()
    labels = []
    for judge in game.discriminators:
        judge.register_forward_pre_hook(lambda module, given: labels.append(given[1].tolist()))
    for player in game.players():
        player.loss(batch)
    assert labels == [[0, 1, 2]] * 12
    assert game.label_counts.tolist() == [1, 1, 1]


def test_data_without_labels_is_refused_by_the_conditional_game():
    batch = make_batch()
    batch.labels.fill_(-1)
    with pytest.raises(UserError, match="no labels"):
        make_game(num_classes=3).generator_loss(batch)


# What each player wants, against numpy.


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
