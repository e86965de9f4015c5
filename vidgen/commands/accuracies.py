"""The accuracies of a grid of trainings: a file that grows, a table, and curves for a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from vidgen.errors import UserError
from vidgen.finetuning import STARTS, Start
from vidgen.writing import replacing


class Cell(NamedTuple):
    """One training of the grid."""

    fraction: float
    start: Start
    seed: int


class Accuracies:
    """JSON lines, one a finished training, each with the settings it was made with.

    Args:
        path: The file; read if it exists.
        settings: What all its lines must have in common, as JSON types.

    Raises:
        UserError: The file holds lines of other settings, or is none of these.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path, self._settings = path, dict(settings)
        self._lines: dict[Cell, dict[str, Any]] = {}
        for line in _read(path):
            self._refuse_other_settings(line["settings"])
            self._lines[Cell(line["fraction"], line["start"], line["seed"])] = line

    def __contains__(self, cell: Cell) -> bool:
        return cell in self._lines

    def add(self, cell: Cell, figures: Mapping[str, Any]) -> None:
        """Keeps the figures of a training; the file is whole at every moment.

        Raises:
            UserError: The file cannot be written.
        """
        self._lines[cell] = {**cell._asdict(), **figures, "settings": self._settings}
        text = "".join(json.dumps(line) + "\n" for line in self._lines.values())
        with replacing(self.path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")

    def curves(self, cells: Sequence[Cell]) -> dict[str, dict[float, list[float]]]:
        """Accuracies of the seeds, by start and fraction, in the order of the cells."""
        found: dict[str, dict[float, list[float]]] = {}
        for cell in cells:
            if cell in self._lines:
                of_start = found.setdefault(cell.start, {})
                of_start.setdefault(cell.fraction, []).append(self._lines[cell]["accuracy"])
        return found

    def table(self, cells: Sequence[Cell], chance: float) -> str:
        """A row a fraction, a column a start: mean ± standard deviation over the seeds."""
        curves = self.curves(cells)
        both = {"gan", "scratch"} <= curves.keys()
        table = Table(title="accuracy on the held-out groups", caption=f"chance {chance:.1%}")
        for heading in ("fraction", "videos", *curves, *(["gan / scratch"] if both else [])):
            table.add_column(heading, justify="right")
        for fraction in sorted({cell.fraction for cell in cells}):
            counts = {
                line["num_train_videos"]
                for cell, line in self._lines.items()
                if cell.fraction == fraction
            }
            row = [f"{fraction:g}", ", ".join(map(str, sorted(counts)))]
            row += [spread_text(curve[fraction]) for curve in curves.values()]
            if both:
                scratch = fmean(curves["scratch"][fraction])
                row.append(f"{fmean(curves['gan'][fraction]) / scratch:.2f}" if scratch else "-")
            table.add_row(*row)
        console = Console(width=100)
        with console.capture() as capture:
            console.print(table)
        return capture.get().rstrip()

    def _refuse_other_settings(self, before: Mapping[str, Any]) -> None:
        changed = [
            f"{name} {before.get(name)!r} -> {self._settings.get(name)!r}"
            for name in sorted(before.keys() | self._settings.keys())
            if before.get(name) != self._settings.get(name)
        ]
        if changed:
            raise UserError(
                f"the results in {self.path} were made with other settings: {'; '.join(changed)}; "
                "give the old ones, or another --out"
            )


def spread_text(accuracies: list[float]) -> str:
    """Mean and sample standard deviation in per cent; the mean alone of one value."""
    text = f"{100 * fmean(accuracies):.1f}"
    return f"{text} ± {100 * stdev(accuracies):.1f} %" if len(accuracies) > 1 else f"{text} %"


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}; move it, or give --out") from error
    for number, line in enumerate(lines, 1):
        if not _is_result(line):
            raise UserError(
                f"line {number} of {path} is not the result of a training; move the file, or give "
                "--out"
            )
    return lines


def _is_result(line: Any) -> bool:
    if not isinstance(line, dict) or line.get("start") not in list(STARTS):
        return False
    numbers = (line.get(name) for name in ("fraction", "seed", "accuracy", "num_train_videos"))
    return isinstance(line.get("settings"), dict) and all(
        isinstance(number, int | float) for number in numbers
    )
