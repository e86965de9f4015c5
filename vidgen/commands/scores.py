"""Scores as lines of JSON in a run's folder, and as a table on the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from rich.console import Console
from rich.table import Table

from vidgen.errors import UserError


@dataclass(frozen=True)
class Score:
    """What a metric says of a set of clips, and how that came about.

    Attributes:
        metric: Its name with extractor and count, as results are quoted.
        values: One a repeat.
        better: Which way it points: higher, lower, or neither.
        real: The same of real clips, where that has a meaning.
        protocol: All that two scores must share to be compared.
        num_generated: Clips of each repeat.
        num_real: Real clips; 0 without.
        checkpoint: Name of the checkpoint, or the folder of the clips.
        checkpoint_sha256: Of its weights, or of the clips.
        extractor: Name of the network; "" without.
        extractor_sha256: Of its weights.
        seconds: What it took; what was found in the cache took none.
        details: Further figures.
    """

    metric: str
    values: list[float]
    better: str
    protocol: str
    num_generated: int
    num_real: int
    checkpoint: str
    checkpoint_sha256: str
    extractor: str
    extractor_sha256: str
    seconds: float
    real: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """Mean over the repeats."""
        return fmean(self.values)

    @property
    def std(self) -> float:
        """Population standard deviation over the repeats, as the papers give it.

        NaN where a value is not finite: the PSNR of equal frames is infinite.
        """
        if len(self.values) > 1 and not all(math.isfinite(value) for value in self.values):
            return math.nan
        return pstdev(self.values) if len(self.values) > 1 else 0.0


def append_score(folder: Path, name: str, score: Score) -> Path:
    """Adds a line to the metric's file and gives its path.

    Raises:
        UserError: It cannot be written.
    """
    path = folder / f"{name}.jsonl"
    line = {"metric": score.metric, "value": score.value, "std": score.std, **asdict(score)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror}; give another --out"
        ) from error
    return path


def score_table(scores: Sequence[Score], noun: str = "clips") -> str:
    """A row a score: mean ± standard deviation over the repeats, and under what conditions.

    Args:
        scores: In the order of the rows.
        noun: What was judged.
    """
    table = Table(title="mean ± standard deviation over repeats")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("better")
    table.add_column(f"real {noun}", justify="right")
    table.add_column(noun, justify="right")
    table.add_column("checkpoint")
    for score in scores:
        repeats = len(score.values)
        value = f"{score.value:.5g} ± {score.std:.2g}" if repeats > 1 else f"{score.value:.5g}"
        table.add_row(
            score.metric.replace("[", r"\["),
            value,
            score.better,
            "" if score.real is None else f"{score.real:.5g}",
            f"{repeats} x {score.num_generated}" if repeats > 1 else str(score.num_generated),
            score.checkpoint,
        )
    console = Console(width=110)
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip()
