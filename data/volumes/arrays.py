"""Volumes from files: NumPy arrays, MATLAB files, binvox. Nothing read here is executed."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Num

from data.sources import DataError
from data.volumes.binvox import read_binvox

VOLUME_ENDINGS = frozenset((".binvox", ".mat", ".npy", ".npz"))
LARGEST_SIDE = 512
MOST_BYTES = 16 << 30

_NAMES = ("voxels", "instance", "volume", "occupancy")

Volume = Bool[np.ndarray, "x y z"]


def holds_volumes(path: Path) -> bool:
    """Whether an array file looks like volumes and not like a video, by its header."""
    try:
        shape = _guarded(lambda: _open(path).shape)
        return len(set(_stack_shape(shape)[1:])) == 1
    except DataError:
        return False


def read_volumes(path: Path) -> Iterator[Volume]:
    """All volumes of a file, one after another, since a stack may be larger than the memory.

    Occupied are integers above 0 and fractions of at least 0.5.

    Raises:
        DataError: The file is damaged, too large or holds something else than volumes.
    """
    if path.suffix.lower() == ".binvox":
        yield read_binvox(path)
        return
    values = _guarded(lambda: _open(path))
    shape = _stack_shape(values.shape)
    if values.dtype.kind not in "biuf":
        raise DataError(f"its numbers are of type {values.dtype}: give bool, integers or floats")
    yield from map(_occupied, values.reshape(shape))


def _occupied(values: Num[np.ndarray, "x y z"] | Volume) -> Volume:
    if values.dtype.kind != "f":
        return np.asarray(values > 0)
    if not np.isfinite(values).all():
        raise DataError("it holds numbers that are not finite")
    return np.asarray(values >= 0.5)


def _open(path: Path) -> np.ndarray:
    ending = path.suffix.lower()
    if ending == ".npy":
        return np.load(path, mmap_mode="r", allow_pickle=False)
    if ending == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return archive[_chosen(archive.files, lambda name: _npz_shape(path, name))]
    return _open_mat(path)


def _npz_shape(path: Path, name: str) -> tuple[int, ...]:
    """From the header alone: a hostile archive may unpack to more than the memory holds."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    _refuse_large(shape, dtype.itemsize)
    return shape


def _open_mat(path: Path) -> np.ndarray:
    import scipy.io

    with open(path, "rb") as file:
        if file.read(8) == b"\x89HDF\r\n\x1a\n" or b"MATLAB 7.3" in file.read(20):
            return _open_mat73(path)
    shapes = {name: shape for name, shape, _ in scipy.io.whosmat(path)}
    name = _chosen(list(shapes), lambda name: shapes[name])
    _refuse_large(shapes[name], 8)
    return np.ascontiguousarray(scipy.io.loadmat(path, variable_names=[name])[name])


def _open_mat73(path: Path) -> np.ndarray:
    try:
        import h5py
    except ImportError:
        raise DataError("MATLAB 7.3 files need h5py: pip install 'vidgen[hdf5]'") from None
    with h5py.File(path, "r") as file:
        sets: dict[str, Any] = {k: v for k, v in file.items() if isinstance(v, h5py.Dataset)}
        dataset = sets[_chosen(list(sets), lambda name: sets[name].shape[::-1])]
        _refuse_large(dataset.shape, dataset.dtype.itemsize)
        # HDF5 lists MATLAB's axes from the last to the first.
        return np.ascontiguousarray(np.transpose(dataset[()]))


def _chosen(names: list[str], shape_of: Callable[[str], tuple[int, ...]]) -> str:
    """The array that holds the volumes: by its name, else the first that has their shape."""
    named = [name for name in _NAMES if name in names]
    for name in named + names:
        try:
            _stack_shape(shape_of(name))
        except DataError:
            continue
        return name
    raise DataError(f"no volumes among its arrays ({', '.join(names[:6]) or 'none'})")


def _stack_shape(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """(number, x, y, z) of an array of one volume, of many, or of many with a channel.

    Raises:
        DataError: It is none of these.
    """
    sides = shape[-3:]
    is_stack = len(shape) in (3, 4) or (len(shape) == 5 and shape[1] == 1)
    if not is_stack or min(sides) < 2 or max(sides) > LARGEST_SIDE:
        raise DataError(
            f"its shape is {shape}, not (R, R, R), (N, R, R, R) or (N, 1, R, R, R) with R from 2"
            f" to {LARGEST_SIDE}"
        )
    x, y, z = sides
    return (shape[0] if len(shape) > 3 else 1, x, y, z)


def _refuse_large(shape: tuple[int, ...], item_bytes: int) -> None:
    if math.prod(shape) * item_bytes > MOST_BYTES:
        raise DataError(f"an array of shape {shape} is larger than {MOST_BYTES >> 30} GB")


def _guarded(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except DataError:
        raise
    except Exception as error:  # damaged files raise anything at all
        if "pickle" in str(error):
            raise DataError(
                "it holds Python objects, which could run code: save plain numbers"
            ) from None
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise DataError(f"no readable array: {reason}") from error
