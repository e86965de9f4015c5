"""Shapes of images: the work of the command reconstruct."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from vidgen.commands import outputs
from vidgen.commands.images import image_files, read_image
from vidgen.errors import UserError
from voxel import pictures
from voxel.commands.arguments import ShapeOptions
from voxel.commands.shapes import ShapeFolder, labels_of, volumes
from voxel.object_pictures import centred_object


def write_reconstructions(
    run: Path, options: ShapeOptions, place: Path, name: str | None, crop: bool, samples: int
) -> None:
    """Writes the shape of each image, and pictures of images and shapes side by side.

    Args:
        run: Folder of a training.
        options: Which model makes shapes, and what becomes of them.
        place: An image, or a folder of them.
        name: Of the files of a single image; `None` takes the image's.
        crop: Find the object first.
        samples: Latents drawn for each image; 0 takes the likeliest.

    Raises:
        UserError: The model cannot do this, or there is no image that can be read.
    """
    files = image_files(place)
    loaded = outputs.open_game(run, options)
    reconstruct = outputs.ability(loaded, "reconstruct", "make shapes of images")
    drawn = {"num_samples": samples} if samples else {}
    if samples and "num_samples" not in inspect.signature(reconstruct).parameters:
        raise UserError(f"--samples: a {type(loaded.game).__name__} draws none; leave it out")
    size = getattr(loaded.game, "view_shape", (3, 256, 256))[1:]
    folder = ShapeFolder(options)
    read = False
    for batch in outputs.batches(_images(files, size, crop), options.batch_size):
        read = True
        images = torch.stack([pixels for _, pixels in batch])
        labels = labels_of(loaded, options, len(batch))
        with outputs.enough_memory(len(batch)), torch.no_grad():
            views = (images.float() / 127.5 - 1).to(loaded.game.device)
            occupancies = volumes(reconstruct(views, labels, **drawn))
        for (own_name, pixels), occupancy in zip(batch, occupancies, strict=True):
            folder.write(name or own_name, occupancy, _thumbnail(pixels))
    if not read:
        raise UserError(f"no file of {place} could be read as an image")
    if name is None:
        folder.write_pictures()
    else:
        folder.write_pictures(name, name)


def _images(
    files: dict[Path, str], size: tuple[int, int], crop: bool
) -> Iterator[tuple[str, UInt8[Tensor, "3 height width"]]]:
    """Each image and its name; of several files, those that cannot be read cost one line each."""
    for path, name in files.items():
        try:
            pixels = centred_object(path, size[0]) if crop else read_image(path, 3, size)
        except UserError as error:
            if len(files) == 1:
                raise
            outputs.say(f"left out: {error}")
            continue
        yield name, pixels


def _thumbnail(pixels: UInt8[Tensor, "3 height width"]) -> UInt8[np.ndarray, "3 size size"]:
    image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    return np.asarray(image.resize((pictures.SIZE, pictures.SIZE))).transpose(2, 0, 1)
