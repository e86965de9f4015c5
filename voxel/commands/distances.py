"""Distances of each shape of a set to each of another, kept in files: stopped, they go on.

A hundred shapes have ten thousand distances, and one between two clouds of points takes
milliseconds. Rows are kept 32 at a time, as columns are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from safetensors.numpy import load_file

from vidgen.commands.columns import Columns, chunk_name, chunk_numbers, is_whole, save_values
from voxel.metrics import chamfer_distances, overlap_distances

Distance = Literal["cd", "iou"]
_FORMAT = 1


@dataclass(frozen=True)
class Pairing:
    """Two sets and a distance between their shapes.

    Attributes:
        distance: `cd` is the Chamfer distance of `points`, `iou` 1 - IoU of `cells`.
        ones: What is known of the rows' shapes.
        others: What is known of the columns' shapes.
    """

    distance: Distance
    ones: Columns
    others: Columns

    @property
    def among(self) -> bool:
        """Whether both are one set: then half of the distances say all."""
        return self.ones.key == self.others.key

    @property
    def key(self) -> str:
        """Tells it from any other."""
        sides = [[side.key, side.count] for side in (self.ones, self.others)]
        text = json.dumps([_FORMAT, self.distance, sides])
        return "distances-" + hashlib.sha256(text.encode()).hexdigest()[:24]


class DistanceStore:
    """Folders of distances.

    Args:
        folder: Their home.
        rank: This process.
        world_size: Number of processes, which take the rows in turn.
    """

    def __init__(self, folder: Path, rank: int = 0, world_size: int = 1) -> None:
        self._home, self._rank, self._world_size = folder, rank, world_size

    def fill(self, pairing: Pairing, progress: Callable[[int, int], None]) -> None:
        """Computes this process's share of what is missing.

        Args:
            pairing: What is wanted; both sets' columns must be there.
            progress: Called with the number of rows done and of all.

        Raises:
            UserError: A file cannot be written.
        """
        folder, ones, others = self._home / pairing.key, None, None
        for number, rows in enumerate(chunk_numbers(pairing.ones.count)):
            path = folder / chunk_name(rows)
            if number % self._world_size == self._rank and not is_whole(path):
                if ones is None or others is None:
                    ones, others = _shapes(pairing, pairing.ones), _shapes(pairing, pairing.others)
                # Those before the diagonal are found from the other side of it.
                first = rows[0] if pairing.among else 0
                found = _between(pairing.distance, ones[rows[0] : rows[-1] + 1], others[first:])
                save_values(path, {"distances": found})
            progress(rows[-1] + 1, pairing.ones.count)

    def matrix(self, pairing: Pairing) -> Float[np.ndarray, "ones others"]:
        """The distances, a row a shape of the first set; all must be there."""
        matrix = np.zeros((pairing.ones.count, pairing.others.count))
        for rows in chunk_numbers(pairing.ones.count):
            found = load_file(self._home / pairing.key / chunk_name(rows))["distances"]
            matrix[rows[0] : rows[-1] + 1, pairing.others.count - found.shape[1] :] = found
        return np.triu(matrix) + np.triu(matrix, 1).T if pairing.among else matrix


def _between(distance: Distance, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    if distance == "cd":
        return chamfer_distances(list(ones), list(others))
    return overlap_distances(ones, others)


def _shapes(pairing: Pairing, columns: Columns) -> np.ndarray:
    if pairing.distance == "cd":
        return columns.all("points").astype(np.float64)
    return np.unpackbits(columns.all("cells"), axis=1).astype(bool)
