"""The metrics by name: what each measures of a clip, and how it makes a value of a set of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vidgen.commands.columns import Columns, Measure
from vidgen.errors import UserError
from vidgen.metrics.content import SHAPE_THRESHOLD, average_content_distance, shape_colors


@dataclass(frozen=True)
class Tools:
    """What metrics work with.

    Attributes:
        shape_threshold: Pixels brighter than this, of 255, belong to the shape.
    """

    shape_threshold: float = SHAPE_THRESHOLD


@dataclass(frozen=True)
class Metric:
    """A metric that `evaluate.py` knows.

    Attributes:
        name: As the user gives it.
        better: Which way it points: higher, lower, or neither.
        measure: What it needs to know of each clip.
        value: The value and further figures, from generated and, where there are any, real clips.
    """

    name: str
    better: str
    measure: Callable[[Tools], Measure]
    value: Callable[[Columns, Columns | None, Tools], dict[str, Any]]


class ShapeContent:
    """ACD of each clip by the mean color of its shape.

    Args:
        threshold: Of 255.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.key = f"acd by shape color above {threshold:g}"

    def __call__(self, clips: Tensor) -> dict[str, Tensor]:
        colors, num_empty = shape_colors(clips, self._threshold)
        return {"acd": average_content_distance(colors), "empty_frames": num_empty}


def _acd(generated: Columns, real: Columns | None, tools: Tools) -> dict[str, Any]:
    return {
        "value": float(generated.all("acd").mean()),
        "frames_without_shape": int(generated.all("empty_frames").sum()),
    }


METRICS = {
    metric.name: metric
    for metric in (Metric("acd", "lower", lambda tools: ShapeContent(tools.shape_threshold), _acd),)
}


def chosen_metrics(names: str) -> list[Metric]:
    """The metrics of a list with commas.

    Raises:
        UserError: There is no such metric.
    """
    chosen = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in chosen:
        if name not in METRICS:
            raise UserError(f"--metrics {names}: {name!r} is none of {', '.join(METRICS)}")
    return [METRICS[name] for name in chosen]
