"""A grid of fine-tunings: fraction of the labels by start by seed, each trained once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from data.progress import shown_progress
from data.videos import VideoClips
from vidgen.adversarial.checkpoints import LoadedGame, read_config
from vidgen.adversarial.logs import StepProgress
from vidgen.commands.accuracies import Accuracies, Cell
from vidgen.commands.arguments import ClipOptions
from vidgen.commands.outputs import enough_memory, open_game, say
from vidgen.errors import UserError
from vidgen.finetuning import (
    LabelledVideos,
    Schedule,
    Start,
    default_held_out,
    fine_tuned,
    nested_subset,
    num_correct,
    split_by_group,
)
from vidgen.plots import accuracy_picture
from vidgen.vgan_classifier import action_classifier


@dataclass(frozen=True)
class Grid:
    """Which trainings are made.

    Attributes:
        starts: Names of what a classifier begins with.
        fractions: Shares of the labels, ascending.
        seeds: Trainings of each start and fraction.
        schedule: Of each training.
    """

    starts: Sequence[Start]
    fractions: Sequence[float]
    seeds: int
    schedule: Schedule

    def cells(self) -> Iterator[Cell]:
        """Seed by seed, so that a grid that was stopped has something of every fraction."""
        for seed in range(self.seeds):
            for fraction in self.fractions:
                for start in self.starts:
                    yield Cell(fraction, start, seed)


def run_grid(
    run: Path,
    data: dict[str, Any],
    options: ClipOptions,
    grid: Grid,
    held_out: list[str] | None,
    num_clips: int,
) -> None:
    """Trains what is missing in the folder, then shows all of it.

    Args:
        run: Folder of a training.
        data: Options of `VideoClips`, but those that the game decides.
        options: Which model, where to compute, and the folder for the results.
        grid: Which trainings.
        held_out: Groups to test on; `None` takes the last fifth.
        num_clips: Clips of each video.

    Raises:
        UserError: It cannot be done so, or the folder holds results of other settings.
        DataError: The videos cannot be used so.
    """
    loaded = open_game(run, options)
    action_classifier(loaded.game, 2)  # refuses a game that has none before the folder is scanned
    source = _source(data, loaded, options.out)
    for line in source.report():
        say(line)
    groups = held_out or default_held_out(source.groups)
    train, test = split_by_group(source.groups, groups)
    _check_classes(source, train)
    settings = {
        "checkpoint": read_config(loaded.folder)["sha256"]["model.safetensors"],
        "data": source.fingerprint(),
        "held_out": sorted(groups),
        "clips": num_clips,
        **asdict(grid.schedule),
    }
    results = Accuracies(options.out / "accuracy.jsonl", settings)
    chance = 1 / len(source.classes)
    say(
        f"{len(train)} videos to train on, {len(test)} of {', '.join(sorted(groups))} to test on, "
        f"{num_clips} clips of each; guessing is right in {chance:.1%}"
    )
    missing = [cell for cell in grid.cells() if cell not in results]
    if missing:
        _run_cells(_trial(loaded, source, train, test, num_clips), grid, missing, results)
    wanted = list(grid.cells())
    say(results.table(wanted, chance))
    picture = options.out / "accuracy.png"
    accuracy_picture(results.curves(wanted), chance, picture)
    say(f"{picture}: the same as a picture; {results.path}: a line for each training")


def _source(data: dict[str, Any], loaded: LoadedGame, out: Path) -> VideoClips:
    options = {**data, **loaded.game.data_options()}
    if options.get("scan_cache") is None:
        options["scan_cache"] = out / "scan.json"
    return VideoClips(**options)


def _check_classes(source: VideoClips, train: list[int]) -> None:
    if len(source.classes) < 2:
        raise UserError("the videos have no two classes to tell apart; give a folder for each")
    known = {source.labels[number] for number in train}
    lacking = [name for label, name in enumerate(source.classes) if label not in known]
    if lacking:
        raise UserError(
            f"class {lacking[0]} has no video outside the held-out groups: hold out others, or "
            "name the classes to use by --data.classes"
        )


def _decoded(source: VideoClips, num_clips: int) -> LabelledVideos:
    """Every clip as pixels, decoded once for the whole grid."""
    shape = source.spread(0, 1).shape[1:]
    clips = (len(source), num_clips, *shape)
    num_bytes = torch.Size(clips).numel()
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if 2 * num_bytes > available:  # the parts to train and to test on are copies
        raise UserError(
            f"{len(source)} videos of {num_clips} clips take {2 * num_bytes / 1e9:.0f} GB of "
            f"memory, more than there is ({available / 1e9:.0f} GB): give fewer --clips, or a "
            "--data.per_class"
        )
    pixels = torch.empty(clips, dtype=torch.uint8)
    with shown_progress("decoding") as progress:
        for number in range(len(source)):
            pixels[number] = torch.from_numpy(source.spread(number, num_clips))
            progress(number + 1, len(source))
    return LabelledVideos(pixels, torch.tensor(source.labels))


@dataclass(frozen=True)
class _Trial:
    """What every training of the grid has in common."""

    loaded: LoadedGame
    train: LabelledVideos
    test: LabelledVideos
    num_classes: int


def _trial(
    loaded: LoadedGame, source: VideoClips, train: list[int], test: list[int], num_clips: int
) -> _Trial:
    videos = _decoded(source, num_clips)
    return _Trial(loaded, videos.part(train), videos.part(test), len(source.classes))


def _run_cells(trial: _Trial, grid: Grid, missing: list[Cell], results: Accuracies) -> None:
    steps, total = grid.schedule.steps, grid.schedule.steps * len(missing)
    try:
        with closing(StepProgress(0, total)) as progress:
            for done, cell in enumerate(missing):
                _run_cell(trial, grid.schedule, cell, results, progress, done * steps)
    except KeyboardInterrupt:
        finished = sum(cell in results for cell in missing)
        say(
            f"stopped after {finished} of {len(missing)} trainings, which are in {results.path}; "
            "give the same command again for the rest"
        )
        raise


def _run_cell(
    trial: _Trial,
    schedule: Schedule,
    cell: Cell,
    results: Accuracies,
    progress: StepProgress,
    done: int,
) -> None:
    began, game, step = time.monotonic(), trial.loaded.game, done
    name = f"{cell.start}/{cell.fraction:g} of the labels, seed {cell.seed}: loss"

    def after_step(loss: float) -> None:
        nonlocal step
        step += 1
        progress.update(step, {name: loss})

    chosen = nested_subset(trial.train.labels, cell.fraction, cell.seed)
    videos = trial.train.part(chosen)
    with enough_memory(schedule.batch_size):
        classifier = fine_tuned(
            game, cell.start, videos, trial.num_classes, schedule, cell.seed, after_step
        )
        correct = num_correct(classifier, game, trial.test)
    results.add(
        cell,
        {
            "accuracy": correct / len(trial.test),
            "num_correct": correct,
            "num_test_videos": len(trial.test),
            "num_train_videos": len(videos),
            "num_classes": trial.num_classes,
            "seconds": round(time.monotonic() - began, 3),
        },
    )
