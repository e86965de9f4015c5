"""Write the shape seen in an image.

python -m voxel reconstruct runs/vaegan photo.png --out chair.glb --largest --smooth --height 0.9
python -m voxel reconstruct runs/vaegan photos/ --out shapes
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

from vidgen.commands.arguments import check_range
from voxel.commands.arguments import Format, ShapeOptions, run_on_arguments


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_on_arguments(reconstruct, arguments)


def reconstruct(
    run: Path,
    options: ShapeOptions,
    image: Path,
    *,
    crop: bool = False,
    samples: int = 0,
) -> None:
    """Write the shape seen in each image, and a picture with image and shape side by side.

    --out is a folder, or of one image also a file such as chair.glb, with chair.png and chair.mp4
    beside it.

    Args:
        run: Folder of a training of 3D-VAE-GAN.
        options: Which model makes shapes, and what becomes of them.
        image: An image, or a folder of images; the middle square is taken, transparent parts are
            white.
        crop: Find the object first, by transparency or a plain background, and let it fill the
            image as it does in training.
        samples: Latents drawn for each image, whose shapes are averaged; 0 takes the likeliest.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    check_range("samples", samples, 0, 10_000)
    name = None
    ending = options.out.suffix.lower().lstrip(".")
    if image.is_file() and ending in get_args(Format) and not options.out.is_dir():
        name = options.out.stem
        options = replace(options, out=options.out.parent, format=ending)  # pyright: ignore

    from voxel.commands.reconstructions import write_reconstructions  # brings torch

    write_reconstructions(run, options, image, name, crop, samples)
