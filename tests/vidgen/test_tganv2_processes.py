"""R1 in two processes: what one does on the joined batch, by the mean or by the converted sum."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch

from tests.vidgen import tganv2_processes
from tests.vidgen.adversarial.children import start
from tests.vidgen.tganv2_processes import PRECISIONS
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
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, torch.Tensor]]:
    """One process on whole batches, with the mean, in every precision."""
    weights = {}
    for precision in PRECISIONS:
        game = tganv2_processes.make_game(tganv2_processes.PENALTIES["mean"])
        run = tmp_path_factory.mktemp("one")
        fit(game, tganv2_processes.rows_of(0, 1), tganv2_processes.settings_in(precision), run)
        weights[precision] = game.state_dict()
    return weights


def gaps(ours: dict[str, torch.Tensor], other: dict[str, torch.Tensor], part: str) -> torch.Tensor:
    """Largest difference of each tensor of a part of the game."""
    return torch.stack([(ours[k] - other[k]).abs().max() for k in ours if k.startswith(part)])


@pytest.mark.parametrize("name", tganv2_processes.PENALTIES)
def test_two_processes_with_r1_equal_one_on_the_joined_batch(trained: Path, alone, name: str):
    ours, start = weights_of(trained, "32-true", name), tganv2_processes.make_game({}).state_dict()
    for part in ("generator", "discriminators"):
        assert gaps(ours, alone["32-true"], part).max() < 1e-5, part
        assert gaps(ours, start, part).max() > 1e-3, part


def test_in_mixed_precision_they_are_equal_within_its_rounding(trained: Path, alone):
    """Another number of clips a process rounds otherwise; the converted sum does not."""
    mean, total = (weights_of(trained, "bf16-mixed", name) for name in ("mean", "sum"))
    start = tganv2_processes.make_game({}).state_dict()
    for part in ("generator", "discriminators"):
        moved = gaps(alone["bf16-mixed"], start, part).norm()
        assert gaps(mean, total, part).max() < 1e-5, part
        assert gaps(mean, alone["bf16-mixed"], part).norm() < 0.25 * moved, part
        assert gaps(mean, alone["32-true"], part).norm() < 0.25 * moved, part
        assert gaps(mean, weights_of(trained, "32-true", "mean"), part).max() > 1e-5, part


def test_without_the_conversion_the_penalty_would_not_be_the_same(alone, tmp_path: Path):
    game = tganv2_processes.make_game(tganv2_processes.PENALTIES["sum"])
    fit(game, tganv2_processes.rows_of(0, 1), tganv2_processes.settings_in("32-true"), tmp_path)
    assert gaps(game.state_dict(), alone["32-true"], "discriminators").max() > 1e-4


def weights_of(folder: Path, precision: str, name: str) -> dict[str, torch.Tensor]:
    """What the first of two processes left."""
    return torch.load(folder / f"{precision} {name}.pt", weights_only=True)
