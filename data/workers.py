"""One function for many files, in several processes."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from data.sources import DataError

Map = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
# Jobs of a process that are done, being done or waiting: so many are in memory at once.
_JOBS_AHEAD = 2


def mapped(work: Callable[[Any], Any], jobs: Iterable[Any], num_workers: int) -> Iterator[Any]:
    """What came of each job, in order.

    Args:
        work: Called once a job; it travels to the processes once.
        jobs: What to call it with, one after another.
        num_workers: Processes that work; 0 works in this one.

    Raises:
        DataError: A process was killed.
    """
    jobs = list(jobs)
    if num_workers == 0 or not jobs:
        yield from map(work, jobs)
        return
    # Spawned, not forked: a fork would copy torch's threads in whatever state they are.
    pool = ProcessPoolExecutor(
        min(num_workers, len(jobs)), multiprocessing.get_context("spawn"), _start, (work,)
    )
    try:
        yield from pool.map(_call, jobs)
    except BrokenProcessPool:
        raise DataError(
            "a process that decodes was killed, perhaps for want of memory: use --num_workers 1"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def worker_pool(num_workers: int) -> Iterator[Map]:
    """Gives a `map` whose calls are made in other processes, in order, few jobs ahead.

    Args:
        num_workers: Processes that work; 0 works in this one.

    Raises:
        DataError: A process was killed.
    """
    if num_workers == 0:
        yield map
        return
    pool = ProcessPoolExecutor(num_workers, multiprocessing.get_context("spawn"), _one_thread)

    def in_processes(work: Callable[[Any], Any], jobs: Iterable[Any]) -> Iterator[Any]:
        waiting: deque[Future[Any]] = deque()
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) >= _JOBS_AHEAD * num_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    try:
        yield in_processes
    except BrokenProcessPool:
        raise DataError(
            "a process that works was killed, perhaps for want of memory: use --num_workers 0"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


_work: Callable[[Any], Any] | None = None


def _start(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    _one_thread()


def _one_thread() -> None:
    import cv2
    import torch

    # There are as many processes as are wanted: threads would only get in their way.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _call(job: Any) -> Any:
    assert _work is not None
    return _work(job)
