"""One process or many, CPU or GPU: the same path, through lightning-fabric."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Literal, cast

from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor

from vidgen.adversarial.settings import TrainingSettings


def make_fabric(settings: TrainingSettings, patience: timedelta = timedelta(minutes=2)) -> Fabric:
    """The devices that the settings and torchrun's environment ask for, launched.

    Losses of one player leave the others' weights without gradient, so DDP has to look for unused
    ones. Two minutes without a sign of life from another process end the run; torch's own half
    hour is too long to wait for a process that was killed. Where processes work alone for long,
    as when they measure clips, give more patience.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    devices = local if settings.devices == "auto" else settings.devices
    many = world > 1 or devices > 1
    fabric = Fabric(
        accelerator=settings.accelerator,
        devices=devices,
        num_nodes=max(world // local, 1),
        precision=settings.precision,
        strategy=(DDPStrategy(find_unused_parameters=True, timeout=patience) if many else "auto"),
    )
    fabric.launch()
    return fabric


def over_processes(fabric: Fabric, value: Tensor, reduction: Literal["sum", "mean"]) -> Tensor:
    """The sum or mean of a tensor over all processes; every process gets it."""
    return cast(Tensor, fabric.all_reduce(value, reduce_op=reduction))
