"""binvox files: a text header, then runs of equal cells with y fastest, then z, then x."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool

from data.sources import DataError

_LARGEST_SIDE = 1024


def read_binvox(path: Path) -> Bool[np.ndarray, "x y z"]:
    """The volume of a file.

    Raises:
        DataError: The header is none, or the runs are fewer or more than the cells.
    """
    content = path.read_bytes()
    header, found, runs = content.partition(b"data\n")
    if not content.startswith(b"#binvox") or not found:
        raise DataError("no binvox file: its header is missing or damaged")
    sides = _sides(header)
    pairs = np.frombuffer(runs[: len(runs) // 2 * 2], np.uint8).reshape(-1, 2)
    num_cells = int(np.prod(sides))
    ends = np.cumsum(pairs[:, 1], dtype=np.int64)
    # Some writers leave bytes behind the last run; what lies before must fit exactly.
    last = int(np.searchsorted(ends, num_cells))
    if last == len(ends) or ends[last] != num_cells:
        held = int(ends[-1]) if len(ends) else 0
        raise DataError(f"its runs hold {held} cells, not the {num_cells} of {sides}")
    cells = np.repeat(pairs[: last + 1, 0] > 0, pairs[: last + 1, 1])
    x, y, z = sides
    return np.ascontiguousarray(cells.reshape(x, z, y).transpose(0, 2, 1))


def write_binvox(
    path: Path,
    volume: Bool[np.ndarray, "x y z"],
    corner: tuple[float, float, float] = (0, 0, 0),
    scale: float = 1,
) -> None:
    """Writes a volume.

    Args:
        path: The file.
        volume: Its cells; axes of one length, as the format's other readers expect.
        corner: Where the first cell's outer corner lies in space.
        scale: Length of a side of the whole volume.
    """
    cells = np.ascontiguousarray(volume.transpose(0, 2, 1)).reshape(-1).astype(np.uint8)
    starts = np.concatenate(([0], np.flatnonzero(np.diff(cells)) + 1))
    lengths = np.diff(np.append(starts, len(cells)))
    # A run holds 255 cells at most: long ones are cut into full pieces and what is left over.
    pieces = -(-lengths // 255)
    runs = np.empty((int(pieces.sum()), 2), np.uint8)
    runs[:, 0] = np.repeat(cells[starts], pieces)
    runs[:, 1] = 255
    runs[np.cumsum(pieces) - 1, 1] = lengths - 255 * (pieces - 1)
    x, y, z = volume.shape
    translate = " ".join(f"{value:g}" for value in corner)
    # The header names x, z and y by depth, width and height.
    header = f"#binvox 1\ndim {x} {z} {y}\ntranslate {translate}\nscale {scale:g}\ndata\n"
    path.write_bytes(header.encode() + runs.tobytes())


def _sides(header: bytes) -> tuple[int, int, int]:
    for line in header.decode("ascii", "replace").splitlines():
        words = line.split()
        if words[:1] == ["dim"]:
            try:
                depth, width, height = (int(word) for word in words[1:4])
            except ValueError:
                break
            sides = (depth, height, width)
            if min(sides) >= 1 and max(sides) <= _LARGEST_SIDE:
                return sides
    raise DataError(f"its header gives no sides from 1 to {_LARGEST_SIDE}")
