"""Prepared shapes: the occupancy of every shape of a data set, packed, eight cells a byte.

    volumes.bits  one shape after the other, R*R*R / 8 bytes each, cells in order of x, y, z
    index.json    settings, and for each shape its file, class, split and a digest of its cells

10,668 volumes of 32 cells a side are 44 MB. The file is mapped anew for each shape, as the frames
of videos are (data/store.py).
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from data.records import Reject
from data.sources import DataError
from data.volumes.finding import ShapeFile
from data.volumes.orientation import Up

BITS, INDEX = "volumes.bits", "index.json"
VERSION = 1


@dataclass(frozen=True)
class Voxelization:
    """How shapes become volumes.

    Args:
        size: Cells along a side; a multiple of 2, so that a volume is a whole number of bytes.
        pad: Cells left free at both ends of a mesh's longest side; `None` leaves a sixteenth of
            the size. Volumes keep the margin they come with.
        up: The axis that points upwards in the files; `None` takes y for ShapeNet, OBJ and GLB,
            and z for all others.
    """

    size: int
    pad: float | None = None
    up: Up | None = None

    def __post_init__(self) -> None:
        if not (8 <= self.size <= 256 and self.size % 2 == 0):
            raise DataError(f"size is {self.size}: give an even number from 8 to 256")
        if self.pad is not None and not 0 <= self.pad < self.size / 2:
            raise DataError(f"pad is {self.pad}: give 0 or more, below half of the size")

    @property
    def volume_bytes(self) -> int:
        """Bytes of one packed volume."""
        return self.size**3 // 8


@dataclass(frozen=True)
class ShapeRecord:
    """One prepared shape.

    Attributes:
        file: Where it came from.
        digest: Of its cells.
        up: The axis that pointed upwards in its file.
        num_open_edges: Of its mesh; 0 for a closed one and for a volume.
        repeats: How often each cell of a given volume was repeated along a side.
    """

    file: ShapeFile
    digest: str
    up: Up
    num_open_edges: int = 0
    repeats: int = 1


@dataclass
class ShapeIndex:
    """What is in a store, in the order of its volumes.

    Attributes:
        root: Where the shapes were read from.
        layout: Of the root.
        classes: Names in the order of the labels.
        voxelization: How they were made.
        records: The shapes.
        rejects: Files that could not be used.
        notes: What else was seen.
        source: Fingerprint of the files and settings it was made from.
        sha256: Of the packed volumes.
    """

    root: Path
    layout: str
    classes: list[str]
    voxelization: Voxelization
    records: list[ShapeRecord]
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    source: str = ""
    sha256: str = ""


def is_shape_store(folder: Path) -> bool:
    """Whether a folder holds prepared shapes."""
    return (Path(folder) / INDEX).is_file() and (Path(folder) / BITS).is_file()


def write_shape_index(folder: Path, index: ShapeIndex) -> None:
    """Writes the index and waits until it is on the disk."""
    content = asdict(index) | {"version": VERSION, "root": str(index.root)}
    with open(folder / INDEX, "w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())


def read_shape_index(folder: Path) -> ShapeIndex:
    """The index of a store.

    Raises:
        DataError: It cannot be read, or the volumes are not as many as it says.
    """
    path = Path(folder) / INDEX
    try:
        content = json.loads(path.read_bytes())
        if content.pop("version") != VERSION:
            raise DataError(f"'{folder}' is a store of another version: prepare it again")
        index = _index_from(content)
        num_bytes = os.stat(Path(folder) / BITS).st_size
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"'{path}' is damaged ({error}): prepare the store again") from None
    expected = len(index.records) * index.voxelization.volume_bytes
    if num_bytes != expected:
        raise DataError(
            f"'{Path(folder) / BITS}' has {num_bytes} bytes, not {expected}: prepare it again"
        )
    return index


def _index_from(content: dict[str, Any]) -> ShapeIndex:
    records = [
        ShapeRecord(**{**values, "file": ShapeFile(**values["file"])})
        for values in content["records"]
    ]
    return ShapeIndex(
        **{
            **content,
            "root": Path(content["root"]),
            "voxelization": Voxelization(**content["voxelization"]),
            "records": records,
            "rejects": [Reject(**values) for values in content["rejects"]],
        }
    )


def bits_sha256(folder: Path) -> str:
    """SHA-256 of the packed volumes as they lie on the disk."""
    with open(folder / BITS, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class PackedVolumes:
    """Volumes by their number, from a store or from memory.

    Args:
        packed: The store's folder, or the packed volumes, one a row.
        size: Cells along a side.
    """

    def __init__(self, packed: Path | UInt8[np.ndarray, "volume byte"], size: int) -> None:
        self._size = size
        self._packed = packed
        self._identity = self._present_identity()

    def get(self, number: int) -> UInt8[np.ndarray, "size size size"]:
        """One volume of zeros and ones.

        Raises:
            DataError: The store was replaced since it was opened.
        """
        if isinstance(self._packed, np.ndarray):
            row = self._packed[number]
        else:
            if self._present_identity() != self._identity:
                raise DataError("the store was prepared anew meanwhile: start again")
            num_bytes = self._size**3 // 8
            path = self._packed / BITS
            row = np.memmap(path, np.uint8, "r", number * num_bytes, (num_bytes,))
        return np.unpackbits(row).reshape(self._size, self._size, self._size)

    def _present_identity(self) -> tuple[int, int]:
        if isinstance(self._packed, np.ndarray):
            return 0, 0
        status = os.stat(self._packed / BITS)
        return status.st_ino, status.st_mtime_ns
