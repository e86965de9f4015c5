"""Train a game on a data set, or go on where the same command was stopped.

    python train.py --config tgan_weizmann --data.root videos/ --run runs/weizmann
    torchrun --nproc_per_node 8 -- train.py --config tgan_ucf101 --data.root UCF-101 --run runs/tgan

Every option of a recipe can be given on the command line too: --training.steps 5000,
--game.frame_size 32, --data.stride 2. To resume a run, give its command again.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidgen.adversarial.settings import TrainingSettings
from vidgen.commands.configuration import (
    complete_data_options,
    one_line,
    parse,
    print_short_help,
    recipe_file,
    training_parser,
)
from vidgen.commands.run_folder import RunFolder, refuse_changes
from vidgen.errors import UserError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser
    from torch import Tensor

    from data.sources import Source
    from vidgen.adversarial.game import Game
    from vidgen.adversarial.training import Outcome


def main(arguments: list[str]) -> int:
    """Runs the command; its exit code."""
    if not arguments or arguments in (["--help"], ["-h"]):
        print_short_help(__doc__ or "", TrainingSettings)
        return 0 if arguments else 2
    outcome = run_training(arguments)
    return 130 if outcome is not None and outcome.signal == "SIGINT" else 0


def run_training(arguments: list[str]) -> Outcome | None:
    """Trains what recipe and arguments say; `None` after a dry run.

    Raises:
        UserError: They cannot be used so, or the training has failed.
    """
    parser = training_parser(__doc__ or "")
    config = parse(parser, recipe_file(arguments))
    import torch

    settings: TrainingSettings = _built(parser, "training", config)
    torch.manual_seed(settings.seed)
    game: Game = _built(parser, "game", config)
    complete_data_options(config, game)
    if config.dry_run:
        from vidgen.commands.dry_run import describe_run

        describe_run(parser, config, game, settings)
        return None
    if config.run is None:
        raise UserError("say where the run shall be kept: --run runs/NAME")
    return _train(parser, config, game, settings, "python train.py " + shlex.join(arguments))


def _train(
    parser: ArgumentParser, config: Any, game: Game, settings: TrainingSettings, command: str
) -> Outcome:
    from vidgen.adversarial.devices import make_fabric
    from vidgen.adversarial.training import fit
    from vidgen.commands.samples import SamplePictures
    from vidgen.commands.training_scores import TrainingScores

    fabric = make_fabric(settings)
    if settings.batch_size % (fabric.world_size * settings.accumulate):
        raise UserError(
            f"training.batch_size {settings.batch_size} cannot be shared by {fabric.world_size} "
            f"processes in {settings.accumulate} parts each"
        )
    with RunFolder(config.run, owner=fabric.is_global_zero) as folder:
        # One process scans; the others then find its scan.
        with fabric.rank_zero_first():
            source = _open_source(parser, config, folder)
        if fabric.is_global_zero:
            refuse_changes(folder, parser, config, source.fingerprint())
            for line in source.report():
                _say(line)
        _check_classes(game, source)
        about = {"classes": source.classes, "fps": source.fps}
        pictures = SamplePictures(folder.path / "samples", settings.num_samples, source.fps)
        scores = TrainingScores(settings, game, source) if settings.evaluate_every else None
        with closing(_RealBatches(source, settings, fabric)) as batches, _losing_contact(fabric):
            outcome = fit(game, batches, settings, folder.path, fabric, about, pictures, scores)
    if fabric.is_global_zero:
        _say(_farewell(game, outcome, folder.path, command))
    return outcome


def _farewell(game: Game, outcome: Outcome, run: Path, command: str) -> str:
    if outcome.signal:
        return f"stopped by {outcome.signal}, saved at step {outcome.step}; to go on:\n  {command}"
    package = type(game).__module__.partition(".")[0]  # vidgen or voxel
    generate = f"python -m {package} generate {run} --count 16 --out {run / 'generated'}"
    return f"done: {outcome.step} steps in {run}; now for instance:\n  {generate}"


@contextmanager
def _losing_contact(fabric: Any) -> Iterator[None]:
    """One line instead of a traceback when another process of this run has ended."""
    try:
        yield
    except RuntimeError as error:
        text = str(error).lower()
        lost = any(word in text for word in ("gloo", "nccl", "connection", "timed out", "peer"))
        if fabric.world_size == 1 or not lost:
            raise
        raise UserError(
            f"process {fabric.global_rank} lost contact with the others: one of them has ended; "
            "the last checkpoint is whole, give the command again to go on from it"
        ) from error


class _RealBatches:
    """The loader of the run, made when the loop says with which batch it begins."""

    def __init__(self, source: Source, settings: TrainingSettings, fabric: Any) -> None:
        self._source, self._settings, self._fabric = source, settings, fabric
        self._batches: Any = None

    def __call__(self, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        from data.batches import Batches

        settings, fabric = self._settings, self._fabric
        self._batches = Batches(
            self._source,
            settings.batch_size,
            settings.seed,
            first=first,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
            num_workers=settings.num_workers,
            pin_memory=fabric.device.type == "cuda",
        )
        return iter(self._batches)

    def close(self) -> None:
        if self._batches is not None:
            self._batches.close()


def _open_source(parser: ArgumentParser, config: Any, folder: RunFolder) -> Source:
    options = config.data.init_args
    if "scan_cache" in options and options.scan_cache is None:
        options.scan_cache = folder.path / "scan.json"
    return _built(parser, "data", config)


def _built(parser: ArgumentParser, part: str, config: Any) -> Any:
    """The object that a part of the configuration describes.

    Raises:
        UserError: Its constructor refuses a value.
    """
    from jsonargparse import Namespace

    try:
        return parser.instantiate(Namespace({part: config[part]}))[part]
    except ValueError as error:
        raise UserError(f"{part}: {one_line(str(error), parser)}") from error


def _check_classes(game: Game, source: Source) -> None:
    if game.num_classes and len(source.classes) > game.num_classes:
        raise UserError(
            f"the data has {len(source.classes)} classes, the game is conditioned on "
            f"{game.num_classes}; give --game.num_classes {len(source.classes)}"
        )
    if game.num_classes and not source.classes:
        raise UserError("the game is conditioned on classes, but the data has none")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run_as_script() -> None:
    """The whole of train.py: errors as one line, exit codes as the shell expects."""
    from vidgen.commands.running import run_command

    sys.exit(run_command("train.py", main, sys.argv[1:]))
