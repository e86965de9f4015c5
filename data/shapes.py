"""A folder of shapes, or a store prepared from one, as a source of volumes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from data.layouts import Split
from data.sources import DataError, Sample, Source
from data.volumes.finding import ShapeListing, chosen, find_shapes
from data.volumes.orientation import Rotations, Up, mirrored, rotated, shifted
from data.volumes.preparing import prepare_shapes, shapes_in_memory
from data.volumes.store import (
    PackedVolumes,
    ShapeIndex,
    ShapeRecord,
    Voxelization,
    is_shape_store,
    read_shape_index,
)

TURNTABLE_FPS = 24.0
OCCUPIED = 255

_CACHE = "shapes"
_NAMED = 8


class Shapes(Source):
    """Volumes of the meshes and voxel files in a folder.

    A sample is uint8 (1, size, size, size), 255 where occupied: divided by 255 it is an occupancy
    in [0, 1]. The three axes are x, y and z with z up.

    Args:
        root: Folder of OFF, OBJ, STL, PLY or GLB meshes, of binvox, .mat, .npy or .npz volumes
            (ModelNet, ShapeNet, 3D ShapeNets, class folders), one such file, or a store made by
            `python -m data prepare`.
        size: Cells along a side; `None` takes what the game wants.
        split: Part for training, validation or test; `None` takes every shape.
        classes: Names of the classes to take, in the order of their labels; `None` takes all.
        per_class: Most objects of a class, drawn by the seed; `None` sets no limit.
        per_object: Most stored rotations of one object (3D ShapeNets has 12), the first ones;
            `None` takes all.
        max_shapes: Most volumes in all, drawn by the seed; `None` sets no limit.
        up: The axis that points upwards in the files; `None` takes y for ShapeNet, OBJ and GLB,
            and z for all others.
        pad: Cells left free at both ends of a mesh's longest side; `None` leaves a sixteenth of
            the size.
        rotations: Turn each sample by one of so many rotations: 4 or 12 about the up axis, 24 are
            all by which a cube falls upon itself, 1 leaves it.
        flip: Mirror half of the samples, left to right: left hands become right ones.
        max_shift: Move each sample by up to so many cells along each axis.
        scan_cache: File beside which the volumes are kept, in the folder `shapes`; `None` keeps
            them in memory. A training keeps them in the folder of its run.
        num_workers: Processes that read and voxelise a folder that is not a store.
        seed: Draws which shapes stay under `per_class` and `max_shapes`.

    Attributes:
        records: What is drawn from, one for each item.
        labels: Class of each item, or -1.
        groups: The object that each item shows; rotations of one share it.

    Raises:
        DataError: The folder cannot be used so; the text says what to change.
    """

    fps = TURNTABLE_FPS

    def __init__(
        self,
        root: Path,
        size: int | None = None,
        split: Split | None = None,
        classes: list[str] | None = None,
        per_class: int | None = None,
        per_object: int | None = None,
        max_shapes: int | None = None,
        up: Up | None = None,
        pad: float | None = None,
        rotations: Rotations = 1,
        flip: bool = False,
        max_shift: int = 0,
        scan_cache: Path | None = None,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        root = Path(root).expanduser()
        if size is None:
            raise DataError("size is not set: give data.size")
        for name, limit in (
            ("per_class", per_class),
            ("per_object", per_object),
            ("max_shapes", max_shapes),
        ):
            if limit is not None and limit < 1:
                raise DataError(f"{name} is {limit}: give 1 or more")
        if not 0 <= max_shift < size:
            raise DataError(f"max_shift is {max_shift}: give 0 or more, below the size")
        wanted = Voxelization(size, pad, up)
        self.rotations: Rotations = rotations
        self.flip, self.max_shift = flip, max_shift
        if is_shape_store(root):
            self.index = read_shape_index(root)
            _refuse_other_settings(root, self.index, wanted)
            listing = chosen(_listed(self.index), root, classes, split)
            self._volumes = PackedVolumes(root, size)
        else:
            listing = chosen(find_shapes(root), root, classes, split)
            if scan_cache is None:
                self.index, packed = shapes_in_memory(root, listing, wanted, num_workers)
                self._volumes = PackedVolumes(packed, size)
            else:
                cache = Path(scan_cache).with_name(_CACHE)
                self.index, _ = prepare_shapes(root, cache, listing, wanted, num_workers)
                self._volumes = PackedVolumes(cache.absolute(), size)
        self.classes = listing.classes
        self._root, self._size = root, size
        self._numbers, self.records = _selected(
            self.index, listing, per_class, per_object, max_shapes, seed
        )
        self.labels = [record.file.label for record in self.records]
        self.groups = [record.file.group for record in self.records]

    def __len__(self) -> int:
        """Number of volumes."""
        return len(self.records)

    def draw(self, item: int, generator: np.random.Generator) -> Sample:
        """One volume, turned, mirrored and moved as the settings say.

        Raises:
            DataError: The store was replaced since it was opened.
        """
        volume = self._volumes.get(self._numbers[item])
        if self.rotations > 1:
            volume = rotated(volume, self.rotations, int(generator.integers(self.rotations)))
        if self.flip and generator.integers(2):
            volume = mirrored(volume)
        if self.max_shift:
            steps = generator.integers(-self.max_shift, self.max_shift + 1, size=3)
            volume = shifted(volume, steps)
        return Sample(np.ascontiguousarray(volume)[None] * np.uint8(OCCUPIED), self.labels[item])

    def fingerprint(self) -> str:
        """SHA-256 of the cells of all volumes and the settings, from files as from a store."""
        settings = [self._size, self.rotations, self.flip, self.max_shift, self.classes]
        volumes = [[record.digest, record.file.label] for record in self.records]
        return hashlib.sha256(json.dumps([settings, volumes]).encode()).hexdigest()

    def report(self) -> list[str]:
        """What was found and what was left out, a line each."""
        counts = Counter(self.labels)
        objects = len(set(self.groups))
        lines = [
            f"{self._root}: layout {self.index.layout}, {len(self)} volumes of {objects} objects"
            + (f" in {len(self.classes)} classes" if self.classes else " without classes")
            + f", {self._size} cells a side"
        ]
        if len(self.classes) > 1:
            named = (f"{name} {counts[label]}" for label, name in enumerate(self.classes))
            lines.append(f"volumes of each class: {', '.join(named)}")
        return lines + shape_remarks(self.index)


def shape_remarks(index: ShapeIndex) -> list[str]:
    """What became of the files of an index, a line for each sort of thing and each reject."""
    lines = [f"left out, {reject.path}: {reject.reason}" for reject in index.rejects]
    ups = Counter(record.up for record in index.records)
    turned = ", ".join(f"{axis} up in {count}" for axis, count in sorted(ups.items()))
    lines.append(f"up axis of the files: {turned}; z is up in the volumes")
    num_open = sum(record.num_open_edges > 0 for record in index.records)
    if num_open:
        lines.append(
            f"{num_open} meshes are open: filled where two of three axes agree, else their surface"
        )
    repeats = sorted({record.repeats for record in index.records if record.repeats > 1})
    if repeats:
        count = sum(record.repeats > 1 for record in index.records)
        steps = " or ".join(map(str, repeats))
        lines.append(f"{count} volumes are enlarged: they have steps of {steps} cells")
    return lines + index.notes


def _listed(index: ShapeIndex) -> ShapeListing:
    files = [record.file for record in index.records]
    return ShapeListing(index.layout, index.classes, files, index.notes)


def _refuse_other_settings(root: Path, index: ShapeIndex, wanted: Voxelization) -> None:
    """A store holds volumes of one size and orientation."""
    has = asdict(index.voxelization)
    for name, value in asdict(wanted).items():
        # What is not given takes what the store has.
        if value is not None and value != has[name]:
            raise DataError(
                f"the store '{root}' was prepared with {name} {has[name]}, not {value}: set"
                f" data.{name} to it, or prepare another store"
            )


def _selected(
    index: ShapeIndex,
    listing: ShapeListing,
    per_class: int | None,
    per_object: int | None,
    max_shapes: int | None,
    seed: int,
) -> tuple[list[int], list[ShapeRecord]]:
    """Numbers of the wanted volumes in the index, and their records with the wanted labels."""
    files = {(file.path, file.item): file for file in listing.files}
    labels = {file.path: file.label for file in listing.files}
    generator = np.random.default_rng(seed)
    objects: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, record in enumerate(index.records):
        # A raw folder lists a stack once, a store each of its volumes.
        path = record.file.path
        if (path, record.file.item) in files or (path, 0) in files:
            objects[labels[path]][record.file.group].append(number)
    numbers = []
    for label in sorted(objects):
        groups = list(objects[label].values())
        for at in _drawn(len(groups), per_class, generator):
            numbers += groups[at][:per_object]
    numbers = [numbers[at] for at in _drawn(len(numbers), max_shapes, generator)]
    records = []
    for number in numbers:
        record = index.records[number]
        file = replace(record.file, label=labels[record.file.path])
        records.append(replace(record, file=file))
    return numbers, records


def _drawn(count: int, most: int | None, generator: np.random.Generator) -> list[int]:
    """All numbers below `count`, or as many of them at random in their own order."""
    if most is None or most >= count:
        return list(range(count))
    return sorted(generator.choice(count, most, replace=False).tolist())
