"""Shapes that are drawn, not scanned: balls, boxes, chairs and tables, as volumes and as meshes.

They need no files, never end and are known to the last cell: for tests, the tutorial, first runs,
and for attributes such as arms whose effect on a latent can be measured.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from data.shapes import OCCUPIED, TURNTABLE_FPS
from data.sources import DataError, Sample, Source
from data.volumes.cleaning import middle_of

CLASSES = ["ball", "box", "chair", "table"]


class Solid(NamedTuple):
    """One shape, z up, centred on 0, its longest side 1.

    Attributes:
        label: Index into `CLASSES`.
        boxes: Lowest and highest corner of each box that it consists of; of a ball, the cube round
            it.
        attributes: Names of what it has: `back` and `arms` of chairs, `shelf` of tables.
    """

    label: int
    boxes: Float64[np.ndarray, "box 2 3"]
    attributes: tuple[str, ...] = ()


class Solids(Source):
    """Balls, boxes, chairs and tables of random measures, as volumes with z up.

    Item i is fixed: it depends on the seed and i alone.

    Args:
        size: Cells along a side; `None` takes what the game wants.
        num_shapes: Number of items, and so of volumes in an epoch.
        classes: Which of ball, box, chair and table, in the order of their labels; `None` takes
            all four.
        seed: Not negative; another seed gives other shapes.

    Raises:
        DataError: A value does not fit, or the size is still open.
    """

    fps = TURNTABLE_FPS

    def __init__(
        self,
        size: int | None = None,
        num_shapes: int = 4000,
        classes: list[str] | None = None,
        seed: int = 0,
    ) -> None:
        if size is None:
            raise DataError("size is not set: give data.size")
        if size < 8 or num_shapes < 1 or seed < 0:
            raise DataError(
                "solids need a size of at least 8, num_shapes of at least 1 and a seed of at least"
                f" 0, not {size}, {num_shapes} and {seed}"
            )
        self.classes = list(CLASSES if classes is None else classes)
        unknown = [name for name in self.classes if name not in CLASSES]
        if unknown or not self.classes:
            raise DataError(f"classes is {classes}: choose among {', '.join(CLASSES)}")
        self.size, self.num_shapes, self.seed = size, num_shapes, seed

    def __len__(self) -> int:
        return self.num_shapes

    def draw(self, item: int, generator: np.random.Generator) -> Sample:
        """The volume of an item and its class; the generator is not used."""
        solid = self.solid(item)
        volume = occupied(solid, self.size)[None] * np.uint8(OCCUPIED)
        return Sample(volume, self.classes.index(CLASSES[solid.label]))

    def solid(self, item: int) -> Solid:
        """The shape of an item."""
        generator = np.random.default_rng([self.seed, item])
        name = self.classes[generator.integers(len(self.classes))]
        return random_solid(CLASSES.index(name), generator)

    def fingerprint(self) -> str:
        """SHA-256 of the settings: equal for sources that give equal volumes."""
        settings = ("Solids", self.size, self.num_shapes, self.classes, self.seed)
        return hashlib.sha256(repr(settings).encode()).hexdigest()


def random_solid(label: int, generator: np.random.Generator) -> Solid:
    """A shape of a class, with random measures and parts."""
    width, depth, height = generator.uniform(0.5, 1.0, size=3)
    thick = generator.uniform(0.1, 0.16)
    if CLASSES[label] == "ball":
        return _scaled(label, [[[0, 0, 0], [1, 1, 1]]])
    if CLASSES[label] == "box":
        return _scaled(label, [[[0, 0, 0], [width, depth, height]]])
    if CLASSES[label] == "table":
        boxes = [[[0, 0, height - thick], [width, depth, height]]]
        boxes += _legs(width, depth, thick, height - thick)
        with_shelf = bool(generator.integers(2))
        if with_shelf:
            boxes.append([[0, 0, 0.3 * height], [width, depth, 0.3 * height + thick]])
        return _scaled(label, boxes, ("shelf",) if with_shelf else ())
    seat = 0.45 * height
    boxes = [[[0, 0, seat - thick], [width, depth, seat]]]
    boxes += _legs(width, depth, thick, seat - thick)
    attributes = []
    if generator.random() < 0.8:
        attributes.append("back")
        boxes.append([[0, depth - thick, seat], [width, depth, height]])
    if generator.integers(2):
        attributes.append("arms")
        for left in (0, width - thick):
            boxes.append([[left, 0, seat], [left + thick, depth, seat + 0.3 * height]])
    return _scaled(label, boxes, tuple(attributes))


def occupied(solid: Solid, size: int) -> Bool[np.ndarray, "{size} {size} {size}"]:
    """Cells whose centres are inside, with a sixteenth of the size left free around.

    They lie as those of a mesh would: see `data.volumes.cleaning.middle_of`.
    """
    scale = size - 2 * size / 16
    lengths = np.ptp(solid.boxes, axis=(0, 1)) * scale
    places = (np.arange(size) + 0.5 - middle_of(lengths, size)[:, None]) / scale  # (axis, cell)
    if CLASSES[solid.label] == "ball":
        x, y, z = np.ix_(*places)
        return x**2 + y**2 + z**2 < 0.25
    volume = np.zeros((size, size, size), bool)
    for low, high in solid.boxes:
        x, y, z = (places >= low[:, None]) & (places < high[:, None])
        volume |= x[:, None, None] & y[:, None] & z
    return volume


def triangles(
    solid: Solid,
) -> tuple[Float64[np.ndarray, "vertex 3"], Int64[np.ndarray, "face 3"]]:
    """Vertices and outward faces; every box is a closed piece of its own."""
    import trimesh

    if CLASSES[solid.label] == "ball":
        ball = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
        return np.array(ball.vertices, np.float64), np.array(ball.faces, np.int64)
    boxes = [trimesh.creation.box(bounds=bounds) for bounds in solid.boxes]
    starts = np.cumsum([0, *(len(box.vertices) for box in boxes[:-1])])
    faces = [box.faces + start for box, start in zip(boxes, starts, strict=True)]
    return np.concatenate([box.vertices for box in boxes]), np.concatenate(faces)


def write_solids(folder: Path, count: int, seed: int = 0) -> None:
    """Writes meshes as a ModelNet tree, FOLDER/CLASS/train/CLASS_0001.off; every fifth is a test.

    Args:
        folder: The root of the tree.
        count: Meshes of each class.
        seed: Another seed gives other shapes.
    """
    for label, name in enumerate(CLASSES):
        for number in range(1, count + 1):
            solid = random_solid(label, np.random.default_rng([seed, label, number]))
            split = "train" if number % 5 else "test"
            path = folder / name / split / f"{name}_{number:04d}.off"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_off(*triangles(solid)), encoding="ascii")


def _legs(width: float, depth: float, thick: float, height: float) -> list:
    return [
        [[left, front, 0], [left + thick, front + thick, height]]
        for left in (0, width - thick)
        for front in (0, depth - thick)
    ]


def _scaled(label: int, boxes: list, attributes: tuple[str, ...] = ()) -> Solid:
    corners = np.array(boxes, np.float64)
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    return Solid(label, (corners - (low + high) / 2) / (high - low).max(), attributes)


def _off(vertices: Float64[np.ndarray, "vertex 3"], faces: Int64[np.ndarray, "face 3"]) -> str:
    lines = ["OFF", f"{len(vertices)} {len(faces)} 0"]
    lines += [" ".join(f"{value:.6f}" for value in vertex) for vertex in vertices.tolist()]
    lines += [f"3 {a} {b} {c}" for a, b, c in faces.tolist()]
    return "\n".join(lines) + "\n"
