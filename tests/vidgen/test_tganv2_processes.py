"""R1 in two processes: what one does on the joined batch, by the mean or by the converted sum."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch

from tests.vidgen import tganv2_processes
from tests.vidgen.adversarial.children import start
from vidgen.adversarial.training import fit


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left of all games."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes = [start(tganv2_processes.train_all, folder, rank, port) for rank in (0, 1)]
    for process in processes:
        process.join(240)
        assert process.exitcode == 0
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """One process on whole batches, with the mean."""
    game = tganv2_processes.make_game(tganv2_processes.PENALTIES["mean"])
    run = tmp_path_factory.mktemp("one")
    fit(game, tganv2_processes.rows_of(0, 1), tganv2_processes.SETTINGS, run)
    return game.state_dict()


@pytest.mark.parametrize("name", tganv2_processes.PENALTIES)
def test_two_processes_with_r1_equal_one_on_the_joined_batch(trained: Path, alone, name: str):
    ours = torch.load(trained / f"{name}.pt", weights_only=True)
    start = tganv2_processes.make_game({}).state_dict()
    for key, value in alone.items():
        if key != "label_counts":  # process 0 counts its own rows
            torch.testing.assert_close(ours[key], value, atol=1e-5, rtol=0)
    for part in ("generator", "discriminators"):
        moved = [(alone[key] - start[key]).abs().max() for key in start if key.startswith(part)]
        assert max(moved) > 1e-3, part


def test_without_the_conversion_the_penalty_would_not_be_the_same(alone, tmp_path: Path):
    game = tganv2_processes.make_game(tganv2_processes.PENALTIES["sum"])
    fit(game, tganv2_processes.rows_of(0, 1), tganv2_processes.SETTINGS, tmp_path)
    gaps = [(value - alone[key]).abs().max() for key, value in game.state_dict().items()]
    assert max(gaps) > 1e-4
