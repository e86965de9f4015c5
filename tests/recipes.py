"""What makes a recipe small enough for a test: options of its game, files of its layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.data import films

_TINY_TGAN = ["num_frames=4", "frame_size=16", "temporal_width=16", "image_width=16"]

_TINY_VGAN = ["num_frames=16", "frame_size=16", "width=2", "discriminator_width=2"]
_TINY_AUTOENCODER = [*_TINY_VGAN[:-1], "latent_dim=4", "num_components=2"]
_TINY_VOXELS = ["resolution=16", "latent_dim=8", "width=4", "discriminator_width=4"]
_TINY_MOCOGAN = ["num_frames=16", "frame_size=16", "generator_width=2", "discriminator_width=2"]
_TINY_TGANV2 = ["num_frames=8", "frame_size=64", "widths=[4,4,4,4,4,4,4]", "discriminator_width=2"]

TINY_GAMES = {
    "vidgen.TGAN": [f"--game.{option}" for option in (*_TINY_TGAN, "critic_width=4")],
    "vidgen.TGANv2": [f"--game.{option}" for option in _TINY_TGANV2],
    "vidgen.VGAN": [f"--game.{option}" for option in _TINY_VGAN],
    "vidgen.MoCoGAN": [f"--game.{option}" for option in _TINY_MOCOGAN],
    "vidgen.ImageToVideoMoCoGAN": [f"--game.{option}" for option in _TINY_MOCOGAN],
    "vidgen.ImageVGAN": [f"--game.{option}" for option in _TINY_VGAN[:-1]],
    "vidgen.VideoAutoencoder": [f"--game.{option}" for option in _TINY_AUTOENCODER],
    "voxel.VoxelGAN": [f"--game.{option}" for option in _TINY_VOXELS],
    "voxel.VoxelVAEGAN": [
        f"--game.{option}" for option in (*_TINY_VOXELS, "encoder_width=2", "image_size=32")
    ],
}


def tiny_game(recipe: str) -> list[str]:
    """Arguments that make the game of a recipe's text tiny."""
    for game, options in TINY_GAMES.items():
        if f"class_path: {game}\n" in recipe:
            return options
    return []


def tiny_data(recipe: str, folder: Path) -> list[str]:
    """Arguments for the recipe's data, after files of its layout were written."""
    if "MovingDigits" in recipe:
        return ["--game.frame_size=32"]  # a digit has 28 pixels
    if "data.Solids" in recipe:
        return ["--data.num_shapes=8"]
    if "class_path: data.ShapeMotion\n" in recipe:
        return ["--data.num_clips=8"]
    if "data.Shapes\n" in recipe or "data.ShapeViews" in recipe:
        shape_tree(folder)
        return ["--data.root", str(folder)]
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


def shape_tree(folder: Path) -> None:
    """Four boxes as OFF files in two classes, named as ModelNet's, each with a strip of views."""
    faces = "4 0 1 3 2\n4 4 6 7 5\n4 0 4 5 1\n4 2 3 7 6\n4 0 2 6 4\n4 1 5 7 3\n"
    for number in range(4):
        name = ("chair", "night_stand")[number % 2]
        home = folder / name / "train"
        home.mkdir(parents=True, exist_ok=True)
        corners = [(x, y, z) for x in (0, 2 + number) for y in (0, 4) for z in (0, 3)]
        lines = "".join(f"{x} {y} {z}\n" for x, y, z in corners)
        path = home / f"{name}_{number:04d}.off"
        path.write_text(f"OFF\n8 6 0\n{lines}{faces}")
        views = np.random.default_rng(number).integers(0, 256, (6, 32, 32, 3), np.uint8)
        films.write_film(path.with_suffix(".avi"), list(views), films.LOSSLESS)


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
