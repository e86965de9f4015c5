"""A folder of videos, or a store prepared from one, as a source of clips."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from data.clips import ClipSampler, Short, Start
from data.faces import FaceBox
from data.folder import scanned_folder, scanned_masks
from data.frames import Indices, Pixels, Preparation, VideoFiles
from data.geometry import Preprocessing, Size
from data.layouts import LayoutName, Options, Split
from data.layouts.tree import Notes
from data.records import VideoRecord
from data.selection import Wanted, selected
from data.sources import DataError, Sample, Source
from data.store import FrameStore, StoreIndex, is_store, read_index

Value = TypeVar("Value")


@runtime_checkable
class _Frames(Protocol):
    def get(self, record: VideoRecord, indices: Indices) -> Pixels: ...


class VideoClips(Source):
    """Clips of the videos in a folder.

    Args:
        root: Folder of videos, or a store made of one by `python -m data prepare`.
        num_frames: Frames of a clip; `None` takes what the game wants.
        size: Height and width of a clip, or one number for both; `None` takes what the game wants.
        channels: 3 for color, 1 for grey; `None` takes what the game wants.
        layout: How the folder is laid out; `auto` recognises it.
        split: Part for training, validation or test; `None` takes every video.
        fold: Number of UCF-101's split list, 1 to 3.
        split_lists: Folder of the split files; `None` looks in the root and beside it.
        compression: FaceForensics++: `raw`, `c0`, `c23` or `c40`.
        source: FaceForensics: `original`, `altered`, `actors` or the name of a manipulation.
        follow_links: Also read what links lead to outside the root.
        classes: Names of the classes to take, in the order of their labels; `None` takes all.
        per_class: Most videos of a class, drawn by the seed; `None` sets no limit.
        max_videos: Most videos in all, drawn by the seed; `None` sets no limit.
        stride: Frames of the video from one frame of a clip to the next.
        fps: Frames a second of a clip, whatever the video's; `None` counts frames by the stride.
        start: Where in its video a clip starts.
        short: What to do with a video that is shorter than a clip.
        preprocessing: From the video's frame to the clip's: the largest centred `square`, the
            middle after scaling the `short_side`, the `whole` frame squeezed, the `face` that a
            mask marks, or as in a paper.
        face_box: One box for the whole video (`union`), one a frame (`frame`, as published), or
            those averaged over time (`smooth`).
        flip: Mirror half of the clips, left to right.
        scan_cache: JSON file that remembers the scan of the folder; `None` scans every time.
        seed: Draws which videos stay under `per_class` and `max_videos`.

    Attributes:
        catalog: All videos that the scan could read, and what it could not.
        labels: Class of each video, or -1.
        groups: Who or what each video shows, which must not be split between training and test
            (UCF-101's gNN), or "".

    Raises:
        DataError: The folder cannot be used so; the text says what to change.
    """

    def __init__(
        self,
        root: Path,
        num_frames: int | None = None,
        size: int | tuple[int, int] | None = None,
        channels: int | None = None,
        layout: LayoutName = "auto",
        split: Split | None = None,
        fold: int = 1,
        split_lists: Path | None = None,
        compression: str = "c23",
        source: str = "original",
        follow_links: bool = False,
        classes: list[str] | None = None,
        per_class: int | None = None,
        max_videos: int | None = None,
        stride: int = 1,
        fps: float | None = None,
        start: Start = "random",
        short: Short = "loop",
        preprocessing: Preprocessing = "square",
        face_box: FaceBox = "union",
        flip: bool = False,
        scan_cache: Path | None = None,
        seed: int = 0,
    ) -> None:
        root = Path(root).expanduser()
        preparation = Preparation(
            _size(_given("size", size)), _given("channels", channels), preprocessing, face_box
        )
        options = Options(split, fold, split_lists, compression, source)
        self._preparation = preparation
        self._flip = flip
        self._drawn = preparation.geometry(flip).drawn
        self._sampler = ClipSampler(
            _given("num_frames", num_frames), stride, fps, start=start, short=short
        )
        self._frames: _Frames
        self._origin = f"{root}: "
        if is_store(root):
            index = read_index(root)
            _refuse_other_settings(root, index, preparation, layout, options)
            self.catalog = index.catalog
            self._frames = FrameStore(root, index)
            self._origin += f"store prepared from {index.catalog.root}, "
        else:
            self.catalog = scanned_folder(root, layout, options, follow_links, scan_cache)
            masks = {}
            if preprocessing == "face":
                masks = scanned_masks(self.catalog, scan_cache)
            self._frames = VideoFiles(root, preparation, masks)
        wanted = Wanted(classes, per_class, max_videos, seed)
        self.classes, self._records = selected(self.catalog, self._sampler, wanted)
        self.labels = [record.found.label for record in self._records]
        self.groups = [record.found.group for record in self._records]
        self.fps = fps or median(record.fps for record in self._records) / stride

    def __len__(self) -> int:
        """Number of videos; each draw of one gives another of its clips."""
        return len(self._records)

    def draw(self, item: int, generator: np.random.Generator) -> Sample:
        """One clip of a video; equal generators give equal clips, in any process.

        Raises:
            DataError: The file cannot be read, or has changed since the scan.
        """
        record = self._records[item]
        try:
            indices = self._sampler.indices(record.num_frames, record.fps, generator)
            pixels = self._drawn(self._frames.get(record, indices), generator)
        except Exception as error:  # decoders raise anything at all on a file that has gone bad
            reason = str(error) or type(error).__name__
            raise DataError(f"'{record.found.path}' cannot be read: {reason}") from error
        return Sample(np.ascontiguousarray(pixels.transpose(3, 0, 1, 2)), record.found.label)

    def spread(self, item: int, count: int) -> UInt8[np.ndarray, "clip channel time height width"]:
        """Clips evenly spaced over a video, from its first frame to its last, decoded at once.

        Raises:
            DataError: The file cannot be read, or has changed since the scan.
        """
        record = self._records[item]
        try:
            wanted = self._sampler.spread(record.num_frames, record.fps, count)
            numbers, places = np.unique(wanted, return_inverse=True)
            # One crop and one flip for all clips of the video.
            frames = self._drawn(self._frames.get(record, numbers), np.random.default_rng(item))
        except Exception as error:  # as in `draw`
            reason = str(error) or type(error).__name__
            raise DataError(f"'{record.found.path}' cannot be read: {reason}") from error
        clips = frames[places.reshape(wanted.shape)]  # (clip, time, height, width, channel)
        return np.ascontiguousarray(clips.transpose(0, 4, 1, 2, 3))

    def fingerprint(self) -> str:
        """SHA-256 of what would be drawn, the same in any place and from a prepared store."""
        settings = [asdict(self._sampler), asdict(self._preparation), self._flip, self.classes]
        videos = [_identity(record) for record in self._records]
        return hashlib.sha256(json.dumps([settings, videos]).encode()).hexdigest()

    def report(self) -> list[str]:
        """What was found and what was left out, a line each."""
        counts = Counter(record.found.label for record in self._records)
        classes = ", ".join(f"{name} {counts[label]}" for label, name in enumerate(self.classes))
        unused = len(self.catalog.records) - len(self._records)
        lines = [
            f"{self._origin}layout {self.catalog.layout}, {len(self)} videos"
            + (f" in {len(self.classes)} classes" if self.classes else " without classes")
            + (f", {unused} more not used (too short or not wanted)" if unused else "")
        ]
        if len(self.classes) > 1:
            lines.append(f"videos of each class: {classes}")
        lines += [f"left out, {reject.path}: {reject.reason}" for reject in self.catalog.rejects]
        remarks = Notes()
        for record in self._records:
            if record.note:
                remarks.add("used with a remark", f"{record.found.path} ({record.note})")
        return lines + remarks.lines() + self.catalog.notes


def _given(name: str, value: Value | None) -> Value:
    if value is None:
        raise DataError(f"{name} is not set: give data.{name}")
    return value


def _size(size: int | Size) -> Size:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _identity(record: VideoRecord) -> list[Any]:
    # Folders of frames: the size of a folder is the file system's affair, not the data's.
    num_bytes = 0 if record.found.kind == "frames" else record.num_bytes
    found = record.found
    frames = [record.num_frames, record.height, record.width, record.fps]
    return [found.path, found.item, found.label, num_bytes, *frames]


def _refuse_other_settings(
    root: Path, index: StoreIndex, wanted: Preparation, layout: str, options: Options
) -> None:
    """A store holds one size and one part of a data set: others must be prepared anew."""
    stored = index.preparation
    pairs = {
        "size": (stored.size, wanted.size),
        "channels": (stored.channels, wanted.channels),
        "preprocessing": (stored.preprocessing, wanted.preprocessing),
        "split": (index.options.split, options.split),
    }
    if layout != "auto":
        pairs["layout"] = (index.catalog.layout, layout)
    if options.split is not None:
        pairs["fold"] = (index.options.fold, options.fold)
    if wanted.preprocessing == "face":
        pairs["face_box"] = (stored.face_box, wanted.face_box)
    if index.catalog.layout.startswith("faceforensics"):
        pairs["source"] = (index.options.source, options.source)
        pairs["compression"] = (index.options.compression, options.compression)
    for name, (has, wants) in pairs.items():
        if has != wants:
            raise DataError(
                f"the store '{root}' was prepared with {name} {has}, not {wants}: set data.{name}"
                " to it, or prepare another store"
            )
