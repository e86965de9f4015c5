"""Batches are a function of (seed, batch number, rank) and of nothing else."""

import itertools
import logging
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from data.batches import Batches
from data.sources import DataError, Sample, Source


class Numbered(Source):
    """Item i: its number, a random byte, and how the worker is set up, as pixels."""

    fps = 25.0

    def __init__(self, num_items: int, broken: tuple[int, ...] = ()):
        self.classes = ["one", "two", "three"]
        self.num_items = num_items
        self.broken = broken

    def __len__(self) -> int:
        return self.num_items

    def fingerprint(self) -> str:
        return "numbered"

    def draw(self, item: int, generator: np.random.Generator) -> Sample:
        if item in self.broken:
            raise DataError(f"video{item}.avi ends too early")
        pixels = [item, generator.integers(256), torch.get_num_threads()]
        return Sample(np.array(pixels, dtype=np.uint8).reshape(3, 1, 1, 1), label=item % 3)


class Failing(Numbered):
    """Does in `draw` what `deed` names, in every item."""

    def __init__(self, deed: str):
        super().__init__(num_items=4)
        self.deed = deed

    def draw(self, item: int, generator: np.random.Generator) -> Sample:
        if self.deed == "hang":
            time.sleep(250)
        if self.deed == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.deed == "bug":
            raise RuntimeError("a programming mistake")
        return Sample(np.zeros((3, 1, 1 + item % 2, 1), dtype=np.uint8))


def take(batches: Batches, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The next batches, one after another: ((item, random byte) of each sample, its label)."""
    with batches:
        drawn = list(itertools.islice(batches, count))
    clips = torch.cat([clips for clips, _ in drawn])
    assert clips.dtype == torch.uint8 and clips.shape[1:] == (3, 1, 1, 1)
    labels = torch.cat([labels for _, labels in drawn])
    assert labels.dtype == torch.int64
    return clips[:, :2].flatten(1).numpy(), labels.numpy()


def test_a_sample_depends_on_seed_and_position_only():
    pixels, labels = take(Batches(Numbered(7), batch_size=4, seed=5), 6)
    for position, (item, byte) in enumerate(pixels):
        assert byte == np.random.default_rng([5, position]).integers(256)
        assert labels[position] == item % 3


def test_each_epoch_draws_each_item_once_and_in_another_order():
    pixels, _ = take(Batches(Numbered(7), batch_size=4, seed=5), 7)
    epochs = pixels[:, 0].reshape(4, 7)
    assert (np.sort(epochs) == np.arange(7)).all()
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_another_seed_gives_another_order_and_other_samples():
    one, _ = take(Batches(Numbered(50), batch_size=50, seed=1), 1)
    other, _ = take(Batches(Numbered(50), batch_size=50, seed=2), 1)
    assert (one[:, 0] != other[:, 0]).mean() > 0.8
    assert (one[:, 1] != other[:, 1]).mean() > 0.8


@pytest.mark.parametrize("num_workers", [1, 2])
def test_workers_change_nothing(num_workers):
    expected = take(Batches(Numbered(7, broken=(2,)), batch_size=4, seed=5), 9)
    actual = take(
        Batches(Numbered(7, broken=(2,)), batch_size=4, seed=5, num_workers=num_workers), 9
    )
    assert np.array_equal(actual[0], expected[0]) and np.array_equal(actual[1], expected[1])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_restart_at_a_batch_goes_on_as_if_nothing_had_happened(num_workers):
    whole, _ = take(Batches(Numbered(7), batch_size=4, seed=5), 8)
    rest, _ = take(Batches(Numbered(7), batch_size=4, seed=5, first=3, num_workers=num_workers), 5)
    assert np.array_equal(rest, whole[3 * 4 :])


def test_ranks_joined_equal_one_process():
    whole, labels = take(Batches(Numbered(7), batch_size=6, seed=5), 4)
    ranks = [
        take(Batches(Numbered(7), batch_size=6, seed=5, rank=rank, world_size=2), 4)
        for rank in range(2)
    ]
    for batch in range(4):
        joined = np.concatenate([pixels[3 * batch : 3 * batch + 3] for pixels, _ in ranks])
        assert np.array_equal(joined, whole[6 * batch : 6 * batch + 6])
    assert sorted(np.concatenate([ranks[0][1], ranks[1][1]])) == sorted(labels)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_bad_items_are_replaced_and_named_once(num_workers, caplog):
    source = Numbered(7, broken=(2, 4))
    sound, _ = take(Batches(Numbered(7), batch_size=7, seed=5), 6)
    with caplog.at_level(logging.WARNING):
        pixels, _ = take(Batches(source, batch_size=7, seed=5, num_workers=num_workers), 6)
    assert sorted(caplog.messages) == [
        "Item 2 is left out: video2.avi ends too early",
        "Item 4 is left out: video4.avi ends too early",
    ]
    assert not np.isin(pixels[:, 0], (2, 4)).any()
    # Only the bad items' places changed, and the next sound item of their epoch stands there.
    bad = np.isin(sound[:, 0], (2, 4))
    assert np.array_equal(pixels[~bad], sound[~bad])
    for position in np.flatnonzero(bad):
        epoch = sound[position // 7 * 7 :][:7, 0]
        followers = [epoch[(position % 7 + attempt) % 7] for attempt in (1, 2)]
        attempt = 1 if followers[0] not in (2, 4) else 2
        byte = np.random.default_rng([5, position, attempt]).integers(256)
        assert pixels[position].tolist() == [followers[attempt - 1], byte]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_twenty_bad_items_in_a_row_end_it_in_one_line(num_workers):
    source = Numbered(30, broken=tuple(range(30)))
    with pytest.raises(DataError, match="20 items in a row") as caught:
        take(Batches(source, batch_size=2, seed=0, num_workers=num_workers), 1)
    assert "ends too early" in str(caught.value) and "\n" not in str(caught.value)


def test_nineteen_bad_items_in_a_row_do_not_end_it():
    pixels, _ = take(Batches(Numbered(20, broken=tuple(range(19))), batch_size=20, seed=0), 1)
    assert (pixels[:, 0] == 19).all()


@pytest.mark.parametrize("num_workers", [0, 1])
def test_the_global_generators_are_left_alone(unchecked, num_workers):
    # Unchecked, because the checker draws from `random` which items of a list it looks at.
    before = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy())  # noqa: NPY002
    take(Batches(Numbered(7), batch_size=4, seed=5, num_workers=num_workers), 3)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (np.random.get_state()[1] == before[2]).all()  # noqa: NPY002


def test_workers_use_one_thread():
    with Batches(Numbered(7), batch_size=4, seed=5, num_workers=1) as batches:
        clips, _ = next(batches)
    assert (clips[:, 2] == 1).all()


def test_a_dead_worker_is_told_in_one_line():
    with (
        Batches(Failing("die"), batch_size=2, seed=0, num_workers=1) as batches,
        pytest.raises(DataError, match=r"died.*fewer workers") as caught,
    ):
        next(batches)
    assert "\n" not in str(caught.value)


def test_a_hung_worker_is_told_and_stopped():
    batches = Batches(Failing("hang"), batch_size=2, seed=0, num_workers=1, timeout_seconds=1.0)
    workers = multiprocessing.active_children()
    start = time.monotonic()
    with pytest.raises(DataError, match="No batch came from 1 workers in 1 seconds"):
        next(batches)
    assert time.monotonic() - start < 50
    assert workers and not any(worker.is_alive() for worker in workers)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_programming_mistake_keeps_its_traceback(num_workers):
    with (
        Batches(Failing("bug"), batch_size=2, seed=0, num_workers=num_workers) as batches,
        pytest.raises(RuntimeError, match="a programming mistake"),
    ):
        next(batches)


def test_clips_of_different_shapes_are_refused():
    with pytest.raises(DataError, match=r"\(3, 1, 1, 1\) and \(3, 1, 2, 1\)"):
        next(Batches(Failing("two shapes"), batch_size=4, seed=0))


def test_closed_batches_refuse_to_draw_and_leave_no_process():
    others = set(multiprocessing.active_children())
    batches = Batches(Numbered(7), batch_size=4, seed=5, num_workers=2)
    next(batches)
    workers = set(multiprocessing.active_children()) - others
    assert len(workers) == 2
    batches.close()
    assert not any(worker.is_alive() for worker in workers)
    with pytest.raises(ValueError, match="closed"):
        next(batches)


def test_a_hung_worker_dies_with_a_killed_training(tmp_path):
    script = tmp_path / "training.py"
    script.write_text(
        "import multiprocessing, os, signal\n"
        "from data.batches import Batches\n"
        "from tests.data.test_batches import Failing\n"
        "if __name__ == '__main__':\n"
        "    batches = Batches(Failing('hang'), batch_size=2, seed=0, num_workers=1)\n"
        "    print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        "    import time; time.sleep(1); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    run = subprocess.run(
        [sys.executable, script], cwd=root, env=environment, capture_output=True, timeout=240
    )
    workers = [int(number) for number in run.stdout.split()]
    assert run.returncode == -signal.SIGKILL and len(workers) == 1
    end = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < end, "the worker outlived the training"
        time.sleep(0.1)


def test_memory_stays_flat(unchecked):
    batches = Batches(Numbered(250), batch_size=16, seed=0)
    for _ in range(200):
        next(batches)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2000):
        next(batches)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2048  # KiB


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": Numbered(0)}, "no items"),
        ({"batch_size": 5, "world_size": 2}, "5 clips cannot be shared by 2 processes"),
        ({"batch_size": 0}, "A batch of 0"),
        ({"rank": 2, "world_size": 2}, "Rank 2 is not one of 0 to 1"),
        ({"seed": -1}, "seed is -1"),
        ({"first": -1}, "first batch is -1"),
        ({"num_workers": -1}, "number of workers is -1"),
    ],
)
def test_wrong_numbers_are_one_clear_line(settings, message):
    with pytest.raises(DataError, match=message) as caught:
        Batches(**{"source": Numbered(7), "batch_size": 4, "seed": 5, **settings})
    assert "\n" not in str(caught.value)
