"""Small folders of videos in every layout: what tests read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data import films

NUM_FRAMES = 10
SIDE = 16

Clip = np.ndarray


def clip(number: int, num_frames: int = NUM_FRAMES, height: int = SIDE, width: int = SIDE) -> Clip:
    """A square that moves to the right over a ground that tells the clip by its number."""
    frames = np.full((num_frames, height, width, 3), (10, 20 + 30 * number, 40), np.uint8)
    for time in range(num_frames):
        left = time % (width - 4)
        frames[time, height // 2 : height // 2 + 4, left : left + 4] = (250, 10 * time, 5)
        frames[time, 0, 0] = (time, number, 200)
    return frames


def touch(root: Path, *paths: str) -> Path:
    """Empty files of these names: layouts go by names."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def write_strip(path: Path, frames: Clip) -> None:
    Image.fromarray(np.concatenate(list(frames), axis=1)).save(path.with_suffix(".png"))


def write_tall_strip(path: Path, frames: Clip) -> None:
    Image.fromarray(np.concatenate(list(frames), axis=0)).save(path.with_suffix(".png"))


def write_frames(path: Path, frames: Clip) -> None:
    path.mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(path / f"{number}.png")


def write_array(path: Path, frames: Clip) -> None:
    np.save(path.with_suffix(".npy"), frames)


def write_film(path: Path, frames: Clip) -> None:
    films.write_film(path.with_suffix(".mkv"), list(frames), films.LOSSLESS)


def write_classes(root: Path, write: Callable[[Path, Clip], None]) -> Path:
    """Two classes, left and right, of two clips each, numbered 0 to 3."""
    for number in range(4):
        folder = root / ("left", "right")[number // 2]
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"clip{number}", clip(number))
    return root


def write_faces(root: Path, bright_face: bool = False) -> Path:
    """FaceForensics with one clip of 48x64; its mask moves over rows 10 to 25, columns 20 to 45."""
    frames = clip(0, height=48, width=64)
    ground, face = (0, 255) if bright_face else (255, 0)
    masks = np.full_like(frames, ground)
    for time in range(len(masks)):
        masks[time, 10:26, 20 + time : 36 + time] = face
    for folder, content in (("original", frames), ("mask", masks)):
        (root / "train" / folder).mkdir(parents=True)
        write_film(root / "train" / folder / "abcdefghijk_0_lmnopqrstuv_1", content)
    return root
