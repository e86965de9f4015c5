"""Ctrl-C and SIGTERM finish the step and save; a second one leaves at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

import torch
from lightning_fabric import Fabric

from vidgen.adversarial.devices import over_processes


class StopSignals:
    """While entered, remembers a stop signal instead of dying of it.

    Attributes:
        name: "SIGINT" or "SIGTERM" once one has come, else "".
    """

    def __init__(self) -> None:
        self.name = ""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def received(self, fabric: Fabric) -> bool:
        """Whether any process was told to stop; all processes get the same answer."""
        if fabric.world_size == 1:
            return bool(self.name)
        told = torch.tensor(float(bool(self.name)), device=fabric.device)
        if not over_processes(fabric, told, "sum") > 0:
            return False
        self.name = self.name or "SIGTERM"
        return True

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.name:
            raise KeyboardInterrupt
        self.name = signal.Signals(number).name
