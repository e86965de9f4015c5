"""Photographs of one object, brought to the size and place it has in rendered views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from PIL import Image, ImageOps
from torch import Tensor

from vidgen.errors import UserError

# Share of a rendered view that the longer side of an object fills, about: its bounding sphere
# fills 0.8.
_FILL = 0.65
_OPAQUE = 16
# Levels between the color of a plain background and anything else.
_UNLIKE = 24
# Share of the border's pixels that must be of one color for a background to be plain.
_PLAIN_BORDER = 0.9


def centred_object(path: Path, size: int) -> UInt8[Tensor, "3 size size"]:
    """The object of an image in the middle of a square, on white or on the image's own background.

    Args:
        path: Of a kind that PIL reads. The object is what is not transparent, or what differs from
            a plain background.
        size: Pixels of the square's side.

    Raises:
        UserError: It cannot be read, or shows no object on a plain background.
    """
    try:
        with Image.open(path) as image:
            picture = np.array(ImageOps.exif_transpose(image).convert("RGBA"))
    except Exception as error:  # decoders raise anything at all on a bad file
        reason = "it is no image of a known kind" if "cannot identify" in str(error) else error
        raise UserError(f"{path} cannot be read: {reason}") from error
    cover = picture[..., 3:].astype(float) / 255
    flat = np.round(cover * picture[..., :3] + (1 - cover) * 255).astype(np.uint8)
    if cover.min() < 1:
        mask, background = picture[..., 3] >= _OPAQUE, np.full(3, 255, dtype=np.uint8)
    else:
        mask, background = _unlike_border(flat, path)
    if not mask.any():
        raise UserError(f"{path} shows no object: all of it is background")
    square = _square_around(flat, mask, background)
    scaled = Image.fromarray(square).resize((size, size), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(scaled).transpose(2, 0, 1).copy())


def _unlike_border(
    picture: UInt8[np.ndarray, "height width 3"], path: Path
) -> tuple[Bool[np.ndarray, "height width"], UInt8[np.ndarray, " 3"]]:
    """Where a picture differs from the color of its border, and that color."""
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    color = np.median(border, axis=0)
    if np.mean(np.abs(border - color).max(axis=1) <= _UNLIKE) < _PLAIN_BORDER:
        raise UserError(
            f"--crop: {path} has neither transparency nor a plain background; cut the object out, "
            "or leave --crop out"
        )
    return np.abs(picture - color).max(axis=2) > _UNLIKE, color.astype(np.uint8)


def _square_around(
    picture: UInt8[np.ndarray, "height width 3"],
    mask: Bool[np.ndarray, "height width"],
    background: UInt8[np.ndarray, " 3"],
) -> UInt8[np.ndarray, "side side 3"]:
    """A square in whose middle the masked part fills the share of a rendered view."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    part = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = part.shape[:2]
    side = max(1, round(max(height, width) / _FILL))
    square = np.broadcast_to(background, (side, side, 3)).copy()
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = part
    return square
