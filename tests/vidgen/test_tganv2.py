"""The game: its networks, and what the judges see."""

import pytest
import torch

from tests.vidgen.tganv2_tiny import Witness, make_batch, make_game, witnesses
from vidgen import TGANv2
from vidgen.adversarial.described import build
from vidgen.adversarial.game import Batch
from vidgen.adversarial.latents import StepRandomness
from vidgen.errors import UserError


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


@pytest.mark.parametrize(
    ("trajectory", "expected"),
    [
        ("ode1", 21_969_100),
        ("ode2", 21_969_100 + 2_368_512),
        ("ode3", 21_969_100 + 2 * 2_368_512),
        ("sde", 21_969_100 + 9_438_208),
    ],
)
def test_equations_in_the_convlstms_place_have_the_articles_parameters(trajectory, expected):
    assert count(full_size(trajectory=trajectory).generator) == expected


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
