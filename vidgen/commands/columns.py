"""What measures say of each clip of a set, kept in files: stopped, a judgement goes on from there.

Clips are made 32 at a time. What a measure gives for them is one safetensors file, whole or not
there, in a folder whose name is a hash of the set's and the measure's keys. Several processes take
the chunks in turn and meet in the folder, which they must share; all sums are then made by one, in
the order of the clips, so that neither their number nor the batch size changes a result by more
than the rounding of the networks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from vidgen.commands.clip_sets import ClipSet, NumberedClips
from vidgen.writing import replacing

CHUNK = 32
_FORMAT = 1

Values = dict[str, np.ndarray]


@runtime_checkable
class Measure(Protocol):
    """A function of a chunk of clips, by whose key its values can be kept.

    Attributes:
        key: Tells it from any other, settings and weights included.
    """

    key: str

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """Named values, a row a clip (or a row a pair of clips)."""
        ...


class Columns:
    """The values of one measure over one set, read chunk by chunk.

    Args:
        folder: Where its chunks lie.
        count: Clips of the set.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self.count = folder, count

    @property
    def key(self) -> str:
        """Tells set and measure from any others."""
        return self._folder.name

    def chunks(self) -> Iterator[Values]:
        """The values of each chunk, in order."""
        for numbers in chunk_numbers(self.count):
            yield load_file(self._folder / chunk_name(numbers))

    def all(self, name: str) -> np.ndarray:
        """One column, all rows."""
        return np.concatenate([chunk[name] for chunk in self.chunks()])


class ColumnStore:
    """Folders of columns.

    Args:
        folder: Their home.
        rank: This process.
        world_size: Number of processes.
    """

    def __init__(self, folder: Path, rank: int = 0, world_size: int = 1) -> None:
        self._home, self._rank, self._world_size = folder, rank, world_size

    def columns(self, clips: ClipSet, measure: Measure, count: int) -> Columns:
        """The columns of a measure over a set; its chunks need not be there yet."""
        return Columns(self._folder(clips, measure), count)

    def fill(
        self,
        clips: ClipSet,
        measures: Sequence[Measure],
        count: int,
        batch_size: int,
        progress: Callable[[int, int], None],
    ) -> None:
        """Makes this process's share of what is missing; each clip once for all measures.

        Args:
            clips: The set.
            measures: What is wanted of it.
            count: Its first clips that are wanted.
            batch_size: Clips made at once.
            progress: Called with the number of clips done and of all.

        Raises:
            UserError: A file cannot be written.
        """
        folders = {measure.key: self._folder(clips, measure) for measure in measures}
        for number, numbers in enumerate(chunk_numbers(count)):
            if number % self._world_size != self._rank:
                continue
            missing = [
                measure
                for measure in measures
                if not is_whole(folders[measure.key] / chunk_name(numbers))
            ]
            if missing:
                made = clips.clips_in_parts(numbers, batch_size)
                for measure in missing:
                    save_values(folders[measure.key] / chunk_name(numbers), measured(measure, made))
            progress(numbers[-1] + 1, count)

    def _folder(self, clips: ClipSet, measure: Measure) -> Path:
        key = {"format": _FORMAT, "clips": clips.key, "measure": measure.key}
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        return self._home / digest[:24]


def chunk_numbers(count: int) -> list[range]:
    """The numbers of the clips of each chunk; only the last may be short."""
    return [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]


def chunk_name(numbers: range) -> str:
    """Name of the file of a chunk."""
    return f"{numbers[0]:09d}-{len(numbers):02d}.safetensors"


def measured(measure: Measure, made: NumberedClips) -> Values:
    """What a measure says of some clips, and their labels."""
    with torch.inference_mode():
        values: dict[str, Any] = {**measure(made), "label": made.labels}
    return {name: np.ascontiguousarray(value.cpu().numpy()) for name, value in values.items()}


def save_values(path: Path, values: Values) -> None:
    """Writes a chunk whole or not at all.

    Raises:
        UserError: It cannot be written.
    """
    with replacing(path) as unfinished:
        save_file(values, unfinished)


def is_whole(path: Path) -> bool:
    """Whether a chunk is there; one that a failing disk has damaged is made again."""
    try:
        return bool(load_file(path))
    except (OSError, SafetensorError):
        return False
