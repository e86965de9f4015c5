"""What the processes do that test_tganv2_processes.py starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from vidgen import OptimizerSettings, TGANv2
from vidgen.adversarial.devices import make_fabric
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit

Precision = Literal["32-true", "bf16-mixed"]

STEPS, BATCH = 3, 4
# In two processes each has two clips: there 1.5 of their sum weighs as much as 3 of their mean.
PENALTIES: dict[str, dict[str, Any]] = {
    "mean": {"r1_weight": 3.0, "r1_reduction": "mean"},
    "sum": {"r1_weight": 1.5, "r1_reduction": "sum"},
}
PRECISIONS: tuple[Precision, ...] = ("32-true", "bf16-mixed")


def settings_in(precision: Precision) -> TrainingSettings:
    """Of a short training on the CPU."""
    return TrainingSettings(
        steps=STEPS, batch_size=BATCH, log_every=1, accelerator="cpu", precision=precision
    )


def make_game(penalty: dict[str, Any]) -> TGANv2:
    """A conditional game of equal weights in every process, without what joins a batch's clips."""
    torch.manual_seed(0)
    game = TGANv2(
        num_frames=4,
        frame_size=64,
        num_classes=2,
        widths=[4] * 7,
        discriminator_width=2,
        discriminators="levels",
        optimizer=OptimizerSettings("sgd", 0.05),
        **penalty,
    )
    for module in list(game.modules()):
        if isinstance(getattr(module, "norm", None), _BatchNorm):
            module.norm = nn.Identity()
    return game


def rows_of(rank: int, world_size: int) -> Callable[[int], Iterator[tuple[Tensor, Tensor]]]:
    """Batches of which each process gets its slice."""
    own = slice(rank * BATCH // world_size, (rank + 1) * BATCH // world_size)

    def batches(first: int) -> Iterator[tuple[Tensor, Tensor]]:
        for number in range(first, STEPS):
            generator = torch.Generator().manual_seed(number)
            clips = torch.randint(0, 256, (BATCH, 3, 4, 64, 64), generator=generator)
            yield clips[own].to(torch.uint8), torch.tensor([0, 1, 1, 0])[own]

    return batches


def train_all(folder: Path, rank: int, port: int) -> None:
    """Trains in every precision with every penalty; the first process leaves the weights."""
    torch.set_num_threads(1)
    os.environ |= {  # as torchrun gives it
        "TORCHELASTIC_RUN_ID": "none",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
    }
    for precision in PRECISIONS:
        settings = settings_in(precision)
        fabric = make_fabric(settings)
        for name, penalty in PENALTIES.items():
            game = make_game(penalty)
            fit(game, rows_of(rank, 2), settings, folder / precision / name, fabric)
            if rank == 0:
                torch.save(game.state_dict(), folder / f"{precision} {name}.pt")
