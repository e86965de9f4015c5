"""Options that several commands have. Nothing here waits for torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidgen.commands import arguments as clip_arguments
from vidgen.commands.arguments import check_range

Format = Literal["glb", "obj", "stl", "ply", "binvox", "npz"]


@dataclass(frozen=True, kw_only=True)
class ShapeOptions:
    """Which model makes shapes, and what becomes of them.

    Args:
        out: Folder for the files; made when missing.
        format: Kind of file; binvox and npz hold cells, the others a surface. z is up, in glb y.
        threshold: Occupancy from which a cell is inside the shape.
        largest: Keep only the largest connected part of a shape.
        smooth: Round off the steps of the cells.
        faces: Triangles of a shape at most, but for a few where fewer would leave it open; all by
            default.
        height: Of a shape, in metres; by default its longest side is 1.
        label: Name or number of the class of all shapes; drawn as often as training met them by
            default.
        checkpoint: Which one of the run: latest, best-METRIC or step-NUMBER.
        batch_size: Shapes made at once.
        device: Where to compute: auto, cpu, cuda, cuda:1, ...
        allow: Import paths, with commas between, of further classes that the checkpoint may name.
            Their code is run: allow only what you trust.
    """

    out: Path
    format: Format = "glb"
    threshold: float = 0.5
    largest: bool = False
    smooth: bool = False
    faces: int | None = None
    height: float | None = None
    label: str | None = None
    checkpoint: str = "latest"
    batch_size: int = 16
    device: str = "auto"
    allow: str = ""

    def __post_init__(self) -> None:
        check_range("threshold", self.threshold, 0.001, 0.999)
        check_range("faces", self.faces, 4, 100_000_000)
        check_range("height", self.height, 0.000_001, 1_000_000)
        check_range("batch_size", self.batch_size, 1, 100_000)


def run_on_arguments(command: Callable[..., None], arguments: list[str]) -> None:
    """Calls `command(run, options, **others)` with what the command line says.

    Raises:
        UserError: The command line is wrong, or whatever the command itself raises.
    """
    clip_arguments.run_on_arguments(command, arguments, ShapeOptions, "voxel")
