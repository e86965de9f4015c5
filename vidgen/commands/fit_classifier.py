"""Train a small classifier of clips on labelled videos, to judge others with.

python -m vidgen fit_classifier --data.root videos/ --data.split train --out small.safetensors
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
_DECIDED: set[str | int] = {"num_frames", "size", "channels", "start"}


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How a classifier is trained.

    Args:
        out: The file, ending in .safetensors.
        name: What its scores carry; by default the name of the file.
        num_frames: Frames of a clip.
        size: Height and width of a clip.
        held_out: Groups of videos to test on, with commas between, such as g08,g09; the last fifth
            of the groups by default, or every fifth video where there are no groups; `none` tests
            on nothing.
        steps: Steps of the training.
        batch_size: Clips of a step.
        learning_rate: Of Adam at the start; it falls in a straight line to 0 at the end.
        width: Channels of the first layer; 64 is C3D.
        seed: Draws weights, clips and their order.
        num_workers: Processes that read and decode.
        device: Where to compute: cpu, cuda, cuda:1, ...
    """

    out: Path
    name: str | None = None
    num_frames: int = 16
    size: int = 64
    held_out: str | None = None
    steps: int = 300
    batch_size: int = 16
    learning_rate: float = 5e-4
    width: int = 16
    seed: int = 0
    num_workers: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_range("num_frames", self.num_frames, 1, 1000)
        check_range("size", self.size, 8, 1024)
        check_range("steps", self.steps, 1, 10_000_000)
        check_range("batch_size", self.batch_size, 2, 100_000)
        check_range("learning_rate", self.learning_rate, 1e-9, 10)
        check_range("width", self.width, 1, 1024)
        check_range("seed", self.seed, 0, 2**62)
        check_range("num_workers", self.num_workers, 0, 1000)
        if self.out.suffix != ".safetensors":
            raise UserError(f"--out {self.out}: give a name that ends in .safetensors")


def main(arguments: list[str]) -> None:
    """Runs the command."""
    from data.videos import VideoClips

    parser = ArgumentParser(
        prog="vidgen fit_classifier",
        description=(__doc__ or "").splitlines()[0],
        exit_on_error=False,
    )
    parser.add_class_arguments(FitOptions, as_group=False)
    parser.add_class_arguments(VideoClips, "data", skip=_DECIDED)
    chosen = parse(parser, arguments).as_dict()
    options = FitOptions(**{field.name: chosen[field.name] for field in fields(FitOptions)})
    fit(chosen["data"], options)


def fit(data: dict[str, Any], options: FitOptions) -> None:
    """Trains, tests on what was held out, and writes the file.

    Raises:
        UserError: It cannot be done so.
        DataError: The videos cannot be used so.
    """
    from vidgen.commands.classifier_training import train_classifier  # brings torch

    train_classifier(data, options)
