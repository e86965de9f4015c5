"""Still pictures as pixels: what frame folders and strips are made of."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from data.sources import DataError

# Other formats of Pillow's may run programs (EPS) or hold whole documents.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
# Pictures and arrays do not say how fast they are to be shown.
DEFAULT_FPS = 25.0


def open_picture(path: Path) -> Image.Image:
    """A picture whose header has been read and whose pixels have not.

    Raises:
        DataError: It is no picture, or cannot be opened.
    """
    try:
        return Image.open(path, formats=FORMATS)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: not a picture that can be read") from error


def pixels(picture: Image.Image) -> UInt8[np.ndarray, "height width channel"]:
    """Red, green and blue of a picture: transparency is dropped, grey is repeated.

    Raises:
        DataError: The file is damaged.
    """
    try:
        return np.asarray(picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's PNG reader raises SyntaxError
        raise DataError(f"{picture.filename}: the picture is damaged") from error  # pyright: ignore


def numbered_pictures(folder: Path) -> list[Path]:
    """The pictures right inside a folder, in natural order: 2.png comes before 10.png."""
    pictures = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    return sorted(pictures, key=lambda path: natural_order(path.name))


def natural_order(name: str) -> list[tuple[int, str]]:
    """A key that sorts names by the numbers in them."""
    parts = re.split(r"([0-9]+)", name)
    return [(int(part), part) if at % 2 else (-1, part) for at, part in enumerate(parts)]
