"""Inspects videos in child processes: a file that hangs or kills a decoder costs one line.

Decoders hang for ever in native code on ordinary files, where neither Ctrl-C nor an alarm reaches
them. So each file is decoded in a child with a memory limit, which reports while frames come and is
killed when it falls silent. Children are used for many files: starting one takes as long as
inspecting several.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Pipe, wait
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from data.catalogs import record_from_dict
from data.limits import Limits
from data.probe_child import request_for
from data.records import Found, Reject, VideoRecord
from data.sources import DataError

INSPECT = "data.inspection:inspect"
_STARTING_SECONDS = 120.0


def probe(root: Path, found: Found, limits: Limits) -> VideoRecord | Reject:
    """Inspects one video in a child process of its own; for many, use a `ProbePool`.

    Args:
        root: The folder that the video is in.
        found: The video.
        limits: How much time, memory and size it may take.
    """
    with ProbePool(limits, num_workers=1) as pool:
        return next(iter(pool.run(root, [found])))[1]


@dataclass(frozen=True)
class _Job:
    number: int
    found: Found
    limits: Limits
    decord_failure: str = ""


def _is_with_decord(job: _Job) -> bool:
    return job.limits.decoder == "decord"


def _without_decord(job: _Job, failure: str) -> _Job:
    """The same file once more: decord hangs and crashes on files that PyAV reads well."""
    return replace(job, limits=replace(job.limits, decoder="pyav"), decord_failure=failure)


class ProbePool:
    """Child processes that inspect videos, each one after another. A context manager.

    Args:
        limits: How much time, memory and size one file may take.
        num_workers: Children that work at a time.
        function: What a child calls for each file, as "module:name".
    """

    def __init__(self, limits: Limits, num_workers: int = 1, function: str = INSPECT) -> None:
        if num_workers < 1:
            raise DataError(f"num_workers is {num_workers}: give 1 or more.")
        self._limits = limits
        self._num_workers = num_workers
        self._function = function
        self._children: list[_Child] = []

    def run(
        self, root: Path, founds: Sequence[Found]
    ) -> Iterator[tuple[int, VideoRecord | Reject]]:
        """Inspects videos; gives the position of each in `founds` and the outcome, as they come.

        Raises:
            DataError: No child process can be started.
        """
        self._leave_unfinished_jobs()
        waiting = deque(_Job(at, found, self._limits) for at, found in enumerate(founds))
        while waiting or any(child.job for child in self._children):
            self._hand_out(root, waiting)
            busy = {child.connection: child for child in self._children if child.job}
            patience = min(child.seconds_left() for child in busy.values())
            ready = wait(list(busy), max(0.0, patience))
            for connection, child in busy.items():
                job = child.job
                outcome = child.hear() if connection in ready else child.verdict_on_silence()
                if outcome is None or job is None:
                    continue
                if isinstance(outcome, Reject) and child.is_dead and _is_with_decord(job):
                    waiting.append(_without_decord(job, outcome.reason))
                    continue
                if isinstance(outcome, VideoRecord) and job.decord_failure:
                    outcome = replace(outcome, note=f"with decord, {job.decord_failure}")
                yield job.number, outcome
            self._children = [child for child in self._children if not child.is_dead]

    def _hand_out(self, root: Path, waiting: deque[_Job]) -> None:
        idle = [child for child in self._children if not child.job]
        while waiting and (idle or len(self._children) < self._num_workers):
            if not idle:
                idle.append(_Child(self._function))
                self._children.append(idle[-1])
            idle.pop().take(root, waiting.popleft())

    def _leave_unfinished_jobs(self) -> None:
        """Ends children that still work for an earlier run whose reader has stopped."""
        for child in self._children:
            if child.job:
                child.kill()
        self._children = [child for child in self._children if not child.is_dead]

    def close(self) -> None:
        """Ends the children, whatever they are doing."""
        for child in self._children:
            child.kill()
        self._children = []

    def __enter__(self) -> ProbePool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Child:
    """One child process: takes a job, is heard or found silent, and may die of it."""

    def __init__(self, function: str) -> None:
        self.connection, theirs = Pipe()
        self.job: _Job | None = None
        self.is_dead = False
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed once started)
        code = "import sys; from data.probe_child import main; main(int(sys.argv[1]), sys.argv[2])"
        self._process = subprocess.Popen(
            # -P: the current folder may hold a file named like a module.
            [sys.executable, "-P", "-c", code, str(theirs.fileno()), function],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
                "OMP_NUM_THREADS": "1",
            },
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            # Ctrl-C is for the parent, which then ends its children.
            start_new_session=True,
        )
        theirs.close()
        self._await_start()

    def _await_start(self) -> None:
        try:
            started = self.connection.poll(_STARTING_SECONDS) and self._receive() == {"ready": True}
        except (EOFError, OSError):
            started = False
        if started:
            self._complaints.close()
            return
        self.kill()
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        self._complaints.close()
        raise DataError(
            f"the process that decodes cannot start: {lines[-1] if lines else 'no reason given'}"
        )

    def take(self, root: Path, job: _Job) -> None:
        """Has the child begin with a file."""
        self.job = job
        self._begun = self._heard = time.monotonic()
        # It may have died between two files; that is heard next.
        with contextlib.suppress(OSError):
            self.connection.send_bytes(request_for(root, job.found, job.limits))

    def seconds_left(self) -> float:
        """Until its silence, or its slowness, is taken for a hang."""
        assert self.job is not None
        limits = self.job.limits
        end = min(self._heard + limits.stall_seconds, self._begun + limits.total_seconds)
        return end - time.monotonic()

    def hear(self) -> VideoRecord | Reject | None:
        """What a message means: `None` as long as the child works on."""
        assert self.job is not None
        try:
            message = self._receive()
        except (EOFError, OSError, ValueError):
            return self._fail(self._manner_of_death())
        self._heard = time.monotonic()
        if "tick" in message:
            return self.verdict_on_silence()
        found, self.job = self.job.found, None
        if "record" in message:
            return record_from_dict(message["record"])
        return Reject(found.path, message["reject"], found.item)

    def verdict_on_silence(self) -> Reject | None:
        """A reject when the child has used up its time; the child is then killed."""
        assert self.job is not None
        if self.seconds_left() > 0:
            return None
        limits = self.job.limits
        if time.monotonic() - self._begun >= limits.total_seconds:
            return self._fail(f"takes the decoder more than {limits.total_seconds:g} s")
        return self._fail(f"the decoder did not answer within {limits.stall_seconds:g} s")

    def kill(self) -> None:
        """Ends the process at once."""
        self.is_dead = True
        self._process.kill()
        self._process.wait()
        self.connection.close()

    def _receive(self) -> dict[str, Any]:
        return json.loads(self.connection.recv_bytes())

    def _manner_of_death(self) -> str:
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "the decoder answered nonsense"
        if code < 0:
            return f"the decoder was killed (signal {-code})"
        return f"the decoder ended by itself (code {code})"

    def _fail(self, reason: str) -> Reject:
        assert self.job is not None
        found, self.job = self.job.found, None
        self.kill()
        return Reject(found.path, reason, found.item)
