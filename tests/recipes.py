"""What makes a recipe small enough for a test: options of its game, files of its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.data import films

_TINY_TGAN = ["num_frames=4", "frame_size=16", "temporal_width=16", "image_width=16"]

_TINY_VGAN = ["num_frames=16", "frame_size=16", "width=2", "discriminator_width=2"]
_TINY_VOXELS = ["resolution=16", "latent_dim=8", "width=4", "discriminator_width=4"]
_TINY_MOCOGAN = ["num_frames=16", "frame_size=16", "generator_width=2", "discriminator_width=2"]

TINY_GAMES = {
    "vidgen.TGAN": [f"--game.{option}" for option in (*_TINY_TGAN, "critic_width=4")],
    "vidgen.VGAN": [f"--game.{option}" for option in _TINY_VGAN],
    "vidgen.MoCoGAN": [f"--game.{option}" for option in _TINY_MOCOGAN],
    "vidgen.ImageToVideoMoCoGAN": [f"--game.{option}" for option in _TINY_MOCOGAN],
    "vidgen.ImageVGAN": [f"--game.{option}" for option in _TINY_VGAN[:-1]],
    "voxel.VoxelGAN": [f"--game.{option}" for option in _TINY_VOXELS],
    "voxel.VoxelVAEGAN": [
        f"--game.{option}" for option in (*_TINY_VOXELS, "encoder_width=2", "image_size=32")
    ],
}


def tiny_data(recipe: str, folder: Path) -> list[str]:
    """Arguments for the recipe's data, after files of its layout were written."""
    if "MovingDigits" in recipe:
        return ["--game.frame_size=32"]  # a digit has 28 pixels
    arguments = ["--data.root", str(folder), "--data.preprocessing=square"]
    if "layout: strips" in recipe:
        rows = np.random.default_rng(0).integers(0, 256, (4, 10, 24, 24, 3), np.uint8)
        for number, frames in enumerate(rows):
            home = folder / str(number % 2)
            home.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.concatenate(list(frames), axis=1)).save(home / f"{number}.png")
        return arguments
    ucf_tree(folder)
    return arguments


def ucf_tree(folder: Path) -> None:
    """Four films of ten frames, two groups in two classes, named and listed as UCF-101's."""
    rows = np.random.default_rng(0).integers(0, 256, (4, 10, 24, 24, 3), np.uint8)
    lists = folder / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    lines = []
    for number, frames in enumerate(rows):
        name = ("Archery", "Biking")[number % 2]
        (folder / name).mkdir(exist_ok=True)
        path = folder / name / f"v_{name}_g{number // 2:02d}_c{number:02d}.avi"
        films.write_film(path, list(frames), films.LOSSLESS)
        lines.append(f"{name}/{path.name} {number % 2 + 1}")
    (lists / "classInd.txt").write_text("1 Archery\n2 Biking\n")
    (lists / "trainlist01.txt").write_text("\n".join(lines))
    (lists / "testlist01.txt").write_text("")
