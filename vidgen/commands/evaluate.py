"""Score what a trained model makes, or a folder of anybody's clips.

    python evaluate.py runs/tgan --metrics acd --samples 256
    python evaluate.py runs/tgan --data.root UCF-101 --metrics is,fid --extractor c3d --weights FILE

What is computed of the clips is kept in the run's folder; stopped, the same command goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from vidgen.commands.arguments import check_range
from vidgen.commands.configuration import parse
from vidgen.errors import UserError

# What the clips to be judged decide.
_DECIDED: set[str | int] = {"root", "num_frames", "size", "channels"}


def main(arguments: list[str]) -> None:
    """Runs the command."""
    from data.videos import VideoClips

    parser = ArgumentParser(
        prog="evaluate.py", description=(__doc__ or "").splitlines()[0], exit_on_error=False
    )
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN", help="Folder of a training.")
    parser.add_function_arguments(evaluate, skip={"run", "data"}, as_group=False)
    parser.add_argument("--data.root", type=Path, help="Folder of real videos, or a store.")
    parser.add_class_arguments(VideoClips, "data", skip=_DECIDED)
    chosen = parse(parser, arguments).as_dict()
    evaluate(chosen.pop("run"), chosen.pop("data"), **chosen)


def evaluate(
    run: Path | None,
    data: dict[str, Any],
    *,
    metrics: str = "acd",
    samples: int = 2048,
    repeats: int = 1,
    checkpoint: str = "latest",
    frames: int | None = None,
    truncation: float = 1.0,
    shape_threshold: float = 25.0,
    batch_size: int = 16,
    out: Path | None = None,
    accelerator: str = "auto",
    allow: str = "",
) -> None:
    """A table of scores, and a line of JSON for each in the run's folder.

    Args:
        run: Folder of a training.
        data: Options of `data.VideoClips`, but those that the clips to be judged decide.
        metrics: Names, with commas between.
        samples: Clips of a repeat.
        repeats: How often other clips are drawn, for a mean and a standard deviation.
        checkpoint: Which one of the run: latest, best-METRIC, step-NUMBER.
        frames: Frames of a clip; those of the training by default.
        truncation: Below 1, clips nearer to the typical one.
        shape_threshold: ACD: pixels brighter than this, of 255, belong to the shape.
        batch_size: Clips made at once.
        out: Folder for scores and caches; `metrics` in the run's by default.
        accelerator: Kind of device: auto, cpu or cuda.
        allow: Import paths, with commas between, of further classes that the checkpoint may name.
            Their code is run: allow only what you trust.

    Raises:
        UserError: The command cannot be done as it was given.
        DataError: The videos cannot be used so.
    """
    check_range("samples", samples, 2, 100_000_000)
    check_range("repeats", repeats, 1, 1000)
    check_range("frames", frames, 1, 100_000)
    check_range("truncation", truncation, 0, 10)
    check_range("shape_threshold", shape_threshold, 0, 255)
    check_range("batch_size", batch_size, 1, 100_000)
    if accelerator not in ("auto", "cpu", "cuda"):
        raise UserError(f"--accelerator {accelerator}: give auto, cpu or cuda")
    if run is None:
        raise UserError("say what to judge: the folder of a training")
    from vidgen.commands.evaluation import Evaluation  # brings torch
    from vidgen.commands.judging import Tools, chosen_metrics

    Evaluation(
        chosen_metrics(metrics),
        Tools(shape_threshold=shape_threshold),
        samples=samples,
        repeats=repeats,
        batch_size=batch_size,
        accelerator=accelerator,
    ).of_run(run, checkpoint, data, out or run / "metrics", frames, truncation, allow)


def run_as_script() -> None:
    """The whole of evaluate.py: errors as one line, exit codes as the shell expects."""
    from vidgen.commands.running import run_command

    sys.exit(run_command("evaluate.py", main, sys.argv[1:]))
