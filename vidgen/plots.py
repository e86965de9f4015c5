"""Pictures of what was measured: losses of a training, accuracies of classifiers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, isfinite, nan
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vidgen.errors import UserError
from vidgen.writing import replacing

# Progress, not losses.
_BOOKKEEPING = {"step", "seconds", "examples"}
_TIMING_ENDINGS = ("_seconds", "_per_second")

Number = int | float
Curves = dict[str, dict[Number, Number]]


def loss_picture(log: Path, out: Path) -> None:
    """Draws every loss in a training's log, a panel a player, as a PNG.

    Args:
        log: The run's log.jsonl: JSON lines with a `step` and terms named `player/term`. Terms
            without a player share a last panel. Broken lines are passed over: the last line of a
            training that was killed is often cut.
        out: The picture; replaced when it exists.

    Raises:
        UserError: The log is missing or holds no loss yet, or the picture cannot be written.
    """
    panels: dict[str, Curves] = defaultdict(dict)
    for name, curve in sorted(loss_curves(log).items()):
        player, _, term = name.rpartition("/")
        panels[player][term] = curve
    if not panels:
        raise UserError(f"{log} holds no losses yet: train for a while, then draw them")
    # Not pyplot, which would keep the figure and ask for a screen.
    figure = Figure(figsize=(9, 1 + 3 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
    players = sorted(panels, key=lambda player: (not player, player))
    for axis, player in zip(axes, players, strict=True):
        _draw_panel(axis, player or "other", panels[player])
    axes[-1].set_xlabel("step")
    with replacing(out) as unfinished:
        figure.savefig(unfinished, format="png", dpi=110)


def loss_curves(log: Path) -> Curves:
    """Value by step of every loss in the log, steps ascending.

    Where a step comes twice, as after a training went on from an older checkpoint, the later line
    counts. Values that are not finite are NaN: a gap in the curve.
    """
    curves: Curves = defaultdict(dict)
    for line in _numeric_lines(log):
        step = line.get("step", nan)
        if not isfinite(step):
            continue
        for name, value in line.items():
            if name not in _BOOKKEEPING and not name.endswith(_TIMING_ENDINGS):
                curves[name][step] = value if isfinite(value) else nan
    return {name: dict(sorted(curve.items())) for name, curve in curves.items()}


def accuracy_picture(
    curves: Mapping[str, Mapping[float, Sequence[float]]],
    chance: float,
    out: Path,
    across: str = "fraction of the labelled videos",
    upward: str = "accuracy on held-out groups, %",
) -> None:
    """Draws accuracy against the amount of labelled data, a line a start, as a PNG.

    Args:
        curves: By start and amount, the accuracy of each seed; bars are standard deviations.
        chance: Accuracy of guessing, a dashed line.
        out: The picture; replaced when it exists.
        across: What the amount is.
        upward: What the accuracy is.

    Raises:
        UserError: The picture cannot be written.
    """
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axis = figure.subplots()
    for number, (name, curve) in enumerate(curves.items()):
        # Side by side, or equal values would hide each other.
        places = np.array(list(curve)) * 2 ** (0.06 * (number - (len(curves) - 1) / 2))
        means = np.array([100 * fmean(accuracies) for accuracies in curve.values()])
        bars = np.array([100 * stdev(found) if len(found) > 1 else 0 for found in curve.values()])
        axis.errorbar(places, means, bars, marker="o", capsize=3, label=name)
    axis.axhline(100 * chance, color="grey", linestyle="--", linewidth=1, label="chance")
    fractions = sorted({fraction for curve in curves.values() for fraction in curve})
    axis.set_xscale("log", base=2)
    axis.set_xticks(fractions, [f"{fraction:g}" for fraction in fractions])
    axis.set(xlabel=across, ylabel=upward)
    axis.set_ylim(0, 102)
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right", fontsize="small")
    with replacing(out) as unfinished:
        figure.savefig(unfinished, format="png", dpi=110)


def _numeric_lines(log: Path) -> Iterator[dict[str, Number]]:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(f"cannot read the log {log}: {error.strerror}") from error
    for line in lines:
        try:
            values = json.loads(line, parse_int=float)  # of 400 digits too, as infinity
        except (ValueError, RecursionError):
            continue
        if isinstance(values, dict):
            yield {name: value for name, value in values.items() if type(value) in (int, float)}


def _draw_panel(axis: Axes, player: str, curves: Curves) -> None:
    for index, (term, curve) in enumerate(curves.items()):
        steps, values = np.array(list(curve)), np.array(list(curve.values()), dtype=float)
        color = f"C{index % 10}"
        # A single value is no line: it gets a dot.
        marker = "o" if len(steps) == 1 else ""
        axis.plot(steps, values, color=color, alpha=0.25, linewidth=0.8, marker=marker)
        axis.plot(steps, smoothed(values), color=color, linewidth=1.6, label=term)
    axis.set_title(player, loc="left")
    axis.grid(alpha=0.3)
    axis.legend(loc="upper right", fontsize="small")


def smoothed(values: Float[np.ndarray, " lines"]) -> Float[np.ndarray, " lines"]:
    """The mean of the last values, the older the less they count, over about a twentieth of all.

    The first values are means of what there is, not pulled to zero. A NaN stays one and does not
    touch its neighbours.
    """
    keep = 1 - 1 / max(1, ceil(len(values) / 20))
    total = weight = 0.0
    means = np.full(len(values), nan)
    for index, value in enumerate(values):
        if np.isfinite(value):
            total, weight = keep * total + value, keep * weight + 1
            means[index] = total / weight
    return means
