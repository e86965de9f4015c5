"""A run that was stopped, however, goes on as if it had not been: bit for bit."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny import tiny_batches, tiny_game
from tests.vidgen.adversarial.children import (
    curve,
    kill_at,
    kill_twice_then_finish,
    start,
    tensors,
    train,
)
from vidgen import OptimizerSettings
from vidgen.adversarial.checkpoints import find_checkpoint
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import Outcome, fit

GAMES: dict[str, dict[str, Any]] = {
    "the article's": {},
    "conditional, code order": {"num_classes": 2, "order": "generator_first"},
    "spectral, adam": {
        "constraint": "spectral",
        "loss": "hinge",
        "optimizer": OptimizerSettings(schedule="linear"),
    },
    "noise, two moves": {
        "noise": 0.2,
        "constraint": "weights",
        "loss": "non_saturating",
        "critic_moves": 2,
    },
}


def play(run: Path, steps: int, game: dict[str, Any], stop_at: int = 0, **options: Any) -> Outcome:
    """Trains for `steps`; with `stop_at`, leaves an earlier sitting of the same run at that step.

    The settings of that sitting are those of the whole, as with a kill.
    """

    class Stopped(BaseException):
        pass

    def batches(first: int) -> Any:
        for number, batch in enumerate(tiny_batches(first), first):
            if stop_at and number == stop_at * game.get("critic_moves", 1):
                raise Stopped
            yield batch

    settings = {"log_every": 1, "save_every": 4, "batch_size": 4, "accelerator": "cpu", **options}
    try:
        return fit(tiny_game(**game), batches, TrainingSettings(steps=steps, **settings), run)
    except Stopped:
        return Outcome(stop_at, "stopped")


def assert_same_run(run: Path, other: Path) -> None:
    assert curve(run) == curve(other)
    ours, theirs = dict(tensors(run)), dict(tensors(other))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("name", GAMES)
def test_k_and_k_steps_equal_2k_steps(tmp_path: Path, name: str, average: float | None):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    play(whole, 12, GAMES[name], average=average)
    play(parts, 12, GAMES[name], stop_at=6, average=average)
    assert find_checkpoint(parts).name == "step-000000004"
    assert [line["step"] for line in curve(parts)] == [1, 2, 3, 4, 5, 6]
    play(parts, 12, GAMES[name], average=average)
    assert [line["step"] for line in curve(parts)] == list(range(1, 13))
    assert_same_run(parts, whole)


def test_a_longer_run_begins_as_the_shorter_one(tmp_path: Path):
    play(tmp_path / "parts", 5, {})
    play(tmp_path / "parts", 9, {})
    play(tmp_path / "whole", 9, {})
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_another_seed_is_another_run(tmp_path: Path):
    play(tmp_path / "one", 2, {})
    play(tmp_path / "two", 2, {}, seed=1)
    assert curve(tmp_path / "one") != curve(tmp_path / "two")


@pytest.mark.parametrize("trial", [1, 2])
def test_killed_twice_at_random_moments_equals_an_undisturbed_run(tmp_path: Path, trial: int):
    game = {"num_classes": 2} if trial == 1 else GAMES["spectral, adam"]
    settings = {"steps": 24, "batch_size": 4, "log_every": 1, "save_every": 3, "average": 0.9}
    kill_twice_then_finish(tmp_path / "killed", game, settings, seed=trial)
    play(tmp_path / "whole", 24, game, save_every=3, average=0.9)
    assert [line["step"] for line in curve(tmp_path / "killed")] == list(range(1, 25))
    assert_same_run(tmp_path / "killed", tmp_path / "whole")
    assert not list((tmp_path / "killed" / "checkpoints").glob(".step-*"))


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(3, 28))
def test_killed_fifty_times_and_never_another_curve(tmp_path: Path, trial: int):
    settings = {"steps": 24, "batch_size": 4, "log_every": 1, "save_every": 2, "average": 0.9}
    kill_twice_then_finish(tmp_path / "killed", {}, settings, seed=trial)
    play(tmp_path / "whole", 24, {}, save_every=2, average=0.9)
    assert_same_run(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_stop_signal_saves_the_step_and_ends_the_run(tmp_path: Path, name: str):
    run = tmp_path / "run"
    settings = {"steps": 100_000, "batch_size": 4, "log_every": 1, "save_every": 100_000}
    process = start(train, run, {}, settings)
    kill_at(process, run, 3, 0.02, signal.Signals[name])
    assert process.exitcode == 0
    outcome = json.loads((run / "outcome.json").read_text())
    assert outcome["signal"] == name
    assert 3 <= outcome["step"] < 1000
    assert find_checkpoint(run).name == f"step-{outcome['step']:09d}"
    steps = outcome["step"] + 2
    play(run, steps, {}, save_every=100_000)
    play(tmp_path / "whole", steps, {}, save_every=100_000)
    assert_same_run(run, tmp_path / "whole")


def test_a_damaged_newest_checkpoint_is_told_and_the_one_before_taken(tmp_path: Path, capsys):
    run = tmp_path / "run"
    play(run, 8, {})
    weights = run / "checkpoints" / "step-000000008" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    capsys.readouterr()
    play(run, 12, {})
    said = capsys.readouterr().out
    assert f"passed over: {weights} is damaged" in said
    assert "resumed from step 4" in said
    play(tmp_path / "whole", 12, {})
    assert_same_run(run, tmp_path / "whole")


def test_what_use_needs_is_the_average_and_what_training_needs_the_raw_weights(tmp_path: Path):
    play(tmp_path / "averaged", 6, {}, average=0.5)
    play(tmp_path / "plain", 6, {})
    averaged, plain = dict(tensors(tmp_path / "averaged")), dict(tensors(tmp_path / "plain"))
    weights = [name for name, _ in tiny_game().named_parameters()]
    generating = [name for name in weights if name.startswith("generator.")]
    for name in generating:
        assert torch.equal(averaged[f"state.raw.{name}"], plain[name]), name
    assert not any(torch.equal(averaged[name], plain[name]) for name in generating if "0.w" in name)
    for name in set(weights) - set(generating):
        assert torch.equal(averaged[name], plain[name]), name
    assert not any(name.startswith("state.raw.critic") for name in averaged)
    assert curve(tmp_path / "averaged") == curve(tmp_path / "plain")
