"""The child process of a scan: inspects one file after another until its parent has no more.

Whatever a decoder does to this process, the parent (data/probe.py) lives on. Messages are JSON over
a pipe: {"root", "found", "limits"} comes in; {"ready"}, then {"tick"} now and then while frames
come, then {"record"} or {"reject"} go out.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import time
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from data.catalogs import record_as_dict
from data.limits import Limits
from data.records import Found
from data.sources import DataError

_SECONDS_BETWEEN_TICKS = 0.2
_PR_SET_PDEATHSIG = 1


def main(handle: int, function: str) -> None:
    """Answers requests until the pipe closes.

    Args:
        handle: File descriptor of the pipe to the parent.
        function: What inspects a file, as "module:name".
    """
    _die_with_parent()
    module, _, name = function.partition(":")
    inspect = getattr(importlib.import_module(module), name)
    connection = Connection(handle)
    _send(connection, {"ready": True})
    _silence_stderr()
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except EOFError:
            return
        limits = Limits(**request["limits"])
        _limit_memory(limits.memory_bytes)
        _send(connection, _answer(connection, inspect, request, limits))


def _answer(
    connection: Connection, inspect: Any, request: dict[str, Any], limits: Limits
) -> dict[str, Any]:
    root, found = Path(request["root"]), Found(**request["found"])
    try:
        record = inspect(root, found, limits, _Ticks(connection))
        return {"record": record_as_dict(record)}
    except Exception as error:  # codecs raise more than twenty kinds on damaged files
        return {"reject": one_line(error, root.absolute() / found.path, limits)}


def one_line(error: Exception, path: Path, limits: Limits) -> str:
    """What went wrong with a file, in words for the user."""
    text = " ".join(str(error).split()).removeprefix(f"{path}: ")
    if isinstance(error, DataError):
        return text
    if isinstance(error, MemoryError):
        gibibytes = limits.memory_bytes / (1 << 30)
        return f"needs more than {gibibytes:g} GiB of memory; raise memory_bytes to read it"
    complaint = getattr(error, "strerror", None) or f"{type(error).__name__}: {text}"
    return f"cannot be decoded ({complaint})"


class _Ticks:
    """Tells the parent now and then that frames are coming."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last > _SECONDS_BETWEEN_TICKS:
            self._last = now
            _send(self._connection, {"tick": True})


def _send(connection: Connection, message: dict[str, Any]) -> None:
    connection.send_bytes(json.dumps(message).encode("ascii"))


def request_for(root: Path, found: Found, limits: Limits) -> bytes:
    """What the parent sends to have one file inspected."""
    request = {"root": os.fspath(root), "found": asdict(found), "limits": asdict(limits)}
    return json.dumps(request).encode("ascii")


def _limit_memory(num_bytes: int) -> None:
    """Heap and private mappings only: memory-mapped files and libraries do not count."""
    resource.setrlimit(resource.RLIMIT_DATA, (num_bytes, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with_parent() -> None:
    """A decoder that hangs would outlive a parent that was killed. Linux only; elsewhere it may."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _silence_stderr() -> None:
    """Decoders print there; up to here it tells the parent why the child cannot start."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
