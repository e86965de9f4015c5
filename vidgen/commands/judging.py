"""The metrics by name: what each measures of a clip, and how it makes a value of a set of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from vidgen.commands import measures
from vidgen.commands.clip_sets import Draw
from vidgen.commands.columns import Columns, Measure
from vidgen.commands.protocols import Protocol
from vidgen.errors import UserError
from vidgen.metrics.extractors.base import Extractor
from vidgen.metrics.extractors.identity import Embedder
from vidgen.metrics.frechet import Moments, frechet_distance
from vidgen.metrics.inception import InceptionScore, accuracy, intra_class_score
from vidgen.metrics.kernel import kernel_distance
from vidgen.metrics.motion_control import motion_control_score
from vidgen.metrics.neighbours import memorisation_ratio, nearest
from vidgen.metrics.precision_recall import neighbour_distances, precision_and_recall
from vidgen.metrics.similarity import mean_and_interval
from vidgen.metrics.wasserstein import sliced_wasserstein, standardized


@dataclass(frozen=True)
class Tools:
    """What metrics work with.

    Attributes:
        protocol: Whose rules.
        extractor: The network that judges clips; `None` where no metric asks for one.
        embedder: ACD: the network that gives a vector a frame; `None` takes the shape's color.
        shape_threshold: ACD: pixels brighter than this, of 255, belong to the shape.
        batch_size: Clips that a network sees at once.
        label_map: The extractor's class for each class of the clips; `None` is the same numbers.
    """

    protocol: Protocol
    extractor: Extractor | None = None
    embedder: Embedder | None = None
    shape_threshold: float = 25.0
    batch_size: int = 16
    label_map: Sequence[int] | None = None

    @property
    def epsilon(self) -> float:
        """Inside the Inception score's logarithm: a paper's own for the network of the paper."""
        literature = self.extractor is not None and self.extractor.literature
        return self.protocol.epsilon if literature else 0.0


Figures = dict[str, Any]


@dataclass(frozen=True)
class Metric:
    """A metric that `evaluate.py` knows.

    Attributes:
        name: As the user gives it.
        better: Which way it points: higher, lower, or neither.
        measure: What it needs to know of each clip.
        value: The value and further figures, from generated and, where there are any, real clips.
        extractor: Name of the network of the literature's values; "" uses none.
        compares: Whether it compares with real clips, which must then be given.
        draw: Which clips it needs: of each class in equal numbers, or at two resolutions.
    """

    name: str
    better: str
    measure: Callable[[Tools], Measure]
    value: Callable[[Columns, Columns | None, Tools], Figures]
    extractor: str = ""
    compares: bool = False
    draw: Draw = "prior"

    def label(self, tools: Tools, count: int) -> str:
        """How the score is quoted: `fid_c3d_2048`, or with another network `fid[its name]`."""
        if not self.extractor or tools.extractor is None:
            if self.name == "acd" and tools.embedder is not None:
                return f"acd[{tools.embedder.name}]"
            return self.name
        if tools.extractor.literature and tools.extractor.name == self.extractor:
            number = f"{count // 1000}k" if count % 1000 == 0 else str(count)
            return f"{self.name}_{self.extractor}_{number}"
        return f"{self.name}[{tools.extractor.name}]"


def _tensor(columns: Columns, name: str) -> Tensor:
    return torch.from_numpy(columns.all(name))


def _reference(real: Columns | None) -> Columns:
    if real is None:
        raise ValueError("a metric that compares was given nothing to compare with")
    return real


def _acd(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    del real, tools
    return {
        "value": float(_tensor(generated, "acd").mean()),
        "frames_without_shape": int(generated.all("empty_frames").sum()),
    }


def _inception(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    del real
    score = InceptionScore(tools.epsilon)
    for chunk in generated.chunks():
        score.update(torch.from_numpy(chunk["logits"]))
    return {"value": score.value()}


def _intra_class(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    del real
    labels = _labels(generated, tools)
    return {"value": intra_class_score(_tensor(generated, "logits"), labels, tools.epsilon)}


def _accuracy(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    del real
    return {"value": accuracy(_tensor(generated, "logits"), _labels(generated, tools))}


def _motion_control(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    del real
    logits = _tensor(generated, "logits")
    value, each = motion_control_score(logits, _labels(generated, tools))
    return {"value": value, "each_category": each}


def _labels(columns: Columns, tools: Tools) -> Tensor:
    labels = _tensor(columns, "label")
    if (labels < 0).any():
        raise UserError("the clips have no classes; leave mcs, accuracy and intra_is out")
    if tools.label_map is not None:
        labels = torch.tensor(list(tools.label_map))[labels]
    return labels


def _frechet(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    of_sample = tools.extractor is None or tools.extractor.sample_covariance
    ours, theirs = _moments(generated), _moments(_reference(real))
    return {"value": frechet_distance(ours, theirs, correction=int(of_sample))}


def _moments(columns: Columns) -> Moments:
    moments: Moments | None = None
    for chunk in columns.chunks():
        features = torch.from_numpy(chunk["features"])
        moments = moments or Moments(features.shape[1])
        moments.update(features)
    if moments is None:
        raise ValueError("no clips")
    return moments


def _kernel(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    del tools
    value, spread = kernel_distance(
        _tensor(generated, "features"), _tensor(_reference(real), "features")
    )
    return {"value": value, "std_over_subsets": spread}


def _precision(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    del tools
    return {"value": _precision_recall(generated, real)[0]}


def _recall(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    del tools
    return {"value": _precision_recall(generated, real)[1]}


def _precision_recall(generated: Columns, real: Columns | None) -> tuple[float, float]:
    try:
        return precision_and_recall(
            _tensor(_reference(real), "features"), _tensor(generated, "features")
        )
    except ValueError as error:
        raise UserError(f"precision and recall: {error}; give more --samples") from error


def _sliced(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    """Mean over the levels, times 1000 as ProGAN gives it."""
    del tools
    reference, levels = _reference(real), {}
    names = sorted(name for name in next(generated.chunks()) if name.startswith("level"))
    for name in names:
        ours, theirs = _tensor(generated, name), _tensor(reference, name)
        count = min(len(ours), len(theirs))
        levels[name] = 1000 * sliced_wasserstein(
            standardized(ours[:count].flatten(0, 1)), standardized(theirs[:count].flatten(0, 1))
        )
    return {"value": fmean(levels.values()), **levels}


def _mean_of(column: str) -> Callable[[Columns, Columns | None, Tools], Figures]:
    def value(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
        del real, tools
        rows = _tensor(generated, column).double()
        return {"value": float(rows.mean()), "std_over_clips": float(rows.std(correction=0))}

    return value


def _over_time(column: str) -> Callable[[Columns, Columns | None, Tools], Figures]:
    """Mean over clips and frames, and the curve over the frames with its 95 % interval."""

    def value(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
        del real, tools
        means, intervals = mean_and_interval(_tensor(generated, column))
        return {
            "value": float(means.mean()),
            "at_each_frame": means.tolist(),
            "interval_95": intervals.tolist(),
        }

    return value


def _memorisation(generated: Columns, real: Columns | None, tools: Tools) -> Figures:
    """Distance to the nearest real clip over that from a real clip to the nearest other one."""
    del tools
    known = _tensor(_reference(real), "thumbnail")
    _, distances = nearest(_tensor(generated, "thumbnail"), known)
    among_real = neighbour_distances(known.double(), 1)
    return {
        "value": memorisation_ratio(distances, among_real),
        "median_distance": float(distances.median()),
    }


def _judged(tools: Tools) -> Measure:
    if tools.extractor is None:
        raise ValueError("a metric of features was given no network")
    return measures.Judged(tools.extractor, tools.batch_size)


def _content(tools: Tools) -> Measure:
    return measures.Content(tools.shape_threshold, tools.embedder)


def _motion(tools: Tools) -> Measure:
    del tools
    return measures.Motion()


def _levels(tools: Tools) -> Measure:
    del tools
    return measures.Levels()


_ALL = (
    Metric("is", "higher", _judged, _inception, "c3d"),
    Metric("intra_is", "neither", _judged, _intra_class, "c3d", draw="balanced"),
    Metric("accuracy", "higher", _judged, _accuracy, "c3d", draw="balanced"),
    Metric("mcs", "higher", _judged, _motion_control, "c3d", draw="balanced"),
    Metric("fid", "lower", _judged, _frechet, "c3d", compares=True),
    Metric("fvd", "lower", _judged, _frechet, "i3d", compares=True),
    Metric("kvd", "lower", _judged, _kernel, "i3d", compares=True),
    Metric("precision", "higher", _judged, _precision, "c3d", compares=True),
    Metric("recall", "higher", _judged, _recall, "c3d", compares=True),
    Metric("acd", "lower", _content, _acd),
    Metric("change", "neither", _motion, _mean_of("change")),
    Metric("unevenness", "neither", _motion, _mean_of("unevenness")),
    Metric("freeze", "neither", _motion, _mean_of("freeze")),
    Metric("flicker", "neither", _motion, _mean_of("flicker")),
    Metric("ms_ssim", "neither", lambda tools: measures.Pairs(), _mean_of("similarity")),
    Metric("psnr", "higher", _levels, _over_time("psnr"), draw="levels"),
    Metric("ssim", "higher", _levels, _over_time("ssim"), draw="levels"),
    Metric("swd", "lower", lambda tools: measures.Patches(False), _sliced, compares=True),
    Metric("swd_motion", "lower", lambda tools: measures.Patches(True), _sliced, compares=True),
    Metric(
        "neighbours", "neither", lambda tools: measures.Thumbnails(), _memorisation, compares=True
    ),
)
METRICS = {metric.name: metric for metric in _ALL}


def chosen_metrics(names: str, option: str = "--metrics") -> list[Metric]:
    """The metrics of a list with commas, which an option gave.

    Raises:
        UserError: There is no such metric.
    """
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in chosen:
        if name not in METRICS:
            raise UserError(f"{option} {names}: {name!r} is none of {', '.join(METRICS)}")
    return [METRICS[name] for name in chosen]
