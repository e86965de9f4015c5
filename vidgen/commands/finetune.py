"""Train classifiers of actions from a run's discriminator, on ever more labelled videos.

python -m vidgen finetune runs/vgan --data.root weizmann/videos --fractions 0.125,0.25,0.5,1
python -m vidgen finetune runs/vgan --data.root UCF-101 --held_out g01,g02,g03,g04,g05,g06,g07
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from vidgen.commands.arguments import ClipOptions, check_range
from vidgen.commands.configuration import parse
from vidgen.errors import UserError

# What the game itself decides, and what has no meaning where clips are evenly spaced.
_DECIDED: set[str | int] = {"num_frames", "size", "channels", "start", "flip"}


def main(arguments: list[str]) -> None:
    """Runs the command."""
    from data.videos import VideoClips

    parser = ArgumentParser(
        prog="vidgen finetune", description=(__doc__ or "").splitlines()[0], exit_on_error=False
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="Folder of a training of VGAN.")
    parser.add_argument(
        "--from",
        default="scratch,gan",
        help="Starts, with commas between: scratch is new weights, gan those of the run, probe the "
        "same but only the last layer learns.",
    )
    parser.add_function_arguments(finetune, skip={"run", "data", "starts"}, as_group=False)
    parser.add_class_arguments(VideoClips, "data", skip=_DECIDED)
    chosen = parse(parser, arguments).as_dict()
    finetune(chosen.pop("run"), chosen.pop("data"), starts=chosen.pop("from"), **chosen)


def finetune(
    run: Path,
    data: dict[str, Any],
    *,
    starts: str = "scratch,gan",
    fractions: str = "0.125,0.25,0.5,1",
    seeds: int = 5,
    held_out: str | None = None,
    clips: int = 5,
    steps: int = 60,
    batch_size: int = 16,
    learning_rate: float = 2e-4,
    dropout: float = 0.5,
    out: Path | None = None,
    checkpoint: str = "latest",
    device: str = "auto",
    allow: str = "",
) -> None:
    """Accuracy on held-out groups against the fraction of labelled videos: table, file, picture.

    Args:
        run: Folder of a training of VGAN.
        data: Options of `data.VideoClips`, but those that the game decides.
        starts: What the classifier begins with, with commas between: scratch, gan, probe.
        fractions: Shares of the labelled training videos, with commas between.
        seeds: Trainings of each start and fraction; seeds 0, 1, 2, ...
        held_out: Groups of videos to test on, with commas between, such as g08,g09; the last fifth
            of the groups by default.
        clips: Clips of each video, evenly spaced; all are kept in memory.
        steps: Steps of one training, whatever the fraction.
        batch_size: Clips of a step.
        learning_rate: Of Adam.
        dropout: Share of the last maps that are left out in training.
        out: Folder for accuracy.jsonl and accuracy.png; `finetune` in the run's by default. Given
            again, what is missing there is trained.
        checkpoint: Which one of the run: latest, best-METRIC or step-NUMBER.
        device: Where to compute: auto, cpu, cuda, cuda:1, ...
        allow: Import paths, with commas between, of further classes that the checkpoint may name.
            Their code is run: allow only what you trust.

    Raises:
        UserError: The command cannot be done as it was given.
        DataError: The videos cannot be used so.
    """
    check_range("seeds", seeds, 1, 1000)
    check_range("clips", clips, 1, 1000)
    check_range("steps", steps, 1, 10_000_000)
    check_range("batch_size", batch_size, 2, 100_000)
    check_range("learning_rate", learning_rate, 1e-9, 10)
    check_range("dropout", dropout, 0, 0.99)
    wanted = _parse_fractions(fractions)
    begun = _names("from", starts, ("scratch", "gan", "probe"))
    groups = None if held_out is None else _names("held_out", held_out)
    options = ClipOptions(
        out=out or run / "finetune", checkpoint=checkpoint, device=device, allow=allow
    )
    from vidgen.commands.finetune_grid import Grid, run_grid  # brings torch
    from vidgen.finetuning import STARTS, Schedule, Start

    chosen: list[Start] = [start for start in STARTS if start in begun]
    grid = Grid(chosen, wanted, seeds, Schedule(steps, batch_size, learning_rate, dropout))
    run_grid(run, data, options, grid, groups, clips)


def _parse_fractions(text: str) -> list[float]:
    try:
        fractions = sorted({float(part) for part in text.split(",")})
    except ValueError:
        fractions = []
    if not fractions or not all(0 < fraction <= 1 for fraction in fractions):
        raise UserError(
            f"--fractions {text}: give shares above 0 and up to 1, such as 0.125,0.25,0.5,1"
        )
    return fractions


def _names(option: str, text: str, known: Sequence[str] = ()) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.split(",")))
    if not all(names):
        raise UserError(f"--{option} {text!r}: give names with commas between")
    wrong = [name for name in names if known and name not in known]
    if wrong:
        raise UserError(f"--{option} {text}: {wrong[0]!r} is none of {', '.join(known)}")
    return names
