"""What `python -m data` does with shapes: one function a command, each giving the exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

from data.layouts.tree import VIDEO_ENDINGS
from data.shapes import shape_remarks
from data.sources import DataError
from data.volumes.arrays import VOLUME_ENDINGS, holds_volumes
from data.volumes.finding import chosen, find_shapes
from data.volumes.meshes import MESH_ENDINGS
from data.volumes.preparing import prepare_shapes, shapes_in_memory
from data.volumes.store import (
    ShapeIndex,
    Voxelization,
    bits_sha256,
    is_shape_store,
    read_shape_index,
)

_ARRAYS = frozenset((".npy", ".npz"))
# Small volumes tell as well as large ones whether a file can be read.
_CHECKED_SIZE = 32


def holds_shapes(root: Path) -> bool:
    """Whether a folder holds shapes rather than videos: by endings, for arrays by a header."""
    root = Path(root).expanduser()
    if is_shape_store(root):
        return True
    array: Path | None = None
    places = [(root.parent, [root.name])] if root.is_file() else _files(root)
    for folder, names in places:
        for name in names:
            ending = os.path.splitext(name)[1].lower()
            if ending in VIDEO_ENDINGS:
                return False
            if ending in MESH_ENDINGS or ending in VOLUME_ENDINGS - _ARRAYS:
                return True
            if ending in _ARRAYS and array is None:
                array = Path(folder) / name
    return array is not None and holds_volumes(array)


def prepare(settings: argparse.Namespace) -> int:
    """Makes a store, or finds it up to date."""
    if len(settings.size) > 1:
        raise DataError(f"--size {settings.size}: a volume has one size")
    voxelization = Voxelization(settings.size[0], settings.pad, settings.up)
    listing = chosen(find_shapes(settings.root), settings.root, None, settings.split)
    index, up_to_date = prepare_shapes(
        settings.root, settings.destination, listing, voxelization, settings.num_workers
    )
    _print(shape_remarks(index))
    megabytes = len(index.records) * voxelization.volume_bytes / 1e6
    state = ", up to date" if up_to_date else ""
    _print(
        [
            f"{settings.destination}: {len(index.records)} volumes of {voxelization.size} cells a"
            f" side, {megabytes:.1f} MB{state}",
            f"train from it with --data.root {settings.destination}",
        ]
    )
    return 0


def check(settings: argparse.Namespace) -> int:
    """Names every unreadable file; 1 if a store is damaged."""
    if is_shape_store(settings.root):
        index = read_shape_index(settings.root)
        whole = bits_sha256(settings.root) == index.sha256
        state = "whole" if whole else "damaged, not what was written: prepare it again"
        _print([f"{settings.root}: store of {len(index.records)} volumes, {state}"])
        return 0 if whole else 1
    index = _read(settings)
    _print(shape_remarks(index))
    _print(
        [
            f"{settings.root}: layout {index.layout}, {len(index.records)} usable,"
            f" {len(index.rejects)} left out"
        ]
    )
    return 0


def statistics(settings: argparse.Namespace) -> int:
    """Counts shapes by kind, class and split."""
    index = _read(settings)
    records = index.records
    objects = len({record.file.group for record in records})
    lines = [
        f"layout: {index.layout}",
        f"shapes: {len(records)} of {objects} objects, and {len(index.rejects)} left out",
    ]
    endings = Counter(os.path.splitext(record.file.path)[1].lower() for record in records)
    lines.append(f"files: {_counted(endings)}")
    lines.append(f"up axis: {_counted(Counter(record.up for record in records))}")
    lines.append(f"open meshes: {sum(record.num_open_edges > 0 for record in records)}")
    splits = Counter(record.file.split or "none" for record in records)
    lines.append(f"splits: {_counted(splits)}")
    labels = Counter(record.file.label for record in records)
    lines += [f"class {label} {name}: {labels[label]}" for label, name in enumerate(index.classes)]
    _print(lines)
    return 0


def _read(settings: argparse.Namespace) -> ShapeIndex:
    if is_shape_store(settings.root):
        return read_shape_index(settings.root)
    listing = chosen(find_shapes(settings.root), settings.root, None, settings.split)
    voxelization = Voxelization(_CHECKED_SIZE, up=settings.up)
    index, _ = shapes_in_memory(settings.root, listing, voxelization, settings.num_workers)
    return index


def _files(root: Path) -> list[tuple[str, list[str]]]:
    return [(folder, names) for folder, _, names in os.walk(root)]


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{value} ({count})" for value, count in counts.most_common())


def _print(lines: list[str]) -> None:
    # File names may hold letters that the terminal cannot show.
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
