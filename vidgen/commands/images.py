"""Image files as a model's frames."""

from __future__ import annotations

from collections import Counter
from math import inf, log10
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from data.frames import with_channels
from data.geometry import preset
from vidgen.errors import UserError


def image_files(place: Path) -> dict[Path, str]:
    """The image, or all files of the folder in the order of their names; for each its clip's name.

    A clip is named after its image without the ending, unless that would name two clips, or the
    grid.

    Raises:
        UserError: There is nothing.
    """
    if place.is_file():
        files = [place]
    elif place.is_dir():
        files = sorted(f for f in place.iterdir() if f.is_file() and not f.name.startswith("."))
    else:
        raise UserError(f"{place} is neither an image nor a folder of images")
    if not files:
        raise UserError(f"the folder {place} is empty; give an image, or a folder of images")
    stems = Counter([*(file.stem for file in files), "grid"])
    return {file: file.stem if stems[file.stem] == 1 else file.name for file in files}


def read_image(
    path: Path, channels: int, size: tuple[int, int]
) -> UInt8[Tensor, "channel height width"]:
    """An image as a frame of training: its middle square, scaled; upright, on white, RGB or grey.

    Args:
        path: Of any kind that PIL reads; of several pictures the first.
        channels: 3 for colour, 1 for grey.
        size: Height and width of the frame.

    Raises:
        UserError: It cannot be read.
    """
    try:
        with Image.open(path) as image:
            picture = np.array(_plain(ImageOps.exif_transpose(image)))
    except Exception as error:  # decoders raise anything at all on a bad file
        reason = "it is no image of a known kind" if "cannot identify" in str(error) else error
        raise UserError(f"{path} cannot be read: {reason}") from error
    frame = preset("square", size).fixed(picture[None])
    return torch.from_numpy(with_channels(frame, channels)[0].transpose(2, 0, 1).copy())


def _plain(image: Image.Image) -> Image.Image:
    """The picture in 8-bit RGB, on white where it is transparent."""
    if image.mode.startswith("I"):  # 16 bits of grey; PIL's own conversion would cut them off
        levels = np.asarray(image).astype(np.int64).clip(0, 65535) >> 8
        image = Image.fromarray(levels.astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    picture = image.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def peak_signal_to_noise(
    pixels: UInt8[Tensor, "*shape"], reference: UInt8[Tensor, "*shape"]
) -> float:
    """PSNR in dB of pixels of 8 bits: 10·log10(255² / mean squared difference); equal ones: inf."""
    error = (pixels.double() - reference.double()).square().mean().item()
    return 10 * log10(255**2 / error) if error else inf
