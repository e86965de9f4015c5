"""What the processes do that torchrun starts for test_devices.py."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tests.tiny import tiny_batches, tiny_game
from vidgen import OptimizerSettings
from vidgen.adversarial.devices import make_fabric
from vidgen.adversarial.game import Game
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit

STEPS, BATCH = 5, 8
# Plain descent: RMSProp and Adam would blow up the rounding of gradients that are nearly 0.
DESCENT = OptimizerSettings("sgd", 0.05)

# By name: the game's options, and whether its BatchNorms, which see one process's rows, go.
GAMES: dict[str, tuple[dict[str, Any], bool]] = {
    "spectral": ({"constraint": "spectral", "loss": "hinge", "optimizer": DESCENT}, False),
    "conditional": (
        {
            "constraint": "weights",
            "num_classes": 2,
            "order": "generator_first",
            "optimizer": DESCENT,
        },
        False,
    ),
    "accumulated": ({"constraint": "none", "optimizer": DESCENT, "critic_moves": 2}, False),
    "normalized": ({"clip_every": 2}, True),
}


def game_named(name: str) -> Game:
    """A game of equal weights in every process."""
    options, normalized = GAMES[name]
    game = tiny_game(**options)
    if not normalized:
        _replace_batch_norms(game)
    return game


def _replace_batch_norms(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, nn.Identity())
        else:
            _replace_batch_norms(child)


def rows_of(rank: int, world_size: int) -> Callable[[int], Iterator[tuple[Tensor, Tensor]]]:
    """Batches of which each process gets its slice."""
    own = slice(rank * BATCH // world_size, (rank + 1) * BATCH // world_size)

    def batches(first: int) -> Iterator[tuple[Tensor, Tensor]]:
        for clips, labels in tiny_batches(first, BATCH):
            yield clips[own], labels[own]

    return batches


def settings_of(name: str) -> TrainingSettings:
    """Equal for one process and for two."""
    parts = 2 if name == "accumulated" else 1
    return TrainingSettings(
        steps=STEPS, batch_size=BATCH, accumulate=parts, log_every=1, accelerator="cpu"
    )


def train_all(folder: Path) -> None:
    """Trains every game and leaves each process's weights."""
    fabric = make_fabric(settings_of("spectral"))
    rank, world_size = fabric.global_rank, fabric.world_size
    for name in GAMES:
        game = game_named(name)
        fit(game, rows_of(rank, world_size), settings_of(name), folder / name, fabric)
        torch.save(game.state_dict(), folder / f"{name}-{rank}.pt")


def lose_one(folder: Path, rank: int, port: int) -> None:
    """Process 1 dies in the third step; what ends process 0 is left in `noticed`."""
    torch.set_num_threads(1)
    os.environ |= {  # as torchrun gives it, which would end the rest by itself
        "TORCHELASTIC_RUN_ID": "none",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
    }
    settings = TrainingSettings(
        steps=10**6, batch_size=BATCH, log_every=1, save_every=1, accelerator="cpu"
    )
    fabric = make_fabric(settings)

    def batches(first: int) -> Iterator[tuple[Tensor, Tensor]]:
        for number, batch in enumerate(rows_of(rank, 2)(first), first):
            if number == 2 and rank == 1:
                (folder / "killed").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    try:
        fit(game_named("spectral"), batches, settings, folder / "run", fabric)
    except RuntimeError as error:
        (folder / "noticed").write_text(str(error))
        raise SystemExit(3) from None


def stop_one(folder: Path) -> None:
    """Process 1 alone is told to stop; both leave at the same step."""
    settings = TrainingSettings(
        steps=10**6, batch_size=BATCH, log_every=1, save_every=10**6, accelerator="cpu"
    )
    fabric = make_fabric(settings)

    def batches(first: int) -> Iterator[tuple[Tensor, Tensor]]:
        for number, batch in enumerate(rows_of(fabric.global_rank, 2)(first), first):
            if number == 2 and fabric.global_rank == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    outcome = fit(game_named("spectral"), batches, settings, folder / "stopped", fabric)
    (folder / f"outcome-{fabric.global_rank}").write_text(f"{outcome.step} {outcome.signal}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    train_all(Path(sys.argv[1]))
    stop_one(Path(sys.argv[1]))
