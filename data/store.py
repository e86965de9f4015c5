"""A prepared store: every frame of a data set at training size, ready to be copied into a clip.

    frames.u8     uint8 (frame, channel, height, width), all videos one after another
    index.json    settings, and for each video its record and its first frame
    scan.json     what the scan of the source saw, so that preparing again is quick

Channels come before rows because a clip is (channel, time, height, width): gathering 16 frames of
64x64 then copies whole planes (7 us measured, 83 us with channels last). The file is mapped anew
for each clip (50 us in all): a mapping that is kept counts every page ever touched as this
process's memory, and one of a file that has shrunk kills the process instead of raising an error.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.catalogs import record_as_dict, record_from_dict
from data.frames import Indices, Pixels, Preparation
from data.layouts import Options
from data.records import Catalog, Reject, VideoRecord
from data.sources import DataError

FRAMES, INDEX, SCAN = "frames.u8", "index.json", "scan.json"
VERSION = 1

VideoKey = tuple[str, int]


@dataclass
class StoreIndex:
    """What is in a store.

    Attributes:
        catalog: The videos; its root is where they were read from.
        offsets: Number of each video's first frame.
        preparation: What became of every frame.
        options: Which part of the data set it is.
        frame_size: Height and width of a stored frame; larger than the clips' where each clip
            draws its own crop.
        num_frames: Frames in the file, some of which belong to no video if one failed.
        source: Fingerprint of what it was made from.
        sha256: Of the frames.
    """

    catalog: Catalog
    offsets: list[int]
    preparation: Preparation
    options: Options
    frame_size: tuple[int, int]
    num_frames: int
    source: str
    sha256: str

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        return self.preparation.channels * self.frame_size[0] * self.frame_size[1]


def is_store(folder: Path) -> bool:
    """Whether a folder is a prepared store."""
    return (Path(folder) / INDEX).is_file() and (Path(folder) / FRAMES).is_file()


def write_index(folder: Path, index: StoreIndex) -> None:
    """Writes the index and waits until it is on the disk."""
    catalog = index.catalog
    content = {
        "version": VERSION,
        "layout": catalog.layout,
        "classes": catalog.classes,
        "root": str(catalog.root),
        "notes": catalog.notes,
        "rejects": [asdict(reject) for reject in catalog.rejects],
        "videos": [record_as_dict(record) for record in catalog.records],
        "offsets": index.offsets,
        "preparation": asdict(index.preparation),
        "options": asdict(index.options) | {"split_lists": None},
        "frame_size": index.frame_size,
        "num_frames": index.num_frames,
        "source": index.source,
        "sha256": index.sha256,
    }
    with open(folder / INDEX, "w", encoding="ascii") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())


def read_index(folder: Path) -> StoreIndex:
    """The index of a store.

    Raises:
        DataError: It cannot be read, or the frames are not as many as it says.
    """
    path = folder / INDEX
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != VERSION:
            raise DataError(f"'{folder}' is a store of another version: prepare it again")
        index = _index_from(content)
        num_bytes = os.stat(folder / FRAMES).st_size
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"'{path}' is damaged ({error}): prepare the store again") from None
    expected = index.num_frames * index.frame_bytes
    if num_bytes != expected:
        raise DataError(
            f"'{folder / FRAMES}' has {num_bytes} bytes, not {expected}: prepare the store again"
        )
    return index


def _index_from(content: dict[str, Any]) -> StoreIndex:
    catalog = Catalog(
        root=Path(content["root"]),
        layout=content["layout"],
        classes=content["classes"],
        records=[record_from_dict(values) for values in content["videos"]],
        rejects=[Reject(**values) for values in content["rejects"]],
        notes=content["notes"],
    )
    preparation = dict(content["preparation"])
    preparation["size"] = tuple(preparation["size"])
    return StoreIndex(
        catalog=catalog,
        offsets=content["offsets"],
        preparation=Preparation(**preparation),
        options=Options(**content["options"]),
        frame_size=tuple(content["frame_size"]),
        num_frames=content["num_frames"],
        source=content["source"],
        sha256=content["sha256"],
    )


def frames_sha256(folder: Path) -> str:
    """SHA-256 of the frames as they lie on the disk."""
    with open(folder / FRAMES, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FrameStore:
    """Frames from a prepared store, as `VideoFiles` would give them.

    Args:
        folder: The store.
        index: Its index.
    """

    def __init__(self, folder: Path, index: StoreIndex) -> None:
        self._path = str(folder / FRAMES)
        self._shape = (index.preparation.channels, *index.frame_size)
        self._frame_bytes = index.frame_bytes
        self._offsets: dict[VideoKey, int] = {
            video_key(record): offset
            for record, offset in zip(index.catalog.records, index.offsets, strict=True)
        }
        self._identity = self._present_identity()

    def get(self, record: VideoRecord, indices: Indices) -> Pixels:
        """Frames of one video by their numbers.

        Raises:
            DataError: The store was replaced since it was opened.
        """
        if self._present_identity() != self._identity:
            raise DataError("the store was prepared anew meanwhile: start again")
        first, last = int(indices.min()), int(indices.max())
        mapped = np.memmap(
            self._path,
            np.uint8,
            mode="r",
            offset=(self._offsets[video_key(record)] + first) * self._frame_bytes,
            shape=(last - first + 1, *self._shape),
        )
        planes = np.asarray(mapped)
        if last - first + 1 != len(indices) or (np.diff(indices) != 1).any():
            planes = planes[indices - first]
        return planes.transpose(0, 2, 3, 1)

    def _present_identity(self) -> tuple[int, int]:
        status = os.stat(self._path)
        return status.st_ino, status.st_mtime_ns


def video_key(record: VideoRecord) -> VideoKey:
    """What tells a video from all others of its data set."""
    return record.found.path, record.found.item
