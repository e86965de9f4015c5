"""Trainings in processes of their own, to be killed.

They are forked from a server that has everything imported: a start takes a fraction of a second,
and the types are not checked in them, as in real life.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.tiny import tiny_batches, tiny_game
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit


def train(run: Path, game_options: dict[str, Any], settings: dict[str, Any]) -> None:
    """Trains a tiny game; leaves how it ended in `outcome.json`."""
    torch.set_num_threads(1)
    game = tiny_game(**game_options)
    outcome = fit(game, tiny_batches, TrainingSettings(accelerator="cpu", **settings), run)
    (run / "outcome.json").write_text(json.dumps(dataclasses.asdict(outcome)))


def start(target: Any, *arguments: Any) -> BaseProcess:
    """A child that runs the target."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # of no effect if somebody has started the server
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def kill_at(process: BaseProcess, run: Path, line: int, seconds: float, number: int) -> None:
    """Sends a signal so long after the log has so many lines."""
    log, deadline = run / "log.jsonl", time.monotonic() + 120
    while not log.exists() or log.read_text().count("\n") < line:
        assert process.is_alive(), "it ended before it could be killed"
        assert time.monotonic() < deadline, "it made no steps"
        time.sleep(0.005)
    time.sleep(seconds)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(120)


def kill_twice_then_finish(
    run: Path, game_options: dict[str, Any], settings: dict[str, Any], seed: int
) -> None:
    """Trains with two SIGKILLs at moments that the seed chooses."""
    chance = random.Random(seed)
    for line in sorted(chance.sample(range(3, settings["steps"] - 4), 2)):
        process = start(train, run, game_options, settings)
        kill_at(process, run, line, chance.uniform(0, 0.06), signal.SIGKILL)
        assert process.exitcode == -signal.SIGKILL
    process = start(train, run, game_options, settings)
    process.join(120)
    assert process.exitcode == 0


def curve(run: Path) -> list[dict[str, float]]:
    """The lines of the log, without what the clock says."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    for line in lines:
        assert line.pop("seconds") > 0
    return lines


def tensors(run: Path) -> Iterator[tuple[str, Tensor]]:
    """Everything that the newest checkpoint of a run holds."""
    from safetensors.torch import load_file

    from vidgen.adversarial.checkpoints import find_checkpoint, load_state

    folder = find_checkpoint(run)
    yield from load_file(folder / "model.safetensors").items()
    yield from _leaves("state", load_state(folder))


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}", item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(f"{name}.{index}", item)
    else:
        assert value is None or isinstance(value, int | float | str), name
        yield name, torch.tensor(hash(value))
