"""Classifiers on features of shapes: the work of the command classify."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from data.shapes import Shapes
from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.commands import outputs
from vidgen.errors import UserError
from vidgen.plots import accuracy_picture
from vidgen.writing import replacing
from voxel.classification import Accuracy, default_penalty, drawn_per_class, svm_accuracy
from voxel.commands.arguments import ShapeOptions
from voxel.commands.training_shapes import described, open_shapes

_COARSE = 16
Results = dict[tuple[str, int | None], list[Accuracy]]


def write_accuracies(
    run: Path,
    data: dict[str, Any],
    options: ShapeOptions,
    kinds: Sequence[str],
    counts: Sequence[int | None],
    seeds: int,
    penalty: float | None,
) -> None:
    """Writes accuracies of SVMs as a table, a file and a picture.

    Args:
        run: Folder of a training.
        data: Options of the shapes.
        options: Which model, and where the files go.
        kinds: Features: gan, random, voxels.
        counts: Training shapes of each class; `None` is all.
        seeds: Draws of each.
        penalty: The SVM's C; `None` is the paper's.

    Raises:
        UserError: The model cannot do this, or the shapes are of one class.
        DataError: The shapes cannot be used so.
    """
    loaded = outputs.open_game(run, options)
    outputs.ability(loaded, "features", "describe shapes")
    if loaded.game.num_classes and set(kinds) & {"gan", "random"}:
        raise UserError(
            "this model's discriminator is told the class, so its features give it away; use a "
            "model trained without classes, or --features voxels"
        )
    train, test = open_shapes(loaded, data, "train"), open_shapes(loaded, data, "test")
    if len(train.classes) < 2:
        raise UserError("the shapes are of one class or none: there is nothing to tell apart")
    penalty = default_penalty(len(train.classes)) if penalty is None else penalty
    results: Results = defaultdict(list)
    for kind in kinds:
        for seed in range(seeds):
            # Only new weights differ from seed to seed.
            if seed == 0 or kind == "random":
                both = _features(loaded, kind, seed, train, test, options.batch_size)
            for count in counts:
                if count is None and seed and kind != "random":
                    continue  # nothing is drawn: it would be the same again
                results[kind, count].append(_accuracy(both, train, test, count, seed, penalty))
    outputs.say(_table(results, len(test), penalty))
    _write_files(options.out, results, train, len(test), penalty)


def _features(
    loaded: LoadedGame, kind: str, seed: int, train: Shapes, test: Shapes, batch_size: int
) -> tuple[Float[np.ndarray, "train features"], Float[np.ndarray, "test features"]]:
    game: Any = _untrained(loaded, seed) if kind == "random" else loaded.game

    def describe(volumes: Tensor, labels: list[int]) -> Tensor:
        del labels
        if kind == "voxels":
            return functional.adaptive_avg_pool3d(volumes, _COARSE).flatten(1)
        return game.features(volumes.to(game.device))

    title = f"features: {kind}"
    return (
        described(train, describe, batch_size, title),
        described(test, describe, batch_size, title),
    )


def _untrained(loaded: LoadedGame, seed: int) -> Any:
    """The same game with new weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        game: Any = type(loaded.game)(**loaded.game.arguments)
    return game.to(loaded.game.device).eval()


def _accuracy(
    both: tuple[np.ndarray, np.ndarray],
    train: Shapes,
    test: Shapes,
    count: int | None,
    seed: int,
    penalty: float,
) -> Accuracy:
    train_labels, test_labels = np.array(train.labels), np.array(test.labels)
    drawn = drawn_per_class(train_labels, count, seed)
    return svm_accuracy(both[0][drawn], train_labels[drawn], both[1], test_labels, penalty)


def _table(results: Results, num_test: int, penalty: float) -> str:
    """A row a count, a column a kind of features: mean ± deviation of the per-class accuracy."""
    kinds = list(dict.fromkeys(kind for kind, _ in results))
    table = Table(
        title="accuracy on the test split, mean of the classes (of all shapes)",
        caption=f"{num_test} test shapes, linear SVM, C = {penalty:g}",
    )
    for heading in ("shapes of a class", *kinds):
        table.add_column(heading, justify="right")
    for count in dict.fromkeys(count for _, count in results):
        cells = [_cell(results[kind, count]) for kind in kinds]
        table.add_row("all" if count is None else str(count), *cells)
    console = Console(width=100)
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip()


def _cell(accuracies: list[Accuracy]) -> str:
    values = [100 * accuracy.per_class for accuracy in accuracies]
    spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    overall = 100 * fmean(accuracy.overall for accuracy in accuracies)
    return f"{fmean(values):.1f}{spread} % ({overall:.1f})"


def _write_files(out: Path, results: Results, train: Shapes, num_test: int, penalty: float) -> None:
    file, picture = out / "accuracy.json", out / "accuracy.png"
    lines = [
        {
            "features": kind,
            "shapes_per_class": count,
            "overall": [accuracy.overall for accuracy in accuracies],
            "per_class": [accuracy.per_class for accuracy in accuracies],
        }
        for (kind, count), accuracies in results.items()
    ]
    about = {"C": penalty, "classes": train.classes, "num_train": len(train), "num_test": num_test}
    with replacing(file) as unfinished:
        unfinished.write_text(json.dumps({**about, "results": lines}, indent=1) + "\n")
    largest = max(train.labels.count(label) for label in set(train.labels))
    curves: dict[str, dict[float, list[float]]] = defaultdict(dict)
    for (kind, count), accuracies in results.items():
        place = float(largest if count is None else min(count, largest))
        curves[kind][place] = [accuracy.per_class for accuracy in accuracies]
    accuracy_picture(
        curves,
        1 / len(train.classes),
        picture,
        across="training shapes of each class",
        upward="accuracy on the test split, %",
    )
    outputs.say(f"{file} and {picture}: the same as numbers and as curves")
