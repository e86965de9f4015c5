"""Frames of videos that are stored as arrays: .npy, .npz and HDF5.

What is understood (N videos of T frames of H by W pixels and C channels, 1, 3 or 4):

    .npy, .npz "videos"   N T H W C · N T C H W · T H W C · T C H W · N T H W · T N H W · T H W
    .npz "lengths"        frames of each video that count
    HDF5 "image"          all frames in one row, F C H W or F H W C; a JSON list beside the file,
                          of the same name, gives each video's {"start", "end"}, end not included
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from data.readers.base import Frames, Reader
from data.records import VideoRecord
from data.sources import DataError

SUFFIXES = (".npy", ".npz", ".h5", ".hdf5")
_CHANNELS = (1, 3, 4)
# Time comes first where the first axis is this short and the second is longer: moving digits.
_MOST_TIME_FIRST = 64


@dataclass(frozen=True)
class ArrayVideo:
    """Where one video lies in an array.

    Attributes:
        axes: The array's axes, one letter each: n, t, h, w, c.
        item: Index along n.
        begin: First frame along t.
        num_frames: Frames of the video.
        height: Rows of a frame.
        width: Columns of a frame.
    """

    axes: str
    item: int
    begin: int
    num_frames: int
    height: int
    width: int


def axes_of(shape: tuple[int, ...]) -> str:
    """What an array's axes mean, one letter each: n, t, h, w, c.

    Raises:
        DataError: The shape is none of a video's.
    """
    rows = "nt" if len(shape) == 5 else "t"
    if len(shape) == 3:
        return rows + "hw"
    if len(shape) in (4, 5):
        if shape[-1] in _CHANNELS:
            return rows + "hwc"
        if shape[-3] in _CHANNELS:
            return rows + "chw"
        if len(shape) == 4:
            return "tnhw" if shape[0] <= _MOST_TIME_FIRST < shape[1] else "nthw"
    raise DataError(
        f"an array of shape {shape} is no video: give (videos, time, height, width, channel)"
    )


def count_items(path: Path) -> int:
    """Number of videos in an array file, from its header only.

    Raises:
        DataError: The file cannot be read as videos.
    """
    shape, _ = _header(path)
    spans = _spans(path)
    axes = axes_of(shape)
    if spans is not None:
        return len(spans)
    return shape[axes.index("n")] if "n" in axes else 1


def locate(path: Path, item: int) -> ArrayVideo:
    """Finds one video in an array file, from its header only.

    Raises:
        DataError: The file cannot be read as videos, or has no such row.
    """
    shape, lengths = _header(path)
    axes = axes_of(shape)
    size = dict(zip(axes, shape, strict=True))
    spans = _spans(path)
    num_items = size.get("n", 1) if spans is None else len(spans)
    if not 0 <= item < num_items:
        raise DataError(f"{path}: video {item} of {num_items} was asked")
    begin, end = (0, size["t"]) if spans is None else spans[item]
    if lengths is not None:
        end = min(end, int(lengths[item]))
    if not 0 <= begin < end <= size["t"]:
        raise DataError(f"{path}: video {item} has no frames, or some outside the array")
    return ArrayVideo(axes, item, begin, end - begin, size["h"], size["w"])


class ArrayReader(Reader):
    """Frames of one video in an array file; only what is asked for is read."""

    def __init__(self, path: Path, record: VideoRecord) -> None:
        super().__init__(record.num_frames, record.fps, (record.height, record.width))
        self._path = path
        self._video = locate(path, record.found.item)
        if self._video.num_frames != self.num_frames:
            raise DataError(f"{path}: no longer {self.num_frames} frames; scan again")

    def _read(self, wanted: list[int]) -> Frames:
        video = self._video
        numbers = [video.begin + number for number in wanted]
        place = {"n": video.item, "t": numbers}
        with _array(self._path) as array:
            part = np.asarray(array[tuple(place.get(axis, slice(None)) for axis in video.axes)])
        axes = video.axes.replace("n", "")
        if axes.endswith("chw"):
            part = part.transpose(0, 2, 3, 1)
        elif axes.endswith("hw"):
            part = part[..., None]
        return _three_channels(part)


def _three_channels(
    frames: UInt8[np.ndarray, "time height width channel"],
) -> UInt8[np.ndarray, "time height width 3"]:
    """Grey is repeated, transparency dropped."""
    if frames.shape[-1] == 1:
        return np.repeat(frames, 3, axis=-1)
    return np.ascontiguousarray(frames[..., :3])


@contextmanager
def _array(path: Path) -> Iterator[Any]:
    """The array of frames; of .npy and HDF5 files nothing is read before it is indexed."""
    with _explained(path):
        if path.suffix.lower() == ".npy":
            yield np.load(path, mmap_mode="r", allow_pickle=False)
        elif path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                yield arrays[_name_in(arrays.files)]
        else:
            with _hdf5(path) as file:
                yield file["image"]


def _header(path: Path) -> tuple[tuple[int, ...], Any]:
    """Shape of the array of frames, and the videos' lengths or `None`; pixels stay unread."""
    lengths = None
    with _explained(path):
        if path.suffix.lower() == ".npz":
            # np.load would unpack the pixels to tell their shape: a small file may hold gigabytes.
            with zipfile.ZipFile(path) as archive, np.load(path, allow_pickle=False) as arrays:
                shape, dtype = _npy_header(archive, _name_in(arrays.files) + ".npy")
                if "lengths" in arrays.files:
                    lengths = arrays["lengths"]
        else:
            with _array(path) as array:
                shape, dtype = tuple(array.shape), array.dtype
    if dtype != np.uint8:
        raise DataError(f"{path}: holds {dtype} where uint8 pixels are needed: convert it first")
    return shape, lengths


def _npy_header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    return shape, dtype


def _name_in(names: list[str]) -> str:
    """Which of an archive's arrays holds the frames."""
    if "videos" in names or not names:
        return "videos"
    return names[0]


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns what numpy, zipfile and h5py raise on bad files into one kind of error."""
    try:
        yield
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: no array of videos can be read from it ({error})") from error


def _hdf5(path: Path) -> Any:
    try:
        import h5py
    except ImportError as error:
        raise DataError("HDF5 files need the package h5py: pip install vidgen[hdf5]") from error
    return h5py.File(path, "r")


def _spans(path: Path) -> list[tuple[int, int]] | None:
    """Start and end of each video in an HDF5 file's row of frames, if a list lies beside it."""
    companion = path.with_suffix(".json")
    if path.suffix.lower() not in (".h5", ".hdf5") or not companion.is_file():
        return None
    try:
        listed = json.loads(companion.read_text(encoding="utf-8"))
        return [(int(record["start"]), int(record["end"])) for record in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{companion}: not a list of records with start and end") from error
