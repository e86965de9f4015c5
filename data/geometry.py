"""Where the pixels of a clip go: centre region, resize, crop and flip, one draw for a whole clip.

The steps in their order, any of which may be left out, with UCF-101's frames of 240x320 (height x
width) as TGAN takes them:

    region   largest centred square, or a centred window, at the video's own size
    resize   240x320 -> 64x85
    crop      64x85 -> 64x64, columns 10 to 73
    flip     left to right, by one coin for the clip
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from data.sources import DataError

Pixels = UInt8[np.ndarray, "time height width channel"]
Filter = Literal["bicubic", "bilinear", "area", "nearest"]
Size = tuple[int, int]
Preprocessing = Literal[
    "square",
    "short_side",
    "whole",
    "face",
    "ucf101_tgan",
    "ucf101_240",
    "ucf101_tganv2",
    "ucf101_ode",
    "vgan_strips",
    "tgan_golf",
    "mocogan_strips",
]


@dataclass(frozen=True)
class Geometry:
    """What is done to the pixels of a clip; all sizes and positions are (rows, columns).

    Args:
        region: Part of the original frame to start from: its largest centred square, or a centred
            window of this size (where the frame is smaller, as much as there is).
        resize: Size to scale to, or the length of the shorter side; `None` keeps the size.
        crop: Size of the window cut out after scaling; `None` keeps the frame.
        crop_position: Where: in the middle, anywhere at random, at random columns only, or with
            its upper left corner at this place.
        margin: Columns at the left and right that a random crop never shows.
        flip: Mirror half of the clips, left to right.
        filter: How to scale; `bicubic` and `bilinear` smooth when they shrink, `area` averages.

    Raises:
        DataError: A size is not positive.
    """

    region: Literal["square"] | Size | None = None
    resize: Size | int | None = None
    crop: Size | None = None
    crop_position: Literal["centre", "random", "random_x"] | Size = "centre"
    margin: int = 0
    flip: bool = False
    filter: Filter = "bicubic"

    def __post_init__(self) -> None:
        for name in ("region", "resize", "crop"):
            value = getattr(self, name)
            numbers = value if isinstance(value, tuple) else (value,)
            if any(isinstance(number, int) and number < 1 for number in numbers):
                raise DataError(f"{name} is {value}: give a size of at least 1 pixel")

    @property
    def fixed(self) -> Geometry:
        """The part that is the same for every clip, which a store of frames has behind it."""
        if self.crop_position in ("random", "random_x"):
            return replace(self, crop=None, crop_position="centre", flip=False)
        return replace(self, flip=False)

    @property
    def drawn(self) -> Geometry:
        """The part that each clip draws anew: `fixed`, then this, equals the whole."""
        if self.crop_position in ("random", "random_x"):
            return replace(self, region=None, resize=None)
        return Geometry(flip=self.flip)

    def __call__(
        self, pixels: Pixels, generator: np.random.Generator | None = None
    ) -> UInt8[np.ndarray, "time new_height new_width channel"]:
        """The clip after all steps; a view of the input where nothing is scaled.

        Args:
            pixels: Frames of one clip.
            generator: Draws crop and flip; needed only if one of them is random.

        Raises:
            DataError: The frame is smaller than the crop.
        """
        if self.region is not None:
            pixels = _centre_window(pixels, _region(self.region, pixels.shape[1:3]))
        if self.resize is not None:
            pixels = resized(pixels, _scaled(self.resize, pixels.shape[1:3]), self.filter)
        if self.crop is not None:
            pixels = self._cropped(pixels, generator)
        if self.flip and _given(generator).integers(2):
            pixels = pixels[:, :, ::-1]
        return pixels

    def _cropped(
        self, pixels: Pixels, generator: np.random.Generator | None
    ) -> UInt8[np.ndarray, "time {self.crop[0]} {self.crop[1]} channel"]:
        assert self.crop is not None
        (rows, columns), (height, width) = self.crop, pixels.shape[1:3]
        free = (height - rows, width - columns)
        top, left = free[0] // 2, free[1] // 2
        if self.crop_position == "random":
            top = int(_given(generator).integers(max(free[0], 0) + 1))
        if self.crop_position in ("random", "random_x"):
            left = int(_given(generator).integers(self.margin, max(free[1] - self.margin, 0) + 1))
        if isinstance(self.crop_position, tuple):
            top, left = self.crop_position
        if top < 0 or left < 0 or top > free[0] or left > free[1]:
            raise DataError(
                f"a crop of {rows}x{columns} at row {top}, column {left} does not fit into frames"
                f" of {height}x{width}: scale to a larger size or crop less"
            )
        return pixels[:, top : top + rows, left : left + columns]


def preset(name: Preprocessing, size: Size, flip: bool = False) -> Geometry:
    """The geometry of a paper or of a common wish.

    Args:
        name: `square` takes the largest centred square, `short_side` the middle after scaling the
            shorter side, `whole` squeezes the whole frame, `face` leaves the crop to the box of the
            face; the others are those of the papers.
        size: Height and width of the clips.
        flip: Mirror half of the clips, left to right.

    Raises:
        DataError: The paper's geometry gives another size.
    """
    if name not in PRESETS:
        raise DataError(f"no preprocessing '{name}': choose among {', '.join(PRESETS)}")
    geometry = PRESETS[name](size)
    given = geometry.crop or geometry.resize
    if given != size:
        raise DataError(f"preprocessing '{name}' gives clips of {given}, not {size}: set this size")
    if geometry.region == "square" and size[0] != size[1]:
        raise DataError(f"preprocessing '{name}' gives square clips, not {size}: use short_side")
    return replace(geometry, flip=flip)


def resized(
    pixels: Pixels, size: Size, method: Filter
) -> UInt8[np.ndarray, "time {size[0]} {size[1]} channel"]:
    """The frames scaled to (height, width), as a new array unless they have that size already."""
    if pixels.shape[1:3] == size:
        return pixels
    if method == "nearest":
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(np.intp)
            for new, old in zip(size, pixels.shape[1:3], strict=True)
        )
        return pixels[:, rows[:, None], columns]
    import torch  # late: it takes seconds, and commands that only list options need none of it

    # Channels stay innermost in memory: torch scales such bytes 5 times as fast as Pillow.
    frames = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    if method == "area":
        scaled = torch.nn.functional.interpolate(frames.float(), size, mode="area")
        scaled = scaled.round_().to(torch.uint8)
    else:
        scaled = torch.nn.functional.interpolate(frames, size, mode=method, antialias=True)
    return scaled.permute(0, 2, 3, 1).numpy()


def _cover(size: Size, method: Filter = "bicubic") -> Geometry:
    """The shorter side scaled to the clip's longer one, so that the clip fits in; its middle."""
    return Geometry(resize=max(size), crop=size, filter=method)


# TGAN's and the latent ODE's offsets are centred; TGANv2 crops at columns 4 to 60 of 64.
PRESETS: dict[str, Callable[[Size], Geometry]] = {
    "square": lambda size: Geometry(region="square", resize=size),
    "short_side": _cover,
    "whole": lambda size: Geometry(resize=size),
    "face": lambda size: Geometry(resize=size),
    "ucf101_tgan": lambda _: Geometry(resize=(64, 85), crop=(64, 64), crop_position=(0, 10)),
    "ucf101_240": lambda _: Geometry(region=(240, 240), resize=(192, 192)),
    "ucf101_tganv2": lambda _: Geometry(
        resize=(192, 256), crop=(192, 192), crop_position="random_x", margin=4
    ),
    "ucf101_ode": lambda _: Geometry(resize=(192, 256), crop=(192, 192), crop_position=(0, 32)),
    "vgan_strips": lambda size: Geometry(resize=size, filter="area"),
    "tgan_golf": lambda size: Geometry(resize=size, filter="nearest"),
    "mocogan_strips": lambda size: _cover(size, "bilinear"),
}


def _region(region: Literal["square"] | Size, size: tuple[int, ...]) -> Size:
    if region == "square":
        return min(size), min(size)
    return min(region[0], size[0]), min(region[1], size[1])


def _centre_window(
    pixels: Pixels, size: Size
) -> UInt8[np.ndarray, "time {size[0]} {size[1]} channel"]:
    top, left = (pixels.shape[1] - size[0]) // 2, (pixels.shape[2] - size[1]) // 2
    return pixels[:, top : top + size[0], left : left + size[1]]


def _scaled(resize: Size | int, size: tuple[int, ...]) -> Size:
    if isinstance(resize, tuple):
        return resize
    height, width = size
    short = min(size)
    return round(height * resize / short), round(width * resize / short)


def _given(generator: np.random.Generator | None) -> np.random.Generator:
    if generator is None:
        raise ValueError("a random crop or flip needs a generator")
    return generator
