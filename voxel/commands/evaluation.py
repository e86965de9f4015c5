"""From a run of shapes and metrics to scores, in one process or many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from vidgen.adversarial.checkpoints import LoadedGame, load_game
from vidgen.adversarial.devices import make_fabric
from vidgen.adversarial.settings import TrainingSettings
from vidgen.commands.clip_sets import checkpoint_hash
from vidgen.commands.extraction import label_map
from vidgen.commands.judging import Tools
from vidgen.commands.outputs import say
from vidgen.commands.protocols import PROTOCOLS
from vidgen.commands.scores import Score, score_table
from vidgen.commands.subjects import checkpoints
from vidgen.errors import UserError
from vidgen.metrics.extractors.own import OwnClassifier
from voxel.commands.evaluate import ShapeEvaluateOptions
from voxel.commands.evidence import ShapeMetric, ShapeTools
from voxel.commands.judge import ShapeJudge
from voxel.commands.judging import chosen_metrics
from voxel.commands.real_shapes import RealShapes
from voxel.shape_game import ShapeGame

# One process may find its whole share in the cache while another has hours to go.
_PATIENCE = timedelta(days=7)


def run_evaluation(run: Path, data: dict[str, Any], options: ShapeEvaluateOptions) -> None:
    """The whole command; see `voxel.commands.evaluate.evaluate`."""
    metrics = chosen_metrics(options.metrics)
    fabric = make_fabric(TrainingSettings(accelerator=options.accelerator), _PATIENCE)
    extractor = _extractor(metrics, options)
    if extractor is not None:
        extractor.to(fabric.device)
    out = options.out or run / "metrics"
    scores: list[Score] = []
    for loaded in _models(run, options, fabric.device):
        tools = _tools(loaded, metrics, extractor, options)
        real = RealShapes(loaded, data, out, fabric)
        scores += ShapeJudge(loaded, real, metrics, tools, options, fabric, out).scores()
    if fabric.is_global_zero:
        say(score_table(scores, "shapes"))
        say(f"written to {out}")


def _extractor(
    metrics: Sequence[ShapeMetric], options: ShapeEvaluateOptions
) -> OwnClassifier | None:
    asking = [metric.name for metric in metrics if metric.extractor]
    if asking and options.extractor is None:
        raise UserError(
            f"{', '.join(asking)} need a classifier of shapes; give --extractor FILE, made by "
            "`python -m voxel fit_classifier --data.root DIR --out FILE`"
        )
    return OwnClassifier(options.extractor) if asking else None


def _models(run: Path, options: ShapeEvaluateOptions, device: torch.device) -> Iterator[LoadedGame]:
    """The checkpoints that are asked for, one loaded at a time.

    Raises:
        UserError: One of them cannot be loaded, or makes no shapes.
    """
    allowed = [name.strip() for name in options.allow.split(",") if name.strip()]
    for name in checkpoints(run, options.checkpoint):
        loaded = load_game(run, name, allow=allowed)
        if not isinstance(loaded.game, ShapeGame):
            raise UserError(f"{run}: a {type(loaded.game).__name__} makes no shapes")
        loaded.game.to(device)
        yield loaded


def _tools(
    loaded: LoadedGame,
    metrics: Sequence[ShapeMetric],
    extractor: OwnClassifier | None,
    options: ShapeEvaluateOptions,
) -> ShapeTools:
    """What the metrics work with for one model.

    Raises:
        UserError: A metric cannot judge this model.
    """
    game: Any = loaded.game
    size, names = game.example_shape[-1], {metric.name for metric in metrics}
    if extractor is not None and extractor.config.num_frames != size:
        raise UserError(
            f"--extractor {options.extractor} knows shapes of {extractor.config.num_frames} cells "
            f"a side, the model makes {size}; fit one with --size {size}"
        )
    if "svm" in names and game.num_classes:
        raise UserError(
            "this model's discriminator is told the class, so its features give it away; leave "
            "svm out"
        )
    if "accuracy" in names and not game.num_classes:
        raise UserError("the model makes shapes without classes; leave accuracy out")
    classes = label_map(loaded.classes, extractor) if "accuracy" in names else None
    return ShapeTools(
        game,
        checkpoint_hash(loaded),
        options.threshold,
        options.points,
        options.C,
        Tools(PROTOCOLS["default"], extractor, batch_size=options.batch_size, label_map=classes),
    )
