"""The page of a comparison: what was gathered, laid out by comparison.html."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from vidgen.commands.comparison_charts import BarChart, bar_chart, color_of, curve_chart
from vidgen.commands.comparison_runs import RunRecord, differing_settings
from vidgen.commands.comparison_scores import Row, finite_bars, score_rows

_JUDGED = "metrics/"  # how a training's log calls the scores of its samples


@dataclass(frozen=True)
class Panel:
    """A drawing of curves.

    Attributes:
        term: What is drawn.
        runs: Letters of the runs that have it.
        svg: The drawing.
    """

    term: str
    runs: list[str]
    svg: Markup


def comparison_page(runs: Sequence[RunRecord]) -> str:
    """The whole page as HTML.

    Args:
        runs: What is compared, in the order of columns.
    """
    letters = [run.letter for run in runs]
    rows = score_rows([run.scores for run in runs], letters)
    shared, partial = differing_settings(runs)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # names and settings are anybody's text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    return environment.get_template("comparison.html").render(
        runs=runs,
        colors=[color_of(index) for index in range(len(runs))],
        facts=list(dict.fromkeys(name for run in runs for name in run.facts)),
        rows=[(row, _chart(row)) for row in rows],
        losses=_loss_panels(runs),
        judgements=_panels(runs, _JUDGED, smooth=False),
        shared=shared,
        partial=partial,
    )


def _chart(row: Row) -> BarChart | None:
    return bar_chart(finite_bars(row.cells), [value for _, value in row.real])


def _loss_panels(runs: Sequence[RunRecord]) -> dict[str, list[Panel]]:
    """The panels of each player; terms of none come last."""
    players: dict[str, list[Panel]] = defaultdict(list)
    names = {name.rpartition("/")[0] for run in runs for name in run.curves}
    for player in sorted(names - {_JUDGED.rstrip("/")}, key=lambda name: (not name, name)):
        players[player or "other"] += _panels(runs, f"{player}/" if player else "", smooth=True)
    return players


def _panels(runs: Sequence[RunRecord], prefix: str, smooth: bool) -> list[Panel]:
    """A panel for each term whose name is the prefix and one word more."""
    letters = [run.letter for run in runs]
    names = {name for run in runs for name in run.curves}
    panels = []
    for name in sorted(names):
        term = name.removeprefix(prefix)
        if not name.startswith(prefix) or "/" in term:
            continue
        curves = {index: run.curves[name] for index, run in enumerate(runs) if name in run.curves}
        svg = curve_chart(name, curves, letters, smooth)
        panels.append(Panel(term, [letters[index] for index in curves], Markup(svg)))
    return panels


def _number(value: float) -> str:
    """As `evaluate.py` prints scores."""
    return f"{value:.5g}"
