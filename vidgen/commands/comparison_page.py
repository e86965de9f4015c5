"""The page of a comparison: what was gathered, laid out by comparison.html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from vidgen.commands.comparison_charts import BarChart, bar_chart, color_of, curve_chart
from vidgen.commands.comparison_runs import RunRecord, differing_settings
from vidgen.commands.comparison_scores import Row, score_rows

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
        rows=[(row, _chart(row)) for row in rows],
        losses=_panels(runs, judged=False),
        judgements=_panels(runs, judged=True),
        shared=shared,
        partial=partial,
    )


def _chart(row: Row) -> BarChart | None:
    scores = {index: cell.score for index, cell in enumerate(row.cells) if cell is not None}
    values = {index: (score.value, score.std) for index, score in scores.items()}
    return bar_chart(values, [value for _, value in row.real])


def _panels(runs: Sequence[RunRecord], judged: bool) -> list[Panel]:
    """A panel for each term of a log: of the losses, or of the scores during the training."""
    letters = [run.letter for run in runs]
    names = {name for run in runs for name in run.curves if name.startswith(_JUDGED) == judged}
    panels = []
    # Terms without a player come last, as in the pictures of losses.
    for name in sorted(names, key=lambda name: ("/" not in name, name)):
        curves = {index: run.curves[name] for index, run in enumerate(runs) if name in run.curves}
        svg = Markup(curve_chart(name, curves, letters, smooth=not judged))
        term = name.removeprefix(_JUDGED)
        panels.append(Panel(term, [letters[index] for index in curves], svg))
    return panels


def _number(value: float) -> str:
    """As `evaluate.py` prints scores."""
    return f"{value:.5g}"
