"""What each metric must do when clips are spoiled, stated before anything is measured.

`up` and `down`: with each greater strength it moves that way or, at the end of its range, stays;
and the greatest strength moves it further than chance does. `same`: it moves no further than
chance does. A metric that is not named for a distortion may do as it likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean, pstdev

METRICS = (
    "is",
    "fid",
    "kvd",
    "precision",
    "recall",
    "swd",
    "swd_motion",
    "acd",
    "change",
    "unevenness",
    "freeze",
    "flicker",
    "ms_ssim",
    "neighbours",
)

# Pixels, levels of 255, shares and numbers of classes.
STRENGTHS = {
    "blur": (0.7, 1.4, 2.8),
    "noise": (8, 24, 64),
    "frozen": (1 / 3, 2 / 3, 1),
    "shuffled": (0.25, 0.5, 1),
    "brighter": (8, 16, 32),
    "dropped classes": (1, 2, 3),
    "copies": (0.25, 0.5, 0.75),
}

SPOILED = {
    "blur": {
        "up": "fid kvd swd swd_motion ms_ssim",
        "down": "precision change",
    },
    "noise": {
        "up": "fid kvd swd swd_motion change flicker neighbours",
        "down": "precision ms_ssim",
    },
    "frozen": {
        "up": "fid kvd swd_motion freeze",
        "down": "acd change",
        "same": "swd",
    },
    "shuffled": {
        "up": "fid kvd swd_motion change flicker",
        "same": "swd acd",
    },
    "brighter": {
        "up": "fid kvd neighbours",
        "down": "precision",
        "same": "change flicker",
    },
    "dropped classes": {
        "up": "fid kvd ms_ssim",
        "down": "is recall",
    },
    "copies": {
        "down": "neighbours",
        "same": "is change flicker ms_ssim",
    },
}

# Held-out clips before a trained model before an untrained one: by the metric itself, or by how
# near it is to the value of real clips.
BETTER = {
    "higher": "is precision recall",
    "lower": "fid kvd swd swd_motion",
    "nearer": "change unevenness freeze flicker ms_ssim",
}

# How many standard deviations of ten draws of unspoiled clips chance may move one from another:
# Student's t for 99 %, times √2 for a difference and √(10/9) for a population's deviation.
CHANCE = 4.8

Table = dict[tuple[str, float], dict[str, list[float]]]


def moves(values: Sequence[float], spread: float, way: str) -> bool:
    """Whether a metric does what is expected.

    Args:
        values: Of the unspoiled clips, then with growing strength.
        spread: Standard deviation over draws of unspoiled clips.
        way: up, down or same.
    """
    if way == "same":
        return all(abs(value - values[0]) <= CHANCE * spread for value in values)
    signed = [value if way == "up" else -value for value in values]
    steps = [after - before for before, after in pairwise(signed)]
    return min(steps) >= 0 and signed[-1] - signed[0] > CHANCE * spread


def spoiled_lines(table: Table) -> Iterator[str]:
    """A table of Markdown: a row a strength, and after each distortion what was expected."""
    whole = table["whole", 0]
    yield "| clips | " + " | ".join(METRICS) + " |"
    yield "| --- |" + " ---: |" * len(METRICS)
    yield _row("unspoiled", [_number(fmean(whole[metric])) for metric in METRICS])
    yield _row("± by chance", [_number(pstdev(whole[metric])) for metric in METRICS])
    for name, strengths in STRENGTHS.items():
        rows = [table[name, strength] for strength in strengths]
        for strength, row in zip(strengths, rows, strict=True):
            yield _row(f"{name} {strength:.2g}", [_number(row[metric][0]) for metric in METRICS])
        marks = []
        for metric in METRICS:
            values = [whole[metric][0], *(row[metric][0] for row in rows)]
            marks.append(_mark(values, pstdev(whole[metric]), _way(SPOILED[name], metric)))
        yield _row(f"*{name}*", marks)


def order_lines(table: Table, names: Sequence[str]) -> Iterator[str]:
    """A table of Markdown: whether a trained model comes between real clips and an untrained one.

    Args:
        table: Values.
        names: Clips like those that all are compared with; other real ones; trained; untrained.
    """
    yield "| metric | " + " | ".join(names) + " | better | in order |"
    yield "| --- | ---: | ---: | ---: | ---: | --- | --- |"
    for metric in METRICS:
        values = [fmean(table[name, 0][metric]) for name in names]
        way = _way(BETTER, metric)
        badness = {
            "higher": [-value for value in values],
            "lower": values,
            "nearer": [abs(value - values[0]) for value in values],
        }.get(way)
        mark = ""
        if badness is not None:
            mark = "✓" if badness[1] < badness[2] < badness[3] else "✗"
        yield _row(metric, [*map(_number, values), way, mark])


def _way(expected: dict[str, str], metric: str) -> str:
    return next((way for way, names in expected.items() if metric in names.split()), "")


def _mark(values: Sequence[float], spread: float, way: str) -> str:
    if not way:
        return ""
    arrow = {"up": "↑", "down": "↓", "same": "="}[way]
    return arrow + (" ✓" if moves(values, spread, way) else " ✗")


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    if abs(value) >= 1e5:
        return f"{value:.1e}".replace("e+0", "e")
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 5e-4 else "0"
