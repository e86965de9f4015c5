"""Makes prepared shapes: every file read once, voxelised or fitted, and packed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from data.partial import partial_folder, put_in_place
from data.progress import shown_progress
from data.records import Reject
from data.sources import DataError
from data.volumes.arrays import VOLUME_ENDINGS, read_volumes
from data.volumes.finding import ShapeFile, ShapeListing
from data.volumes.fitting import fitted, num_repeats
from data.volumes.meshes import read_mesh
from data.volumes.orientation import Up, upright_volume
from data.volumes.store import (
    BITS,
    INDEX,
    ShapeIndex,
    ShapeRecord,
    Voxelization,
    bits_sha256,
    read_shape_index,
    write_shape_index,
)
from data.volumes.voxelizing import METHOD, voxelized
from data.workers import mapped

# Files that one job of a worker process reads: small ones cost less than to pass them on.
_FILES_AT_ONCE = 16

Packed = UInt8[np.ndarray, "volume byte"]


class Made(NamedTuple):
    """What came of one file: a record and packed cells for each shape, or reasons."""

    records: list[ShapeRecord]
    packed: list[bytes]
    rejects: list[Reject]


def prepare_shapes(
    root: Path,
    destination: Path,
    listing: ShapeListing,
    voxelization: Voxelization,
    num_workers: int = 2,
) -> tuple[ShapeIndex, bool]:
    """Makes a store of a folder of shapes; the one that is there stays if nothing has changed.

    The store appears complete or not at all. A shape that fails costs a line in the rejects.

    Args:
        root: Folder of shapes, or one file.
        destination: Folder of the store; one of another source or settings is replaced.
        listing: The shapes in the root that are wanted.
        voxelization: How they become volumes.
        num_workers: Processes that read and voxelise; 0 does it in this one.

    Returns:
        The store's index, and whether it was there already.

    Raises:
        DataError: No shape can be used, the destination is something else than a store, or it
            cannot be written.
    """
    root, destination = Path(root).expanduser(), Path(destination).expanduser().absolute()
    source = source_fingerprint(root, listing, voxelization)
    present = _present(destination)
    if present is not None and present.source == source:
        return present, True
    with partial_folder(destination, (BITS, INDEX)) as partial:
        try:
            with open(partial / BITS, "wb") as file:
                index = _made(root, listing, voxelization, num_workers, file.write)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise DataError(f"'{partial}' cannot be written: {error.strerror}") from error
        index.source, index.sha256 = source, bits_sha256(partial)
        write_shape_index(partial, index)
        put_in_place(partial, destination)
    return index, False


def shapes_in_memory(
    root: Path, listing: ShapeListing, voxelization: Voxelization, num_workers: int = 0
) -> tuple[ShapeIndex, Packed]:
    """The same without a file: the index, and the packed volumes one a row.

    Raises:
        DataError: No shape can be used.
    """
    packed = bytearray()
    index = _made(Path(root).expanduser(), listing, voxelization, num_workers, packed.extend)
    rows = np.frombuffer(packed, np.uint8).reshape(len(index.records), -1)
    return index, rows


def source_fingerprint(root: Path, listing: ShapeListing, voxelization: Voxelization) -> str:
    """SHA-256 of names, sizes and times of the files, and of the settings."""
    files = []
    for file in listing.files:
        try:
            status = os.stat(_located(root, file.path))
        except OSError:
            continue
        files.append([asdict(file), status.st_size, status.st_mtime_ns])
    settings = [METHOD, asdict(voxelization), listing.classes]
    return hashlib.sha256(json.dumps([settings, files]).encode()).hexdigest()


def _present(destination: Path) -> ShapeIndex | None:
    if not destination.exists():
        return None
    names = set(os.listdir(destination)) if destination.is_dir() else {""}
    if names and not names == {BITS, INDEX}:
        raise DataError(f"'{destination}' is there and is no prepared store: choose a new folder")
    try:
        return read_shape_index(destination) if names else None
    except DataError:
        return None  # damaged: prepared anew


def _made(
    root: Path,
    listing: ShapeListing,
    voxelization: Voxelization,
    num_workers: int,
    write: Callable[[bytes], object],
) -> ShapeIndex:
    index = ShapeIndex(root, listing.layout, listing.classes, voxelization, [])
    index.notes = list(listing.notes)
    files = listing.files
    jobs = [files[at : at + _FILES_AT_ONCE] for at in range(0, len(files), _FILES_AT_ONCE)]
    maker = _ShapeMaker(root, voxelization, {f.path: listing.default_up(f.path) for f in files})
    done = 0
    with shown_progress("Voxelising") as progress:
        for job, made in zip(jobs, mapped(maker, jobs, num_workers), strict=True):
            index.records += made.records
            index.rejects += made.rejects
            for packed in made.packed:
                write(packed)
            done += len(job)
            progress(done, len(files))
    if not index.records:
        first = index.rejects[0]
        raise DataError(
            f"none of the {len(files)} shapes in '{root}' can be used; the first,"
            f" '{first.path}': {first.reason}"
        )
    return index


@dataclass(frozen=True)
class _ShapeMaker:
    """Reads files and gives packed volumes, in any process.

    Attributes:
        root: Folder of shapes, or one file.
        voxelization: How they become volumes.
        ups: For each path the axis that usually points upwards in it.
    """

    root: Path
    voxelization: Voxelization
    ups: dict[str, Up]

    def __call__(self, files: list[ShapeFile]) -> Made:
        """What came of each file, in order."""
        made = Made([], [], [])
        for file in files:
            try:
                self._make(file, made)
            except Exception as error:  # parsers raise anything at all on damaged files
                reason = str(error) or type(error).__name__
                made.rejects.append(Reject(file.path, reason))
        return made

    def _make(self, file: ShapeFile, made: Made) -> None:
        path = _located(self.root, file.path)
        up = self.voxelization.up or self.ups[file.path]
        size = self.voxelization.size
        if path.suffix.lower() not in VOLUME_ENDINGS:
            voxels = voxelized(read_mesh(path), size, self.voxelization.pad, up)
            self._add(made, ShapeRecord(file, "", up, voxels.num_open_edges), voxels.volume)
            return
        for item, volume in enumerate(read_volumes(path)):
            if not volume.any():
                made.rejects.append(Reject(file.path, f"volume {item} is empty", item))
                continue
            group = file.group if item == 0 else f"{file.group}:{item}"
            one = replace(file, item=item, group=group)
            record = ShapeRecord(one, "", up, repeats=num_repeats(volume, size))
            self._add(made, record, fitted(upright_volume(volume, up), size))

    def _add(self, made: Made, record: ShapeRecord, volume: np.ndarray) -> None:
        packed = np.packbits(volume).tobytes()
        digest = hashlib.blake2b(packed, digest_size=8).hexdigest()
        made.records.append(replace(record, digest=digest))
        made.packed.append(packed)


def _located(root: Path, path: str) -> Path:
    return root if root.is_file() else root / path
