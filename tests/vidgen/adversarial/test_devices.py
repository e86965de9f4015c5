"""Two processes under torchrun do what one does on the joined batch, and end together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.vidgen.adversarial import two_processes
from tests.vidgen.adversarial.children import start
from vidgen.adversarial.checkpoints import find_checkpoint, load_game
from vidgen.adversarial.devices import make_fabric
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the two processes left of all the games; one launch for all tests, it takes long."""
    folder = tmp_path_factory.mktemp("two")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    finished = subprocess.run(
        [sys.executable, *launcher, two_processes.__file__, str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return folder


@pytest.mark.parametrize("name", ["spectral", "conditional", "accumulated"])
def test_two_processes_equal_one_on_the_joined_batch(trained: Path, tmp_path: Path, name: str):
    game = two_processes.game_named(name)
    before = {key: value.clone() for key, value in game.state_dict().items()}
    fit(game, two_processes.rows_of(0, 1), two_processes.settings_of(name), tmp_path)
    ours = torch.load(trained / f"{name}-0.pt", weights_only=True)
    moved = 0.0
    for key, value in game.state_dict().items():
        if key == "label_counts":  # process 0 counts its own rows: the same frequencies
            continue
        torch.testing.assert_close(ours[key], value, atol=1e-5, rtol=0)
        if value.is_floating_point():
            moved = max(moved, (value - before[key]).abs().max().item())
    assert moved > 1e-3, "nothing was trained"


@pytest.mark.parametrize("name", two_processes.GAMES)
def test_both_processes_hold_equal_weights_and_moments(trained: Path, name: str):
    first, second = (
        torch.load(trained / f"{name}-{rank}.pt", weights_only=True) for rank in (0, 1)
    )
    for key, value in first.items():
        if key == "label_counts":
            continue
        assert torch.equal(value, second[key]), key


def test_the_first_process_writes_the_run_alone(trained: Path):
    run = trained / "spectral"
    assert len((run / "log.jsonl").read_text().splitlines()) == two_processes.STEPS
    assert find_checkpoint(run).name == "step-000000005"
    assert len(list(run.glob("events.*"))) == 1
    assert load_game(trained / "normalized").step == 5


def test_a_signal_to_one_process_stops_both_at_the_same_step(trained: Path):
    outcomes = [(trained / f"outcome-{rank}").read_text() for rank in (0, 1)]
    assert outcomes == ["3 SIGTERM", "3 SIGTERM"]
    assert find_checkpoint(trained / "stopped").name == "step-000000003"


def test_when_one_process_is_killed_the_other_ends_soon(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    processes = [start(two_processes.lose_one, tmp_path, rank, port) for rank in (0, 1)]
    processes[1].join(200)
    assert processes[1].exitcode == -signal.SIGKILL
    processes[0].join(60)
    assert processes[0].exitcode == 3
    killed, noticed = ((tmp_path / name).stat().st_mtime for name in ("killed", "noticed"))
    assert noticed - killed < 30
    reason = (tmp_path / "noticed").read_text().lower()
    assert any(word in reason for word in ("gloo", "connection", "peer"))
    assert find_checkpoint(tmp_path / "run").name == "step-000000002"


def test_one_process_needs_no_strategy(monkeypatch: pytest.MonkeyPatch):
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    fabric = make_fabric(TrainingSettings(accelerator="cpu"))
    assert (fabric.world_size, fabric.global_rank, fabric.is_global_zero) == (1, 0, True)
    assert fabric.device == torch.device("cpu")
