"""Score what a trained model of shapes makes.

    python evaluate.py runs/furniture --metrics occupancy,components,largest_share
    python evaluate.py runs/furniture --data.root furniture --data.up y --metrics mmd,cov,1nna,jsd
    python evaluate.py runs/vaegan --data.root furniture --data.up y --metrics ap,iou,fscore

What is computed of the shapes is kept in the run's folder; stopped, the same command goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentParser

from vidgen.commands.arguments import check_range
from vidgen.commands.configuration import parse

# What the model decides.
_DECIDED: set[str | int] = {"size", "scan_cache"}


@dataclass(frozen=True, kw_only=True)
class ShapeEvaluateOptions:
    """Which checkpoint is judged, by which metrics, and with what.

    Args:
        metrics: Names, with commas between: occupancy, components, largest_share, undecided,
            mirror_overlap, empty; mmd, cov, 1nna (each by Chamfer distance, _cd, and by IoU, _iou),
            jsd; memorisation; svm; of reconstructions ap, iou, fscore, chamfer, ap20,
            ap20_aligned, iou20_aligned; with --extractor is, fid, kvd, precision, recall, accuracy.
        samples: Shapes of a repeat; where two sets must be equally many, at most as many as there
            are real ones; of reconstructions each real shape once by default.
        repeats: How often other shapes are drawn.
        threshold: Occupancy from which a cell is inside.
        points: Points on the surface of each shape, for distances of sets.
        C: The SVM's; by default the paper's, 0.07 of more than 20 classes and 0.01 of fewer.
        extractor: A classifier of shapes made by `voxel fit_classifier`.
        checkpoint: Which one of the run: latest, best, best-METRIC, step-NUMBER, or all.
        truncation: Below 1, shapes nearer to the typical one.
        batch_size: Shapes made at once; another number changes no more than the rounding.
        out: Folder for scores and caches; by default `metrics` in the run's.
        accelerator: Kind of device.
        allow: Import paths, with commas between, of further classes that the checkpoint may name.
            Their code is run: allow only what you trust.
    """

    metrics: str = "occupancy,components,largest_share"
    samples: int | None = None
    repeats: int = 1
    threshold: float = 0.5
    points: int = 2048
    C: float | None = None
    extractor: Path | None = None
    checkpoint: str = "latest"
    truncation: float = 1.0
    batch_size: int = 16
    out: Path | None = None
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    allow: str = ""

    def __post_init__(self) -> None:
        check_range("samples", self.samples, 2, 100_000_000)
        check_range("repeats", self.repeats, 1, 1000)
        check_range("threshold", self.threshold, 0.001, 0.999)
        check_range("points", self.points, 8, 1_000_000)
        check_range("C", self.C, 1e-9, 1e9)
        check_range("truncation", self.truncation, 0, 10)
        check_range("batch_size", self.batch_size, 1, 100_000)


def main(arguments: list[str]) -> None:
    """Runs the command."""
    from data.shapes import Shapes

    parser = ArgumentParser(
        prog="evaluate.py", description=(__doc__ or "").splitlines()[0], exit_on_error=False
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="Folder of a training.")
    parser.add_class_arguments(ShapeEvaluateOptions, as_group=False)
    parser.add_argument("--data.root", type=Path, help="Folder of real shapes, or a store.")
    parser.add_argument(
        "--data.views", type=Path, help="Folder of their views; those beside the shapes by default."
    )
    parser.add_argument("--data.frames", type=list[int], help="Numbers of the views; all if null.")
    parser.add_class_arguments(Shapes, "data", skip=_DECIDED | {"root"})
    chosen = parse(parser, arguments).as_dict()
    names = [field.name for field in fields(ShapeEvaluateOptions)]
    options = ShapeEvaluateOptions(**{name: chosen.pop(name) for name in names})
    evaluate(chosen["run"], chosen["data"], options)


def evaluate(run: Path, data: dict[str, Any], options: ShapeEvaluateOptions) -> None:
    """A table of scores, and a line of JSON for each.

    Args:
        run: Folder of a training.
        data: Options of `data.Shapes`, and `views` and `frames` of `data.ShapeViews`; without
            `root` there are no real shapes.
        options: All the rest.

    Raises:
        UserError: The command cannot be done as it was given.
        DataError: The shapes cannot be used so.
    """
    from voxel.commands.evaluation import run_evaluation  # brings torch

    run_evaluation(run, data, options)
