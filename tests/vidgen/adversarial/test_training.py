"""The loop, on a game of two scalars whose every step can be worked out by hand."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from tests.tiny import tiny_batches
from tests.vidgen.adversarial.tug_of_war import POISON, Rows, TugOfWar
from vidgen.adversarial import checkpoints
from vidgen.adversarial.checkpoints import load_state, newest_whole_checkpoint
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import Outcome, fit
from vidgen.errors import UserError

ADAM = OptimizerSettings(rule="adam", learning_rate=0.25)


def play(game: Any, real: Any, run: Path, steps: int = 1, **settings: Any) -> Outcome:
    settings = {"batch_size": 2, "log_every": 1, "accelerator": "cpu", **settings}
    return fit(game, real, TrainingSettings(steps=steps, **settings), run)


def log_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def saved_steps(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").glob("*step*"))


def test_the_terms_of_a_loss_are_summed_and_the_players_move_in_turn(tmp_path):
    game = TugOfWar(pull=0.5)
    assert play(game, Rows([2, 4]), tmp_path) == Outcome(1)
    follower = 1 - 0.25 * ((1 - 3) + 0.5 * 1)
    assert game.weights() == (follower, -2 - 0.25 * follower)
    assert game.follower.weight.grad == -1.5, "the leader's move touched the follower"
    (line,) = log_of(tmp_path)
    assert line.pop("seconds") > 0
    assert line == {
        "step": 1,
        "follower/distance": (1 + 9) / 4,
        "follower/size": 0.25,
        "leader/product": -2 * follower,
        "examples": 2,
    }


def test_lines_of_the_log_come_at_every_nth_step_and_at_the_last(tmp_path):
    play(TugOfWar(), Rows([2, 4]), tmp_path, steps=8, log_every=3)
    assert [(line["step"], line["examples"]) for line in log_of(tmp_path)] == [
        (3, 6),
        (6, 12),
        (8, 16),
    ]


def test_a_player_that_may_not_move_still_gives_its_loss(tmp_path):
    game, recording = TugOfWar(), []
    game.leader_may_move = lambda: False
    game.leader.register_forward_hook(lambda *_: recording.append(torch.is_grad_enabled()))
    play(game, Rows([3, 3]), tmp_path, steps=2)
    assert recording == [False, False], "a graph was made for nothing"
    follower = [1 + 0.25 * 2, 1.5 + 0.25 * 1.5]
    assert game.weights() == (follower[1], -2.0)
    assert [line["leader/product"] for line in log_of(tmp_path)] == [
        -2 * follower[0],
        -2 * follower[1],
    ]


def test_after_each_move_the_player_is_told_the_step(tmp_path):
    game, told = TugOfWar(moves=2), []
    game.after_follower = lambda step: told.append((step, *game.weights()))
    play(game, Rows([3]), tmp_path, steps=2)
    follower = 1.0
    leader = -2.0
    expected = []
    for step in (1, 2):
        for _ in range(2):
            follower += 0.25 * (3 - follower)
            expected.append((step, follower, leader))
        leader -= 0.25 * follower
    assert told == [pytest.approx(line) for line in expected]


def test_each_of_a_players_moves_has_a_real_batch_of_its_own(tmp_path):
    game, real = TugOfWar(moves=3), Rows([1, 1], [5, 7], [0, 2], [4, 4])
    play(game, real, tmp_path, steps=2)
    assert real.given == [0, 1, 2, 3, 4, 5]
    follower, leader = 1.0, -2.0
    for means in ([1, 6, 1], [4, 1, 6]):
        for mean in means:
            follower -= 0.25 * (follower - mean)
        leader -= 0.25 * follower
    assert game.weights() == pytest.approx((follower, leader))
    assert log_of(tmp_path)[-1]["examples"] == 2 * 3 * 2
    resumed = Rows([1, 1], [5, 7], [0, 2], [4, 4])
    play(TugOfWar(moves=3), resumed, tmp_path, steps=3)
    assert resumed.given == [6, 7, 8]


def test_a_linear_schedule_falls_to_nothing_over_the_run(tmp_path):
    descent = OptimizerSettings(rule="sgd", learning_rate=0.25, schedule="linear")
    game = TugOfWar(optimizer=descent)  # the follower rests at 1, so each step shows its rate
    play(game, Rows([1]), tmp_path, steps=4)
    rates = [0.25, 0.1875, 0.125, 0.0625]
    leader = [line["leader/product"] for line in log_of(tmp_path)] + [game.weights()[1]]
    assert [before - after for before, after in pairwise(leader)] == rates


def test_gradients_are_scaled_to_the_largest_norm_and_smaller_ones_left(tmp_path):
    game = TugOfWar()
    play(game, Rows([3]), tmp_path, clip_gradients=0.5)
    assert game.weights() == pytest.approx((1 + 0.25 * 0.5, -2 - 0.25 * 0.5), abs=1e-5)
    game = TugOfWar()
    play(game, Rows([3]), tmp_path / "loose", clip_gradients=2.5)
    assert game.weights() == pytest.approx((1.5, -2 - 0.25 * 1.5))


def test_two_accumulated_parts_equal_one_batch(tmp_path):
    games = {}
    for parts in (1, 2, 4):
        games[parts] = game = TugOfWar(pull=0.5)
        run, real = tmp_path / str(parts), Rows([2, 4, 9, 1], [0, 7, 7, 3])
        play(game, real, run, steps=5, batch_size=4, accumulate=parts)
    for parts in (2, 4):
        assert games[parts].weights() == pytest.approx(games[1].weights(), rel=1e-6)
        for line, whole in zip(log_of(tmp_path / str(parts)), log_of(tmp_path / "1"), strict=True):
            for name in ("follower/distance", "follower/size", "leader/product", "examples"):
                assert line[name] == pytest.approx(whole[name], rel=1e-5), name


def test_gradients_that_are_not_finite_touch_neither_weights_nor_optimizer(tmp_path):
    clean, struck = TugOfWar(optimizer=ADAM), TugOfWar(optimizer=ADAM)
    play(clean, Rows([3]), tmp_path / "clean", steps=1)
    play(struck, Rows([3], [POISON]), tmp_path / "struck", steps=2)
    assert struck.weights()[0] == clean.weights()[0]
    assert struck.weights()[1] != clean.weights()[1]  # the leader's turn was in order
    assert struck.met == clean.met == 3.0
    states = [
        load_state(tmp_path / run / "checkpoints" / step)["players"]["follower"]["state"][0]
        for run, step in [("clean", "step-000000001"), ("struck", "step-000000002")]
    ]
    assert states[0].keys() == states[1].keys() == {"step", "exp_avg", "exp_avg_sq"}
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def test_a_run_gives_up_after_so_many_bad_moves_in_a_row_of_one_player(tmp_path):
    game, real = TugOfWar(), Rows([POISON])
    with pytest.raises(UserError, match="gradients of the follower were not finite 4 times"):
        play(game, real, tmp_path, steps=50, max_bad_steps=3, save_every=2)
    assert len(real.given) == 4
    assert saved_steps(tmp_path) == ["step-000000002"]
    assert game.weights()[0] == 1.0


def test_bad_moves_now_and_then_are_survived(tmp_path):
    game = TugOfWar()
    play(game, Rows([3], [POISON], [POISON]), tmp_path, steps=30, max_bad_steps=2)
    assert game.weights()[0] == pytest.approx(3 - 2 * 0.75**10)


def test_examples_of_another_shape_than_the_games_are_refused(tmp_path, tiny_game):
    with pytest.raises(UserError, match=r"shape \(1,\), but the game wants \(3, 4, 16, 16\)"):
        play(tiny_game, Rows([1, 2]), tmp_path)


def test_the_same_call_at_the_end_of_a_run_changes_nothing(tmp_path):
    play(TugOfWar(), Rows([3]), tmp_path, steps=3)
    game, log = TugOfWar(), (tmp_path / "log.jsonl").read_text()
    assert play(game, Rows([3]), tmp_path, steps=3) == Outcome(3)
    assert game.weights()[0] == pytest.approx(3 - 2 * 0.75**3)
    assert (tmp_path / "log.jsonl").read_text() == log
    assert saved_steps(tmp_path) == ["step-000000003"]


def test_the_newest_checkpoints_are_kept(tmp_path):
    play(TugOfWar(), Rows([3]), tmp_path, steps=11, save_every=2, keep=3)
    assert saved_steps(tmp_path) == [f"step-{step:09d}" for step in (8, 10, 11)]
    assert (tmp_path / "checkpoints" / "latest").read_text() == "step-000000011\n"


def test_what_a_pointer_names_is_kept_too(tmp_path):
    play(TugOfWar(), Rows([3]), tmp_path, steps=2, save_every=2, keep=1)
    (tmp_path / "checkpoints" / "best-fvd").write_text("step-000000002\n")
    play(TugOfWar(), Rows([3]), tmp_path, steps=8, save_every=2, keep=1)
    assert saved_steps(tmp_path) == ["step-000000002", "step-000000008"]


@pytest.mark.parametrize(
    "error", [SafetensorError("No space left"), OSError(28, "No space left"), RuntimeError("full")]
)
def test_a_save_that_fails_leaves_the_old_checkpoint_and_is_told_at_the_end(
    tmp_path, monkeypatch, capsys, error
):
    play(TugOfWar(), Rows([3]), tmp_path, steps=2)

    def no_space(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(checkpoints, "save_file", no_space)
    game = TugOfWar()
    with pytest.raises(UserError, match="the checkpoint of step 6 was not saved"):
        play(game, Rows([3]), tmp_path, steps=6, save_every=2)
    assert game.weights()[0] == pytest.approx(3 - 2 * 0.75**6), "the training went on"
    assert capsys.readouterr().out.count("the training goes on and will try again") == 2
    assert saved_steps(tmp_path) == ["step-000000002"]
    monkeypatch.undo()
    assert newest_whole_checkpoint(tmp_path) == (
        tmp_path / "checkpoints" / "step-000000002",
        [],
    )
    assert play(TugOfWar(), Rows([3]), tmp_path, steps=6, save_every=2) == Outcome(6)


def test_a_save_that_failed_once_is_forgotten_when_the_next_works(tmp_path, monkeypatch):
    save_file, calls = checkpoints.save_file, []

    def sometimes(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(28, "No space left on device")
        save_file(*arguments)

    monkeypatch.setattr(checkpoints, "save_file", sometimes)
    assert play(TugOfWar(), Rows([3]), tmp_path, steps=4, save_every=2) == Outcome(4)
    assert saved_steps(tmp_path) == ["step-000000004"]


def test_changed_optimizer_settings_hold_after_a_resume(tmp_path):
    for run in ("kept", "changed"):
        play(TugOfWar(optimizer=ADAM), Rows([3]), tmp_path / run, steps=2)
    other = OptimizerSettings(rule="adam", learning_rate=0.25, betas=(0.9, 0.99))
    games = {"kept": TugOfWar(optimizer=ADAM), "changed": TugOfWar(optimizer=other)}
    for run, game in games.items():
        play(game, Rows([3]), tmp_path / run, steps=3)
    moment, gradient = {}, {}
    for run in games:
        folders = [tmp_path / run / "checkpoints" / f"step-00000000{step}" for step in (2, 3)]
        before, after = (load_state(f)["players"]["follower"]["state"][0] for f in folders)
        moment[run] = (before["exp_avg"].item(), after["exp_avg"].item())
        follower = 3 + (-1) * (2 * log_of(tmp_path / run)[-1]["follower/distance"]) ** 0.5
        gradient[run] = follower - 3
    for run, beta in [("kept", 0.5), ("changed", 0.9)]:
        before, after = moment[run]
        assert after == pytest.approx(beta * before + (1 - beta) * gradient[run], rel=1e-4), run


def test_samples_are_shown_with_the_average_in_place_and_change_nothing(tmp_path):
    shown: list[tuple[int, float]] = []
    game, unseen = TugOfWar(), TugOfWar()
    settings = {"steps": 5, "sample_every": 2, "average": 0.5, "log_every": 1}
    settings = TrainingSettings(**settings, accelerator="cpu")
    leaders = [-2.0]

    def show(game: Any, step: int) -> None:
        shown.append((step, game.leader.weight.item()))

    fit(game, Rows([3]), settings, tmp_path / "shown", show_samples=show)
    fit(unseen, Rows([3]), settings, tmp_path / "unseen")
    assert game.weights() == unseen.weights()
    follower, average, expected = 1.0, -2.0, []
    for step in range(1, 6):
        follower += 0.25 * (3 - follower)
        leaders.append(leaders[-1] - 0.25 * follower)
        decay = min(0.5, step / (step + 10))
        average = decay * average + (1 - decay) * leaders[-1]
        if step % 2 == 0:
            expected.append((step, pytest.approx(average)))
    assert shown == expected


def test_bf16_reaches_the_networks_in_one_process_and_leaves_weights_and_scores_whole(
    tmp_path, make_tiny_game
):
    game, seen = make_tiny_game(constraint="spectral", loss="hinge"), {}
    for name, module in [
        ("critic", game.critic.layers[0]),
        ("score", game.critic),
        ("image", game.generator.image.layers[0]),
    ]:
        module.register_forward_hook(
            lambda module, inputs, output, name=name: seen.update({name: output.dtype})
        )
    play(game, tiny_batches, tmp_path, precision="bf16-mixed", batch_size=4)
    assert seen == {
        "critic": torch.bfloat16,
        "image": torch.bfloat16,
        "score": torch.float32,
    }
    assert all(weight.dtype == torch.float32 for weight in game.parameters())
    assert all(weight.isfinite().all() for weight in game.parameters())


def test_every_step_has_latents_of_its_own_fixed_by_the_seed(tmp_path, make_tiny_game):
    drawn: dict[str, list[torch.Tensor]] = {}
    for run, seed in [("one", 3), ("again", 3), ("other", 4)]:
        game, drawn[run] = make_tiny_game(), []
        game.generator.register_forward_pre_hook(
            lambda module, inputs, run=run: drawn[run].append(inputs[0])
        )
        play(game, tiny_batches, tmp_path / run, steps=2, seed=seed, batch_size=4)
        assert len(drawn[run]) == 4  # the critic's and the generator's, twice
    for one, again in zip(drawn["one"], drawn["again"], strict=True):
        assert torch.equal(one, again)
    every = [latents.flatten().tolist() for latents in drawn["one"] + drawn["other"]]
    assert len({tuple(latents) for latents in every}) == 8


def test_channels_last_changes_the_layout_not_the_numbers(tmp_path, make_tiny_game):
    for layout in (False, True):
        game = make_tiny_game()
        play(game, tiny_batches, tmp_path / str(layout), 3, channels_last=layout, batch_size=4)
        weight = game.critic.layers[0].weight
        assert weight.is_contiguous(memory_format=torch.channels_last_3d) == layout
    for line, plain in zip(log_of(tmp_path / "True"), log_of(tmp_path / "False"), strict=True):
        for name in ("critic/adversarial", "generator/adversarial"):
            assert line[name] == pytest.approx(plain[name], abs=1e-3), name
    loaded = checkpoints.load_game(tmp_path / "True").game.state_dict()
    for name, value in game.state_dict().items():
        assert torch.equal(value, loaded[name]), name
