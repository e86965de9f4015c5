"""Images of handwritten digits, 28 x 28: scikit-learn's own, or MNIST in the forms it comes in."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image

from data.sources import DataError

SIDE = 28

Digits = tuple[UInt8[np.ndarray, "digit 28 28"], Int64[np.ndarray, " digit"] | None]
"""Images, white on black, and which digits they show (None: nobody knows)."""

# Names that people store MNIST under, in an .npz and in the idx form.
ARRAY_NAMES = (("x_train", "y_train"), ("images", "labels"), ("data", "target"))
IDX_NAMES = ("train-images-idx3-ubyte", "train-images.idx3-ubyte")


def scikit_learn_digits() -> Digits:
    """The 1,797 digits of scikit-learn, enlarged from 8 x 8.

    As in MNIST a digit fills the middle 20 x 20 pixels of 28 x 28, so that motion looks alike.
    """
    # Late, since scikit-learn takes a second to import and only this set needs it.
    from sklearn.datasets import load_digits

    rows, labels = load_digits(return_X_y=True)
    small = (np.asarray(rows) * (255 / 16)).round().astype(np.uint8).reshape(-1, 8, 8)
    images = np.zeros((len(small), SIDE, SIDE), dtype=np.uint8)
    for image, digit in zip(images, small, strict=True):
        enlarged = Image.fromarray(digit).resize((20, 20), Image.Resampling.BICUBIC)
        image[4:24, 4:24] = np.asarray(enlarged)
    return images, np.asarray(labels, dtype=np.int64)


def mnist_digits(path: Path) -> Digits:
    """MNIST (or digits stored like it) from a folder, an idx file, an .npz or an .npy.

    Raises:
        DataError: There is no such file, or it does not hold 28 x 28 images of bytes.
    """
    file = _idx_file_of(path) if path.is_dir() else path
    try:
        if file.suffix == ".npz":
            images, labels = _from_npz(file)
        elif file.suffix == ".npy":
            images, labels = np.load(file, allow_pickle=False), None
        else:
            images, labels = _from_idx(file)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{file} holds no digits that can be read: {error}") from None
    return _checked(images, labels, file)


def _checked(images: np.ndarray, labels: np.ndarray | None, file: Path) -> Digits:
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
        raise DataError(
            f"{file} holds {images.dtype} of shape {images.shape}; digits are uint8 of shape "
            f"(number, {SIDE}, {SIDE})."
        )
    if len(images) == 0:
        raise DataError(f"{file} holds no digits.")
    if labels is None:
        return images, None
    if labels.shape != images.shape[:1]:
        raise DataError(f"{file} holds {len(images)} digits, but labels of shape {labels.shape}.")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9:
        raise DataError(f"The labels of {file} are not the numbers 0 to 9.")
    return images, labels.astype(np.int64)


def _idx_file_of(folder: Path) -> Path:
    for name in IDX_NAMES:
        for file in (folder / name, folder / f"{name}.gz"):
            if file.is_file():
                return file
    raise DataError(f"{folder} has no file {IDX_NAMES[0]} or {IDX_NAMES[0]}.gz.")


def _from_npz(file: Path) -> tuple[np.ndarray, np.ndarray | None]:
    with np.load(file, allow_pickle=False) as arrays:
        for images, labels in ARRAY_NAMES:
            if images in arrays:
                return arrays[images], arrays.get(labels)
        raise ValueError(f"none of its arrays {sorted(arrays)} is named x_train, images or data")


def _from_idx(file: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Images of an idx file, and the labels that lie beside it under MNIST's names."""
    beside = file.with_name(file.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = _idx(beside) if beside != file and beside.is_file() else None
    return _idx(file), labels


def _idx(file: Path) -> np.ndarray:
    """An array in the idx format: two zeros, the type (8: bytes), the rank, big-endian lengths."""
    content = file.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError("it is neither idx, .npz nor .npy")
    rank = content[3]
    shape = np.frombuffer(content, ">u4", count=rank, offset=4).astype(np.int64)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
