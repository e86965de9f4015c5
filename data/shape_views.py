"""Pairs of a picture and the shape that it shows, for learning shapes from pictures.

The shapes lie as for `data.Shapes`, and beside each its views, under the same name:

    ROOT/chair/train/chair_0001.off     the shape: any mesh or volume that `data.Shapes` reads
    ROOT/chair/train/chair_0001.mp4     its views: one frame a view, a turn after the other,
    ROOT/chair/train/chair_0001/        or a folder of pictures, in natural order

The views may also lie in a tree of their own of the same folders (`views`). Frame n of a turntable
of 24 angles and 3 elevations is angle n % 24 of elevation n // 24. The volume stays in its own
pose whatever the view.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from data.folder import masks_scan
from data.frames import Preparation, VideoFiles
from data.layouts import Layout, Split
from data.layouts.tree import VIDEO_ENDINGS
from data.progress import shown_progress
from data.records import Found, VideoRecord
from data.scan import scan
from data.shapes import TURNTABLE_FPS, Shapes
from data.sources import DataError, Sample, Source
from data.volumes.orientation import Up


class ShapeViews(Source):
    """Volumes, each with one of its views drawn at random.

    A sample's `view` is uint8 (3, view_size, view_size); its `clip` is a volume as `data.Shapes`
    gives it.

    Args:
        root: Folder of shapes, as for `data.Shapes`.
        size: Cells along a side; `None` takes what the game wants.
        view_size: Height and width of a view in pixels; `None` takes what the game wants.
        views: Folder of the videos or pictures; `None` takes the root.
        frames: Numbers of the views to draw from, from 0; `None` takes all. What is left out can
            be kept for a test.
        split: Part for training, validation or test; `None` takes every shape.
        classes: Names of the classes to take, in the order of their labels; `None` takes all.
        per_class: Most objects of a class, drawn by the seed; `None` sets no limit.
        up: The axis that points upwards in the files; `None` takes y for ShapeNet, OBJ and GLB,
            and z for all others.
        pad: Cells left free at both ends of a mesh's longest side; `None` leaves a sixteenth of
            the size.
        scan_cache: File that remembers the scan of the views, and beside which the volumes are
            kept; `None` keeps nothing.
        num_workers: Processes that read and voxelise the shapes.
        seed: Draws which shapes stay under `per_class`.

    Attributes:
        shapes: The volumes; items are numbered otherwise there if some have no views.
        labels: Class of each item, or -1.

    Raises:
        DataError: The folder cannot be used so; the text says what to change.
    """

    fps = TURNTABLE_FPS

    def __init__(
        self,
        root: Path,
        size: int | None = None,
        view_size: int | None = None,
        views: Path | None = None,
        frames: list[int] | None = None,
        split: Split | None = None,
        classes: list[str] | None = None,
        per_class: int | None = None,
        up: Up | None = None,
        pad: float | None = None,
        scan_cache: Path | None = None,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        if view_size is None:
            raise DataError("view_size is not set: give data.view_size")
        self.shapes = Shapes(
            root,
            size,
            split,
            classes,
            per_class,
            per_object=1,
            up=up,
            pad=pad,
            scan_cache=scan_cache,
            num_workers=num_workers,
            seed=seed,
        )
        self.classes = self.shapes.classes
        self._views_root = Path(root if views is None else views).expanduser()
        self._preparation = Preparation((view_size, view_size), 3, "square")
        self._files = VideoFiles(self._views_root, self._preparation)
        cache = None if scan_cache is None else masks_scan(Path(scan_cache))
        self._items, self._records, self._remarks = self._scanned(cache)
        self._frames = None if frames is None else np.array(sorted(set(frames)), np.int64)
        if self._frames is not None:
            self._refuse_frames(self._frames)
        self.labels = [self.shapes.labels[item] for item in self._items]

    def __len__(self) -> int:
        """Number of shapes that have views."""
        return len(self._items)

    def draw(self, item: int, generator: np.random.Generator) -> Sample:
        """The volume of an item and one of its views.

        Raises:
            DataError: The view cannot be read, or has changed since the scan.
        """
        frames = self._frames
        if frames is None:
            number = int(generator.integers(self.num_views(item)))
        else:
            number = int(frames[generator.integers(len(frames))])
        sample = self.shapes.draw(self._items[item], generator)
        return sample._replace(view=self.view(item, number))

    def num_views(self, item: int) -> int:
        """How many views there are of an item's shape."""
        return self._records[item].num_frames

    def view(self, item: int, number: int) -> UInt8[np.ndarray, "3 view_height view_width"]:
        """One view of an item's shape by its number.

        Raises:
            DataError: It cannot be read, or has changed since the scan.
        """
        record = self._records[item]
        try:
            frames = self._files.get(record, np.array([number], np.int64))
        except Exception as error:  # decoders raise anything at all on a file that has gone bad
            reason = str(error) or type(error).__name__
            raise DataError(f"'{record.found.path}' cannot be read: {reason}") from error
        return np.ascontiguousarray(frames[0].transpose(2, 0, 1))

    def fingerprint(self) -> str:
        """SHA-256 of the volumes, and of the names, sizes and lengths of the views."""
        frames = None if self._frames is None else self._frames.tolist()
        settings = [self._preparation.size, frames]
        views = [
            # The size of a folder is the file system's affair, not the data's.
            [item, record.num_frames, 0 if record.found.kind == "frames" else record.num_bytes]
            for item, record in zip(self._items, self._records, strict=True)
        ]
        content = [self.shapes.fingerprint(), settings, views]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def report(self) -> list[str]:
        """What was found and what was left out, a line each."""
        numbers = [record.num_frames for record in self._records]
        between = f"{min(numbers)} to {max(numbers)}" if numbers else "no"
        return [
            *self.shapes.report(),
            f"{self._views_root}: views of {len(self)} shapes, {between} each",
            *self._remarks,
        ]

    def _scanned(self, cache: Path | None) -> tuple[list[int], list[VideoRecord], list[str]]:
        """Items of the shapes that have readable views, the scans of these, and remarks."""
        found: dict[str, int] = {}
        layout = Layout("views", [], [])
        bare = 0
        for item, record in enumerate(self.shapes.records):
            view = self._found(os.path.splitext(record.file.path)[0])
            if view is None:
                bare += 1
            else:
                found[view.path] = item
                layout.found.append(view)
        if not found:
            first = os.path.splitext(self.shapes.records[0].file.path)[0]
            raise DataError(
                f"no views in '{self._views_root}': looked for '{first}.mp4' or a folder '{first}'"
                " of pictures, and the same of the other shapes"
            )
        with shown_progress("Scanning views") as progress:
            catalog = scan(self._views_root, layout, cache, None, progress)
        remarks = [f"left out, {reject.path}: {reject.reason}" for reject in catalog.rejects]
        if bare:
            remarks.append(f"left out, {bare} shapes without views")
        if not catalog.records:
            raise DataError(f"no views in '{self._views_root}' can be read; {remarks[0]}")
        items = [found[record.found.path] for record in catalog.records]
        return items, catalog.records, remarks

    def _found(self, stem: str) -> Found | None:
        """The video or folder of pictures of a shape."""
        place = self._views_root / stem
        for ending in sorted(VIDEO_ENDINGS):
            if place.with_name(place.name + ending).is_file():
                return Found(stem + ending, "video")
        return Found(stem, "frames") if place.is_dir() else None

    def _refuse_frames(self, frames: np.ndarray) -> None:
        fewest = min(record.num_frames for record in self._records)
        if len(frames) == 0 or frames[0] < 0 or frames[-1] >= fewest:
            raise DataError(
                f"frames is {frames.tolist()}: give numbers from 0 to {fewest - 1}, the views that"
                " every shape has"
            )
