"""Reading clips: this project's readers beside plain decord and plain PyAV, right frames counted.

    python benchmarks/reading.py

Writes 320 x 240 films of 180 frames (XviD-like AVIs, H.264), scans them, then reads clips of 16
frames at the same random places with every way in turn, one thread, and resizes them to 64 x 64.
Nothing is kept between clips. CPU time is of all threads of this process.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from statistics import median

import av
import decord
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.inspection import inspect
from data.limits import Limits
from data.readers import open_reader
from data.records import Found
from tests.data import films

NUM_FRAMES = 180
CLIP = 16
NUM_CLIPS = 24
SIDE = 64

Read = Callable[[int], np.ndarray]


@dataclass
class Tally:
    """Seconds and right frames of one way to read."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    num_right: int = 0


def write_films(folder: Path) -> list[Path]:
    pictures = films.pictures(NUM_FRAMES)
    # XviD puts up to 300 frames between key frames: a clip of UCF-101 has one to three.
    xvid, xvid_b = (replace(plain, key_distance=120) for plain in (films.XVID, films.XVID_B))
    films.write_packed_avi(folder / "xvid_packed.avi", pictures, xvid_b)
    films.write_film(folder / "xvid_b.avi", pictures, xvid_b)
    films.write_film(folder / "xvid.avi", pictures, xvid)
    films.write_film(folder / "h264.mp4", pictures, replace(films.H264, key_distance=250))
    return sorted(folder.iterdir())


def ways_to_read(path: Path) -> dict[str, Read]:
    """Functions that give the clip that starts at a frame."""
    found = Found(path.name, "video")
    record, for_decord = (
        inspect(path.parent, found, Limits(decoder=decoder), lambda: None)
        for decoder in ("pyav", "decord")
    )

    def ours(start: int) -> np.ndarray:
        with open_reader(path.parent, record) as reader:
            return reader.get(range(start, start + CLIP))

    def ours_through_decord(start: int) -> np.ndarray:
        with open_reader(path.parent, for_decord) as reader:
            return reader.get(range(start, start + CLIP))

    def plain_decord(start: int) -> np.ndarray:
        video = decord.VideoReader(str(path), num_threads=1)
        return video.get_batch(range(start, start + CLIP)).asnumpy()

    def plain_pyav(start: int) -> np.ndarray:
        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            frames = islice(container.decode(video=0), start, start + CLIP)
            return np.stack([frame.to_ndarray(format="rgb24") for frame in frames])

    ways = {"ours": ours, "plain decord": plain_decord, "PyAV from frame 0": plain_pyav}
    if for_decord.reader == "decord":
        ways["ours, decoder=decord"] = ours_through_decord
    return ways


def resized(frames: np.ndarray) -> torch.Tensor:
    batch = torch.from_numpy(frames).permute(0, 3, 1, 2)
    return torch.nn.functional.interpolate(
        batch, size=(SIDE, SIDE), mode="bilinear", antialias=True
    )


def measure(path: Path) -> dict[str, Tally]:
    truth = films.decoded(path)
    ways = ways_to_read(path)
    tallies = {name: Tally() for name in ways}
    generator = np.random.default_rng(0)
    for start in generator.integers(NUM_FRAMES - CLIP + 1, size=NUM_CLIPS).tolist():
        for name in generator.permutation(list(ways)).tolist():
            cpu, wall = time.process_time(), time.perf_counter()
            frames = ways[name](start)
            resized(frames)
            tallies[name].cpu.append(time.process_time() - cpu)
            tallies[name].wall.append(time.perf_counter() - wall)
            right = (frames == truth[start : start + CLIP]).all(axis=(1, 2, 3))
            tallies[name].num_right += int(right.sum())
    return tallies


def print_table(path: Path, tallies: dict[str, Tally]) -> None:
    print(f"\n{path.name}: {NUM_CLIPS} clips of {CLIP} frames, 320 x 240 to {SIDE} x {SIDE}")
    print(f"{'':24}{'CPU ms':>8}{'wall ms':>9}{'CPU / ours':>12}{'right frames':>14}")
    ours = tallies["ours"].cpu
    for name, tally in tallies.items():
        ratio = median(theirs / own for theirs, own in zip(tally.cpu, ours, strict=True))
        share = tally.num_right / (NUM_CLIPS * CLIP)
        print(
            f"{name:24}{1e3 * median(tally.cpu):8.1f}{1e3 * median(tally.wall):9.1f}"
            f"{ratio:12.2f}{share:14.0%}"
        )


def main() -> None:
    torch.set_num_threads(1)
    decord.logging.set_level(decord.logging.QUIET)
    with tempfile.TemporaryDirectory() as folder:
        for path in write_films(Path(folder)):
            print_table(path, measure(path))


if __name__ == "__main__":
    main()
