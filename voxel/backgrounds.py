"""What stands behind a drawn object: white, a color drawn at random, or a piece of a photograph."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vidgen.errors import UserError

BackgroundKind = Literal["plain", "color", "photo"]

_PHOTO_ENDINGS = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".webp"))
_SMALLEST_CROP = 0.5
_ATTEMPTS = 100


class Backgrounds:
    """Backgrounds by the paper's way (3D-VAE-GAN, section 4.3), or simpler ones.

    Args:
        kind: plain is white, color one drawn at random, photo a random square of a random picture.
        photos: Folder of pictures, searched with all its subfolders.

    Raises:
        UserError: Photographs are asked for, and there are none.
    """

    def __init__(self, kind: BackgroundKind = "plain", photos: Path | None = None) -> None:
        self.kind: BackgroundKind = kind
        self._photos: list[Path] = []
        if kind == "photo":
            if photos is None or not photos.is_dir():
                raise UserError(f"--background photo: --photos {photos} is no folder of pictures")
            found = (path for path in photos.rglob("*") if path.suffix.lower() in _PHOTO_ENDINGS)
            self._photos = sorted(found)
            if not self._photos:
                raise UserError(f"--photos {photos} holds no JPEG, PNG, WebP or BMP")

    def draw(self, random: np.random.Generator, size: int) -> UInt8[np.ndarray, "3 size size"]:
        """A background; photographs that cannot be read are passed over.

        Args:
            random: Decides which.
            size: Pixels of a side.

        Raises:
            UserError: No photograph could be read.
        """
        if self.kind == "photo":
            return self._draw_photo(random, size)
        color = random.integers(0, 256, 3) if self.kind == "color" else np.full(3, 255)
        return np.broadcast_to(color.astype(np.uint8)[:, None, None], (3, size, size))

    def _draw_photo(self, random: np.random.Generator, size: int) -> np.ndarray:
        for _ in range(_ATTEMPTS):
            path = self._photos[random.integers(len(self._photos))]
            try:
                with Image.open(path) as image:
                    return _random_square(image.convert("RGB"), random, size)
            except Exception:  # decoders raise anything at all on a bad file
                continue
        raise UserError(f"{_ATTEMPTS} pictures such as {self._photos[0]} could not be read")


def _random_square(image: Image.Image, random: np.random.Generator, size: int) -> np.ndarray:
    """A square of at least half the picture's shorter side, scaled; (channel, height, width)."""
    shorter = min(image.size)
    side = max(1, round(shorter * random.uniform(_SMALLEST_CROP, 1)))
    left = int(random.integers(image.width - side + 1))
    top = int(random.integers(image.height - side + 1))
    square = image.resize((size, size), box=(left, top, left + side, top + side))
    return np.asarray(square).transpose(2, 0, 1)
