"""What a program runs on, in words, for the reader of its results."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def hardware() -> str:
    """The processor with the number of cores that this process may use, and the GPUs."""
    import torch  # late: help is printed without it

    parts = [f"{len(os.sched_getaffinity(0))} cores of {_processor()}"]
    if torch.cuda.is_available():
        devices = range(torch.cuda.device_count())
        parts += [torch.cuda.get_device_name(device) for device in devices]
    return ", ".join(parts)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
