"""The metrics of shapes by name: which sets each needs, and how it makes a value of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from vidgen.commands.columns import Measure
from vidgen.commands.judging import METRICS as CLIP_METRICS
from vidgen.errors import UserError
from vidgen.metrics.neighbours import memorisation_ratio
from voxel.classification import default_penalty, svm_accuracy
from voxel.commands import measures
from voxel.commands.distances import Distance
from voxel.commands.evidence import (
    Evidence,
    Figures,
    PairOfSets,
    SetName,
    ShapeMetric,
    ShapeTools,
    Value,
)
from voxel.metrics import density, jensen_shannon_divergence, set_scores


def _mean_of(column: str, of: SetName) -> Value:
    def value(evidence: Evidence) -> Figures:
        rows = evidence.columns[of].all(column).astype(np.float64)
        known = rows[~np.isnan(rows)]
        if len(known) == 0:
            raise UserError(f"{column}: every true shape is empty; give others in --data.root")
        figures: Figures = {"value": float(known.mean()), "std_over_shapes": float(known.std())}
        if of == "pairs":
            figures["without_truth"] = len(rows) - len(known)
            labels = evidence.columns[of].all("label")
            figures["each_class"] = _each_class(labels, rows, evidence.classes)
        return figures

    return value


def _each_class(labels: np.ndarray, rows: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Mean of each class that has shapes."""
    found = {name: rows[labels == number] for number, name in enumerate(classes)}
    return {name: float(np.nanmean(own)) for name, own in found.items() if (own == own).any()}


def _of_sets(distance: Distance, score: str) -> Value:
    def value(evidence: Evidence) -> Figures:
        scores = set_scores(
            evidence.matrix(distance, "generated", "generated"),
            evidence.matrix(distance, "generated", "reference"),
            evidence.matrix(distance, "reference", "reference"),
        )
        return {"value": float(getattr(scores, score))}

    return value


def _divergence(evidence: Evidence) -> Figures:
    ours, theirs = (
        density(points for chunk in evidence.columns[of].chunks() for points in chunk["points"])
        for of in ("generated", "reference")
    )
    return {"value": jensen_shannon_divergence(ours, theirs)}


def _memorisation(evidence: Evidence) -> Figures:
    ours = torch.from_numpy(evidence.matrix("iou", "generated", "train").min(axis=1))
    test = torch.from_numpy(evidence.matrix("iou", "reference", "train").min(axis=1))
    return {
        "value": memorisation_ratio(ours, test),
        "median_distance": float(ours.median()),
        "median_distance_of_test": float(test.median()),
    }


def _machine(evidence: Evidence) -> Figures:
    train, test = evidence.columns["train"], evidence.columns["reference"]
    labels = train.all("label")
    if len(np.unique(labels)) < 2:
        raise UserError("svm: the shapes are of one class or none, there is nothing to tell apart")
    penalty = evidence.tools.penalty or default_penalty(len(np.unique(labels)))
    accuracy = svm_accuracy(
        train.all("features"), labels, test.all("features"), test.all("label"), penalty
    )
    return {"value": accuracy.per_class, "overall": accuracy.overall, "C": penalty}


def _by_classifier(name: str, generated: SetName = "generated") -> Value:
    """A metric of clips, whose columns are the same for volumes."""
    metric = CLIP_METRICS[name]

    def value(evidence: Evidence) -> Figures:
        real = evidence.columns.get("reference")
        return metric.value(evidence.columns[generated], real, evidence.tools.clips)

    return value


def _health(tools: ShapeTools) -> Measure:
    return measures.Health(tools.threshold)


def _surface(tools: ShapeTools) -> Measure:
    return measures.Surface(tools.threshold, tools.points)


def _cells(tools: ShapeTools) -> Measure:
    return measures.Cells(tools.threshold)


def _described(tools: ShapeTools) -> Measure:
    return measures.Described(tools.game, tools.origin)


def _agreement(tools: ShapeTools) -> Measure:
    return measures.Agreement(tools.threshold)


def _alignment(tools: ShapeTools) -> Measure:
    del tools
    return measures.Alignment()


def _classified(tools: ShapeTools) -> Measure:
    if tools.clips.extractor is None:
        raise ValueError("a metric of features was given no network")
    return measures.Classified(tools.clips.extractor, tools.clips.batch_size)


def _all_metrics() -> list[ShapeMetric]:
    both: tuple[SetName, ...] = ("generated", "reference")
    found = [
        ShapeMetric(
            name, "neither", ("generated",), _health, _mean_of(name, "generated"), describes=True
        )
        for name in (
            "occupancy",
            "components",
            "largest_share",
            "undecided",
            "mirror_overlap",
            "empty",
        )
    ]
    distances: tuple[tuple[Distance, Callable[[ShapeTools], Measure]], ...] = (
        ("cd", _surface),
        ("iou", _cells),
    )
    for distance, measure in distances:
        pairings: tuple[PairOfSets, ...] = tuple((distance, *pair) for pair in _PAIRS)
        for name, better, score in (
            ("mmd", "lower", "minimum_matching_distance"),
            ("cov", "higher", "coverage"),
            ("1nna", "neither", "nearest_neighbour_accuracy"),
        ):
            value = _of_sets(distance, score)
            label = f"{name}_{distance}"
            found.append(ShapeMetric(label, better, both, measure, value, pairings, equal=True))
    found += [
        ShapeMetric("jsd", "lower", both, _surface, _divergence, equal=True),
        ShapeMetric(
            "memorisation",
            "neither",
            (*both, "train"),
            _cells,
            _memorisation,
            (("iou", "generated", "train"), ("iou", "reference", "train")),
        ),
        ShapeMetric("svm", "higher", ("train", "reference"), _described, _machine),
    ]
    for name, better, measure in (
        ("ap", "higher", _agreement),
        ("iou", "higher", _agreement),
        ("fscore", "higher", _agreement),
        ("chamfer", "lower", _agreement),
        ("ap20", "higher", _alignment),
        ("ap20_aligned", "higher", _alignment),
        ("iou20", "higher", _alignment),
        ("iou20_aligned", "higher", _alignment),
    ):
        found.append(ShapeMetric(name, better, ("pairs",), measure, _mean_of(name, "pairs")))
    for name, better in (
        ("fid", "lower"),
        ("kvd", "lower"),
        ("precision", "higher"),
        ("recall", "higher"),
    ):
        value = _by_classifier(name)
        found.append(ShapeMetric(name, better, both, _classified, value, extractor=True))
    found += [
        ShapeMetric(
            "is",
            "higher",
            ("generated",),
            _classified,
            _by_classifier("is"),
            extractor=True,
            describes=True,
        ),
        ShapeMetric(
            "accuracy",
            "higher",
            ("balanced",),
            _classified,
            _by_classifier("accuracy", "balanced"),
            extractor=True,
        ),
    ]
    return found


_PAIRS: tuple[tuple[SetName, SetName], ...] = (
    ("generated", "generated"),
    ("generated", "reference"),
    ("reference", "reference"),
)
METRICS = {metric.name: metric for metric in _all_metrics()}
# One name for both distances.
_TOGETHER = {name: (f"{name}_cd", f"{name}_iou") for name in ("mmd", "cov", "1nna")}


def chosen_metrics(names: str) -> list[ShapeMetric]:
    """The metrics of a list with commas.

    Raises:
        UserError: There is no such metric.
    """
    chosen: dict[str, ShapeMetric] = {}
    for name in (name.strip() for name in names.split(",")):
        for each in _TOGETHER.get(name, (name,)):
            if each not in METRICS:
                known = ", ".join((*_TOGETHER, *METRICS))
                raise UserError(f"--metrics {names}: of shapes {name!r} is none of {known}")
            chosen[each] = METRICS[each]
    return list(chosen.values())
