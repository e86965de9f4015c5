"""Endless batches of clips that depend on nothing but (seed, batch number, rank).

Sample p of a training (p = batch number * batch size + place in the batch) belongs to epoch
p // len(source), shows the item that this epoch's permutation puts at p % len(source), and draws
with a generator of its own. So there is no state to save: a training that goes on at batch k, with
any number of workers, gets what an uninterrupted one would have got, bit for bit.
"""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import multiprocessing.context
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from data.sources import DataError, Sample, Source

MAX_ATTEMPTS = 20
"""Items tried for one sample before the data is called unusable."""

# How soon a dead worker is noticed: the loader looks for dead workers each time this runs out.
POLL_SECONDS = 1.0

log = logging.getLogger(__name__)


Pair = tuple[UInt8[Tensor, "batch channel time height width"], Int64[Tensor, " batch"]]
Triple = tuple[
    UInt8[Tensor, "batch channel time height width"],
    Int64[Tensor, " batch"],
    UInt8[Tensor, "batch 3 view_height view_width"],
]


class Drawn(NamedTuple):
    """What a worker sends for one batch."""

    clips: UInt8[Tensor, "batch channel time height width"]
    labels: Int64[Tensor, " batch"]
    bad_items: list[tuple[int, str]]  # items that gave no sample, and why
    failure: str = ""  # why there is no batch, or ""
    views: UInt8[Tensor, "batch 3 view_height view_width"] | None = None


class Batches:
    """Iterator over (clips, labels), for ever: batch `first`, then the next, and so on.

    Clips are uint8 (batch / world_size, channel, time, height, width), labels int64. A source of
    pairs makes it (clips, labels, views) with views uint8 (batch / world_size, 3, height, width).
    The ranks' batches joined in the order of the ranks are the batch of a single process.

    Workers are started by a fork server: a clean process that has torch imported and nothing else
    done. A plain fork would copy the training's threads, CUDA state, signal handlers and decoders
    half-way through their work, which is how decord hangs; spawning anew imports torch once for
    each worker. The price is that the source is pickled, once for each worker.

    Args:
        source: What to draw from.
        batch_size: Clips in a batch, over all ranks together.
        seed: Not negative; another seed gives another order and other clips.
        first: Number of the first batch, for a training that goes on.
        rank: Which slice of every batch this process gets, from 0.
        world_size: Number of processes that share a batch.
        num_workers: Processes that draw ahead; 0 draws in this process, when asked.
        pin_memory: Put batches into page-locked memory, for copies to a GPU; without one it does
            nothing.
        timeout_seconds: How long a worker may take for a batch.

    Raises:
        DataError: A number above does not fit, the source is empty, no item near a place can be
            read, or a worker died or hangs.
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        seed: int,
        first: int = 0,
        rank: int = 0,
        world_size: int = 1,
        num_workers: int = 0,
        pin_memory: bool = False,
        timeout_seconds: float = 120,
    ):
        _check_numbers(len(source), batch_size, seed, first, rank, world_size, num_workers)
        self._num_workers = num_workers
        self._timeout_seconds = timeout_seconds
        self._bad_items: set[int] = set()
        loader = DataLoader(
            _BatchDataset(source, batch_size, seed, rank, world_size),
            batch_size=None,  # the data set's items are whole batches
            sampler=itertools.count(first),  # type: ignore[arg-type]
            collate_fn=_as_it_is,  # type: ignore[arg-type]
            num_workers=num_workers,
            pin_memory=pin_memory and torch.cuda.is_available(),
            timeout=POLL_SECONDS if num_workers else 0,
            multiprocessing_context=_fork_server() if num_workers else None,
            worker_init_fn=_prepare_worker if num_workers else None,
            generator=torch.Generator(),  # else it draws its base seed from the global one
        )
        # From here on the workers draw ahead, while the caller still builds its networks.
        self._iterator: Iterator[Drawn] | None = iter(loader)

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> Pair | Triple:
        drawn = self._wait()
        for item, reason in drawn.bad_items:
            if item not in self._bad_items:
                self._bad_items.add(item)
                log.warning("Item %d is left out: %s", item, reason)
        if drawn.failure:
            self.close()
            raise DataError(drawn.failure)
        if drawn.views is not None:
            return drawn.clips, drawn.labels, drawn.views
        return drawn.clips, drawn.labels

    def __enter__(self) -> Batches:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; nothing can be drawn any more."""
        # To drop the iterator would do, were it not for tracebacks that may still hold it.
        shut_down = getattr(self._iterator, "_shutdown_workers", None)
        self._iterator = None
        if shut_down is not None:
            shut_down()

    def _wait(self) -> Drawn:
        """The next batch, or a DataError that says what became of the workers."""
        end = time.monotonic() + self._timeout_seconds
        while True:
            if self._iterator is None:
                raise ValueError(
                    "These batches are closed; make new ones, with the batch to go on at."
                )
            try:
                return next(self._iterator)
            except (RuntimeError, ConnectionError, EOFError) as error:
                trouble = _trouble_of_workers(error)
                if trouble is None:
                    raise
            if trouble == "died":
                self.close()
                raise DataError(
                    "A process that loads data died: out of memory, or /dev/shm is too small? "
                    f"Use fewer workers than {self._num_workers}; 0 loads in the training itself."
                )
            if time.monotonic() > end:
                self.close()
                raise DataError(
                    f"No batch came from {self._num_workers} workers in "
                    f"{self._timeout_seconds:g} seconds: a file hangs its decoder, or the disk is "
                    "slow. Load with 0 workers to see where, or allow more time."
                )


class _BatchDataset(Dataset[Drawn]):
    """Batch number -> this rank's slice of that batch."""

    def __init__(self, source: Source, batch_size: int, seed: int, rank: int, world_size: int):
        self.source = source
        self.batch_size = batch_size
        self.seed = seed
        self.offset = rank * (batch_size // world_size)
        self.slice_size = batch_size // world_size
        self._epoch = -1
        self._permutation = np.empty(0, dtype=np.int64)

    def __getitem__(self, batch: int) -> Drawn:
        start = batch * self.batch_size + self.offset
        samples: list[Sample] = []
        bad_items: list[tuple[int, str]] = []
        try:
            for position in range(start, start + self.slice_size):
                samples.append(self._draw(position, bad_items))
            clips = torch.from_numpy(np.stack(_same_shape([sample.clip for sample in samples])))
            views = _stacked_views(samples)
        except DataError as error:
            nothing = torch.empty(0, dtype=torch.uint8)
            return Drawn(nothing, nothing.long(), bad_items, failure=str(error))
        labels = torch.tensor([sample.label for sample in samples], dtype=torch.int64)
        return Drawn(clips, labels, bad_items, views=views)

    def _draw(self, position: int, bad_items: list[tuple[int, str]]) -> Sample:
        """The sample at a position; if its item cannot be read, one of the items that follow."""
        for attempt in range(MAX_ATTEMPTS):
            item = self._item(position, attempt)
            # An attempt of 0 may stand there: numpy pads a seed with zeros, so [s, p] = [s, p, 0].
            generator = np.random.default_rng([self.seed, position, attempt])
            try:
                return self.source.draw(item, generator)
            except DataError as error:
                bad_items.append((item, str(error)))
        item, reason = bad_items[-1]
        raise DataError(
            f"{MAX_ATTEMPTS} items in a row could not be read; the last, item {item}: {reason} "
            "Check the folder with `python -m data check`."
        )

    def _item(self, position: int, attempt: int) -> int:
        """What the position's epoch shows there, `attempt` places on, round its end."""
        epoch, place = divmod(position, len(self.source))
        if epoch != self._epoch:
            # A spawn key, so that no permutation shares its stream with a sample.
            entropy = np.random.SeedSequence(self.seed, spawn_key=(epoch,))
            self._permutation = np.random.default_rng(entropy).permutation(len(self.source))
            self._epoch = epoch
        return int(self._permutation[(place + attempt) % len(self.source)])


def _stacked_views(samples: list[Sample]) -> Tensor | None:
    views = [sample.view for sample in samples if sample.view is not None]
    if not views:
        return None
    if len(views) < len(samples):
        raise DataError("Some samples of one batch have a view and some have none.")
    return torch.from_numpy(np.stack(_same_shape(views)))


def _same_shape(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The samples' clips or views, all of one shape."""
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise DataError(
            f"The clips of one batch differ in shape (channel, time, height, width): {shapes[0]} "
            f"and {shapes[1]}. Give the data a fixed size and number of frames."
        )
    return arrays


def _check_numbers(
    num_items: int,
    batch_size: int,
    seed: int,
    first: int,
    rank: int,
    world_size: int,
    num_workers: int,
) -> None:
    if num_items == 0:
        raise DataError("There is nothing to draw from: the source has no items.")
    if batch_size < 1 or world_size < 1 or batch_size % world_size:
        raise DataError(
            f"A batch of {batch_size} clips cannot be shared by {world_size} processes: choose a "
            f"batch size that is a multiple of {max(world_size, 1)}."
        )
    if not 0 <= rank < world_size:
        raise DataError(f"Rank {rank} is not one of 0 to {world_size - 1}.")
    for name, value in (("seed", seed), ("first batch", first), ("number of workers", num_workers)):
        if value < 0:
            raise DataError(f"The {name} is {value}; give 0 or more.")


def _as_it_is(drawn: Drawn) -> Drawn:
    return drawn


def _fork_server() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "numpy"])
    return context


def _prepare_worker(worker: int) -> None:
    # Ctrl-C reaches every process of the terminal; only the training itself decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The loader's own watch over its parent sleeps while a worker draws, so a worker whose file
    # hangs its decoder would outlive a killed training.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _trouble_of_workers(error: Exception) -> Literal["late", "died"] | None:
    """What a loader's error says of its workers; None for one that was raised in `draw`."""
    text = str(error)
    if text.startswith("Caught "):  # a worker's own exception, with its traceback
        return None
    if text.startswith("DataLoader timed out"):
        return "late"
    if isinstance(error, ConnectionError | EOFError) or text.startswith("DataLoader worker"):
        return "died"
    return None
