"""Sets that are drawn, not filmed: shape motion (MoCoGAN) and moving digits (TGAN, TGANv2).

They need no files, never end and are known to the last pixel: for tests, the tutorial, first runs
and the papers' own tables.
"""

from __future__ import annotations

import hashlib
from itertools import combinations_with_replacement
from math import comb
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from data.digits import mnist_digits, scikit_learn_digits
from data.sources import NO_LABEL, DataError, Sample, Source

FPS = 25.0


class ShapeContent(NamedTuple):
    """What stays the same throughout a clip of shape motion."""

    shape: Literal["square", "disc"]
    color: UInt8[np.ndarray, " channel"]
    shape_size: int


class _ShapeItem(NamedTuple):
    label: int
    content: ShapeContent
    corners: Int[np.ndarray, "time 2"]  # top-left corner of the shape's box: row, column


class ShapeMotion(Source):
    """One flat-coloured square or disc on black that crosses the canvas along a Bezier curve.

    The recipe of "MoCoGAN: Decomposing Motion and Content for Video Generation" (Tulyakov et al.,
    2018, section 4), with the figures measured on the released set: 64 x 64 pixels, boxes within
    pixels 1 to 61, curves of order 4 that start and end at the same lateral place, 4,000 clips in
    the paper. Item i is fixed: it depends on the seed and i alone. However many the frames, they
    are spread evenly over the whole curve, as when every second of 32 is taken.

    Args:
        num_frames: Frames in a clip; None: as the game wants.
        size: Height and width in pixels; None: as the game wants. The paper's is 64; lengths are
            scaled to other sizes.
        direction: "released" moves bottom to top and right to left, as in the published files;
            "paper" left to right and top to bottom, as in the text.
        shape_sizes: Sides of the boxes, in pixels of a canvas of 64; drawn with equal chance.
        curve_order: Order of the Bezier curve, at least 1; 1 is a straight line.
        num_clips: Number of items, and so of clips in an epoch.
        seed: Not negative; another seed gives other clips.

    Raises:
        DataError: A number does not fit, or the number of frames or the size is still open.
    """

    fps = FPS

    def __init__(
        self,
        num_frames: int | None = None,
        size: int | None = None,
        direction: Literal["released", "paper"] = "released",
        shape_sizes: tuple[int, ...] = (8, 10, 12, 14),
        curve_order: int = 4,
        num_clips: int = 4000,
        seed: int = 0,
    ):
        self.num_frames = _known("num_frames", num_frames)
        self.size = _known("size", size)
        if curve_order < 1 or num_clips < 1 or seed < 0:
            raise DataError(
                f"Shape motion needs curve_order and num_clips of at least 1 and a seed of at "
                f"least 0, not {curve_order}, {num_clips} and {seed}."
            )
        if not shape_sizes or not all(1 <= shape_size <= 61 for shape_size in shape_sizes):
            raise DataError(f"shape_sizes is {shape_sizes}; give sizes from 1 to 61 pixels.")
        if direction not in ("released", "paper"):
            raise DataError(f"direction is {direction!r}; give 'released' or 'paper'.")
        self.direction = direction
        self.shape_sizes = tuple(shape_sizes)
        self.curve_order = curve_order
        self.num_clips = num_clips
        self.seed = seed
        if direction == "released":
            self.classes = ["bottom_to_top", "right_to_left"]
        else:
            self.classes = ["left_to_right", "top_to_bottom"]
        self._curve = _bernstein(np.linspace(0, 1, self.num_frames), curve_order)

    def __len__(self) -> int:
        return self.num_clips

    def draw(self, item: int, generator: np.random.Generator) -> Sample:
        """The clip of an item and its direction of motion; the generator is not used."""
        label, content, corners = self._item(item)
        side = content.shape_size
        stamp = _stamp(content.shape, side)[None] * content.color[:, None, None]
        clip = np.zeros((3, self.num_frames, self.size, self.size), dtype=np.uint8)
        for time, (row, column) in enumerate(corners.tolist()):
            clip[:, time, row : row + side, column : column + side] = stamp
        return Sample(clip, label)

    def content(self, item: int) -> ShapeContent:
        """Shape, colour and size (in pixels of this canvas) of an item."""
        return self._item(item).content

    def fingerprint(self) -> str:
        """SHA-256 of the settings: equal for sources that give equal clips."""
        return _fingerprint(
            self,
            self.num_frames,
            self.size,
            self.direction,
            self.shape_sizes,
            self.curve_order,
            self.num_clips,
            self.seed,
        )

    def _item(self, item: int) -> _ShapeItem:
        generator = np.random.default_rng([self.seed, item])
        label = int(generator.integers(2))
        shape: Literal["square", "disc"] = "square" if generator.integers(2) else "disc"
        color = generator.integers(256, size=3, dtype=np.uint8)
        scale = self.size / 64
        side = max(1, round(scale * self.shape_sizes[generator.integers(len(self.shape_sizes))]))
        # Places of the box's corner; on the canvas of 64 its pixels are 1 to 61.
        low, high = round(scale), round(62 * scale) - side
        points = generator.uniform(low, high, size=(self.curve_order + 1, 2))
        forward = self.direction == "paper"
        axis = 1 - label if forward else label  # 0: along the rows
        points[[0, -1], axis] = (low, high) if forward else (high, low)
        points[-1, 1 - axis] = points[0, 1 - axis]
        corners = np.rint(self._curve @ points).astype(np.int64)
        return _ShapeItem(label, ShapeContent(shape, color, side), corners)


class MovingDigits(Source):
    """Handwritten digits that fly straight and bounce off the edges; where they cross, they add up.

    The recipe of TGANv2's authors (Saito et al., 2020) for the set that "Temporal Generative
    Adversarial Nets" (Saito et al., 2017, section 6) learns: 64 x 64 pixels, two digits of 28 x 28,
    20 frames, start anywhere, speed 1 to 5 pixels a frame in any direction. An item is a digit; its
    partners and all motion come from the generator of the draw.

    Args:
        num_frames: Frames in a clip; None: as the game wants. The benchmark's is 20.
        size: Height and width in pixels, at least 28; None: as the game wants. The paper's is 64.
        num_digits: Digits in a clip.
        channels: 1 gives grey clips, 3 the same in three equal channels.
        mnist: MNIST: the folder or the image file of its idx form (raw or .gz), an .npz with
            x_train and y_train, or an .npy of (number, 28, 28) uint8. None takes the 8 x 8 digits
            that come with scikit-learn, enlarged.

    Raises:
        DataError: A number does not fit, the number of frames or the size is still open, or the
            file is not such digits.
    """

    fps = FPS

    def __init__(
        self,
        num_frames: int | None = None,
        size: int | None = None,
        num_digits: int = 2,
        channels: Literal[1, 3] = 1,
        mnist: Path | None = None,
    ):
        self.num_frames = _known("num_frames", num_frames)
        self.size = _known("size", size)
        if num_digits < 1:
            raise DataError(f"num_digits is {num_digits}; give 1 or more.")
        if channels not in (1, 3):
            raise DataError(f"channels is {channels}; give 1 or 3.")
        self.num_digits = num_digits
        self.channels = channels
        digits = scikit_learn_digits() if mnist is None else mnist_digits(Path(mnist))
        self._images, self._labels = digits
        if self.size < self._images.shape[-1]:
            raise DataError(
                f"size is {self.size}, but a digit has {self._images.shape[-1]} pixels; give more."
            )
        # Which digits, in whatever order: 55 classes for two.
        groups = list(combinations_with_replacement(range(10), num_digits))
        self.classes = [] if self._labels is None else ["-".join(map(str, g)) for g in groups]
        self._class_of = {group: label for label, group in enumerate(groups)}

    def __len__(self) -> int:
        return len(self._images)

    def draw(self, item: int, generator: np.random.Generator) -> Sample:
        """The digit of the item with random others, on random straight ways."""
        others = generator.integers(len(self), size=self.num_digits - 1)
        chosen = np.concatenate(([item], others))
        side = self._images.shape[-1]
        room = self.size - side
        start = generator.uniform(0, room, size=(self.num_digits, 2))
        angle = generator.uniform(0, 2 * np.pi, size=self.num_digits)
        speed = generator.uniform(1, 5, size=self.num_digits)
        velocity = speed[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        corners = bounce(start, velocity, self.num_frames, room).astype(np.int64)

        canvas = np.zeros((self.num_frames, self.size, self.size), dtype=np.uint16)
        for digit, ways in zip(chosen, corners.tolist(), strict=True):
            for time, (row, column) in enumerate(ways):
                canvas[time, row : row + side, column : column + side] += self._images[digit]
        frames = np.minimum(canvas, 255).astype(np.uint8)
        clip = np.repeat(frames[None], self.channels, axis=0)
        return Sample(clip, self._label(chosen))

    def fingerprint(self) -> str:
        """SHA-256 of the settings and the digits' pixels."""
        digest = hashlib.sha256(self._images.tobytes())
        digest.update(b"" if self._labels is None else self._labels.tobytes())
        return _fingerprint(
            self, self.num_frames, self.size, self.num_digits, self.channels, digest.hexdigest()
        )

    def _label(self, chosen: Int[np.ndarray, " digit"]) -> int:
        if self._labels is None:
            return NO_LABEL
        return self._class_of[tuple(sorted(self._labels[chosen].tolist()))]


def bounce(
    start: Float[np.ndarray, "digit 2"],
    velocity: Float[np.ndarray, "digit 2"],
    num_frames: int,
    room: int,
) -> Float[np.ndarray, "digit time 2"]:
    """Places of points that fly straight and bounce elastically off 0 and `room` on either axis.

    Args:
        start: Places at frame 0, in [0, room].
        velocity: Pixels a frame.
        num_frames: Frames to follow them for.
        room: Where the far wall is, in pixels.
    """
    if room == 0:
        return np.zeros((len(start), num_frames, 2))
    times = np.arange(num_frames)[None, :, None]
    # Behind its mirror images at the walls the way is straight, with period 2 * room.
    unfolded = (start[:, None] + velocity[:, None] * times) % (2 * room)
    return room - np.abs(unfolded - room)


def _bernstein(
    parameter: Float[np.ndarray, " time"], order: int
) -> Float[np.ndarray, "time point"]:
    """Weights of a Bezier curve's control points at parameters in [0, 1]."""
    k = np.arange(order + 1)
    binomial = np.array([comb(order, point) for point in k])
    t = parameter[:, None]
    return binomial * t**k * (1 - t) ** (order - k)


def _stamp(shape: Literal["square", "disc"], side: int) -> Bool[np.ndarray, "side side"]:
    """The shape's pixels in its box, without anti-aliasing, as in the released files."""
    if shape == "square":
        return np.ones((side, side), dtype=bool)
    # Found from the released files. An even disc leans to the lower right: it is centred on a
    # pixel, with the one pixel of its rim that is left over below and beside the centre.
    offset = np.arange(side) - (side - 1) // 2
    disc = offset[:, None] ** 2 + offset[None, :] ** 2 <= side**2 / 4 + 1
    if side % 2 == 0:
        disc[-1, :] = disc[:, -1] = offset == 0
    return disc


def _known(name: str, value: int | None) -> int:
    """The value of a setting that is left open until a game fills it in."""
    if value is None:
        raise DataError(f"{name} is not set; give a number, such as 16 frames of size 64.")
    if value < 1:
        raise DataError(f"{name} is {value}; give 1 or more.")
    return value


def _fingerprint(source: Source, *settings: object) -> str:
    return hashlib.sha256(f"{type(source).__name__}{settings!r}".encode()).hexdigest()
