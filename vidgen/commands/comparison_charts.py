"""Drawings of a comparison as SVG for the middle of a page, in whose colors they appear."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vidgen.plots import Number, smoothed

# Each at least 3 : 1 against white and against the page's black.
COLORS = (
    "#1f7fcc",
    "#d9641e",
    "#2a9454",
    "#bf4fbf",
    "#a8820a",
    "#d6394a",
    "#0f9494",
    "#8467de",
)
_DASHES = ("solid", "dashed", "dotted", "dashdot")
_INK = "#010203"  # becomes the color of the page's text
_STYLE: dict[Any, Any] = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), _INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), _INK),
    "font.size": 9,
    "svg.fonttype": "none",
}
_MOST_POINTS = 500
LARGEST = 1e100  # of what is drawn: an axis adds and multiplies its ends
_WIDTH, _HEIGHT = 4.6, 2.5  # inches; the page scales them


def color_of(index: int) -> str:
    """The color of the run with this number, from 0."""
    return COLORS[index % len(COLORS)]


@dataclass(frozen=True)
class Bar:
    """A value and one standard deviation each way, in percent of the chart's width."""

    index: int
    left: float
    middle: float
    right: float


@dataclass(frozen=True)
class BarChart:
    """Values on one axis.

    Attributes:
        low: Value at the left edge.
        high: Value at the right edge.
        bars: A bar a run.
        real: Places of real clips' values, in percent.
    """

    low: float
    high: float
    bars: list[Bar]
    real: list[float]


def bar_chart(
    values: Mapping[int, tuple[float, float]], real: Sequence[float] = ()
) -> BarChart | None:
    """The chart of values and deviations by run; `None` where none is finite."""
    values = {
        index: (value, std)
        for index, (value, std) in values.items()
        if abs(value) + abs(std) < LARGEST
    }
    if not values:
        return None
    ends = [value + side * std for value, std in values.values() for side in (-1, 1)]
    real = [value for value in real if abs(value) < LARGEST]
    low, high = min([*ends, *real]), max([*ends, *real])
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    bars = [
        Bar(index, place(value - std), place(value), place(value + std))
        for index, (value, std) in values.items()
    ]
    return BarChart(low, high, bars, [place(value) for value in real])


def curve_chart(
    name: str, curves: Mapping[int, Mapping[Number, Number]], letters: Sequence[str], smooth: bool
) -> str:
    """Values by step of several runs in one SVG.

    Args:
        name: Another for each drawing of a page; it is not shown.
        curves: By number of the run.
        letters: What the runs are called, at the end of their lines.
        smooth: Whether to draw a smoothed line, the values themselves being faint; else each value
            is a dot.
    """
    # Parts of a drawing have names made with the salt, which a page must not hold twice.
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": ascii(name)}):
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        axis = figure.subplots()
        drawn = [
            _draw_run(axis, index, curve, letters[index], smooth) for index, curve in curves.items()
        ]
        seen = np.concatenate(drawn)
        if len(seen):
            low, high = seen.min(), seen.max()
            margin = 0.06 * (high - low) or 0.06 * abs(high) or 1.0
            axis.set_ylim(low - margin, high + margin)
        axis.set_xlabel("step")
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        return _inline_svg(figure)


def _draw_run(
    axis: Axes, index: int, curve: Mapping[Number, Number], letter: str, smooth: bool
) -> Float[np.ndarray, " values"]:
    """Draws a line; gives the values that must be seen: single outliers of losses need not."""
    steps, values = (_drawable(numbers) for numbers in (curve, curve.values()))
    color, dashes = color_of(index), _DASHES[index // len(COLORS) % len(_DASHES)]
    line = values
    if smooth:
        kept, line = thinned(values), smoothed(values)
        axis.plot(steps[kept], values[kept], color=color, alpha=0.25, linewidth=0.7)
    kept = thinned(line)
    marker = "" if smooth and len(kept) > 1 else "o"
    axis.plot(steps[kept], line[kept], color=color, linestyle=dashes, marker=marker, markersize=3.5)
    finite = np.flatnonzero(np.isfinite(line))
    if not len(finite):
        return line[finite]
    end = steps[finite[-1]], line[finite[-1]]
    axis.annotate(letter, end, (5, 0), textcoords="offset points", va="center", color=color)
    return np.concatenate([line[finite], np.percentile(values[finite], (2, 98))])


def _drawable(numbers: Iterable[Number]) -> Float[np.ndarray, " points"]:
    """The numbers, NaN in the place of those with which an axis cannot calculate."""
    found = np.array(list(numbers), dtype=float)
    return np.where(np.abs(found) < LARGEST, found, np.nan)


def thinned(values: Float[np.ndarray, " points"]) -> np.ndarray:
    """Numbers of the points that a drawing needs: of many, the extremes of each short stretch."""
    if len(values) <= _MOST_POINTS:
        return np.arange(len(values))
    kept = {0, len(values) - 1}
    for stretch in np.array_split(np.arange(len(values)), _MOST_POINTS // 2):
        part = values[stretch]
        if np.isnan(part).all():
            kept.add(int(stretch[0]))  # a gap stays a gap
        else:
            kept |= {int(stretch[np.nanargmin(part)]), int(stretch[np.nanargmax(part)])}
    return np.array(sorted(kept))


def _inline_svg(figure: Figure) -> str:
    """The figure as an element of HTML: text as text, no numbered names, no style for all else."""
    # Without a date and the like, which would bring links to their vocabularies.
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata=metadata)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.S)
    svg = re.sub(r' id="[A-Za-z0-9.]+_\d+"| xmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    size = re.search(r'viewBox="[^"]*"', svg)
    return re.sub(r"<svg [^>]*>", f'<svg role="img" {size[0] if size else ""}>', svg, count=1)
