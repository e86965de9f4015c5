"""Train a small classifier of shapes on a labelled folder, to judge sets of shapes with.

python -m voxel fit_classifier --data.root furniture --data.up y --size 64 --out kinds.safetensors
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from vidgen.commands.arguments import check_range
from vidgen.commands.configuration import parse
from vidgen.errors import UserError

# What the command has options or rules of its own for.
_DECIDED: set[str | int] = {"size", "split", "scan_cache"}


@dataclass(frozen=True, kw_only=True)
class FitShapesOptions:
    """How a classifier of shapes is trained.

    Args:
        out: The file, ending in .safetensors.
        name: What its scores carry; by default the name of the file.
        size: Cells along a side, those of the models that it will judge.
        steps: Steps of the training.
        batch_size: Shapes of a step.
        learning_rate: Of Adam.
        width: Channels of the first layer.
        seed: Draws weights, shapes and their order.
        device: Where to train.
    """

    out: Path
    name: str | None = None
    size: int = 64
    steps: int = 300
    batch_size: int = 16
    learning_rate: float = 1e-4
    width: int = 8
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_range("size", self.size, 8, 512)
        check_range("steps", self.steps, 1, 100_000_000)
        check_range("batch_size", self.batch_size, 1, 100_000)
        check_range("width", self.width, 1, 1024)
        check_range("learning_rate", self.learning_rate, 1e-9, 10)
        if self.out.suffix != ".safetensors":
            raise UserError(f"--out {self.out}: the file's name must end in .safetensors")


def main(arguments: list[str]) -> None:
    """Runs the command."""
    from data.shapes import Shapes

    parser = ArgumentParser(
        prog="voxel fit_classifier",
        description=(__doc__ or "").splitlines()[0],
        exit_on_error=False,
    )
    parser.add_class_arguments(FitShapesOptions, as_group=False)
    parser.add_class_arguments(Shapes, "data", skip=_DECIDED)
    chosen = parse(parser, arguments).as_dict()
    names = [field.name for field in fields(FitShapesOptions)]
    options = FitShapesOptions(**{name: chosen.pop(name) for name in names})
    fit(chosen["data"], options)


def fit(data: dict[str, Any], options: FitShapesOptions) -> None:
    """Trains on the training split and tests on the test split, where there are any.

    Args:
        data: Options of `data.Shapes`.
        options: All the rest.

    Raises:
        UserError: There are fewer than two classes, or the file cannot be written.
        DataError: The shapes cannot be used so.
    """
    from voxel.commands.shape_classifier_training import train_classifier  # brings torch

    train_classifier(data, options)
