"""The scores of several runs side by side: only those of one protocol share a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import isnan
from pathlib import Path
from typing import Any

from vidgen.commands.json_lines import read_json_lines
from vidgen.commands.judging import METRICS
from vidgen.commands.scores import Score


@dataclass(frozen=True)
class NamedScore:
    """A line of a metric's file.

    Attributes:
        name: Of the metric, as `evaluate.py --metrics` takes it.
        score: What the line says.
    """

    name: str
    score: Score

    @property
    def better(self) -> str:
        """The metric's better side; an unknown metric's is what its line says."""
        known = METRICS.get(self.name)
        return self.score.better if known is None else known.better


@dataclass(frozen=True)
class Cell:
    """A run's score in a row.

    Attributes:
        score: The newest line of this metric and protocol.
        others: The newest of each other checkpoint's under the same protocol.
        best: Whether it is the best of the row.
    """

    score: Score
    others: list[Score]
    best: bool


@dataclass(frozen=True)
class Row:
    """Scores that may be compared.

    Attributes:
        label: The metric as results are quoted.
        better: Its better side: higher, lower, or neither.
        protocol: The parts of the protocol, and whether each sets it apart from the same metric's
            other rows.
        cells: One a run; `None` where a run has no score by this protocol.
        real: The same metric of real clips, once for each value, and whose it is if they differ.
        remark: Why the row stands alone, or why its best is none to rely on; "" without.
    """

    label: str
    better: str
    protocol: list[tuple[str, bool]]
    cells: list[Cell | None]
    real: list[tuple[str, float]]
    remark: str


def read_scores(folder: Path, remarks: list[str]) -> list[NamedScore]:
    """Every score in a folder's `NAME.jsonl` files, in the order of the lines.

    Args:
        folder: The `metrics` of a run.
        remarks: Takes a line for each file in which something is broken, and one if there is none.
    """
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            lines, broken = read_json_lines(path)
        except OSError as error:
            remarks.append(f"metrics/{path.name} cannot be read: {error.strerror}")
            continue
        for line in lines:
            score = _score(line)
            if score is None:
                broken += 1
            else:
                found.append(NamedScore(path.stem, score))
        if broken:
            remarks.append(f"metrics/{path.name}: broken lines passed over: {broken}")
    if not found:
        remarks.append("no scores of evaluate.py")
    return found


def score_rows(runs: Sequence[Sequence[NamedScore]], letters: Sequence[str]) -> list[Row]:
    """A row for each metric and protocol, in the order of the metrics.

    Args:
        runs: The scores of each run, the newest last.
        letters: What the runs are called in remarks.
    """
    order = list(METRICS)
    groups: dict[tuple[str, str, str], list[list[NamedScore]]] = {}
    for index, scores in enumerate(runs):
        for named in scores:
            key = named.name, named.score.metric, named.score.protocol
            groups.setdefault(key, [[] for _ in runs])[index].append(named)

    def place(key: tuple[str, str, str]) -> tuple[int, str, str, int]:
        known = order.index(key[0]) if key[0] in METRICS else len(order)
        return known, key[0], key[1], -sum(bool(of_run) for of_run in groups[key])

    keys = sorted(groups, key=place)
    parts = {key: key[2].split("; ") for key in keys}
    rows = []
    for key in keys:
        same_metric = [parts[other] for other in keys if other[0] == key[0]]
        apart = [part for part in parts[key] if not all(part in other for other in same_metric)]
        elsewhere = [part for other in same_metric for part in other if part not in parts[key]]
        rows.append(_row(key, groups[key], parts[key], apart, elsewhere, letters))
    return rows


def _row(
    key: tuple[str, str, str],
    groups: list[list[NamedScore]],
    parts: list[str],
    apart: list[str],
    elsewhere: list[str],
    letters: Sequence[str],
) -> Row:
    newest = [_newest_of_each_checkpoint(scores) for scores in groups]
    better = next(scores[0].better for scores in groups if scores)
    shown = [scores[-1] if scores else None for scores in newest]
    best = _best(shown, better)
    remarks = []
    if apart or elsewhere:
        here, there = " · ".join(apart), " · ".join(dict.fromkeys(elsewhere))
        remarks.append(f"not comparable with its other rows: {here or '–'} here, {there} there")
    if sum(score is not None for score in shown) == 1 and len(letters) > 1:
        alone = next(letter for letter, score in zip(letters, shown, strict=True) if score)
        remarks.append(f"only {alone} was scored so")
    touching = _touching(shown, best)
    if touching:
        remarks.append(
            f"the bars of the best and of {', '.join(letters[index] for index in touching)} overlap"
        )
    real = _real(shown, letters)
    if any(_beats(shown[index], value, better) for index in best for _, value in real):
        remarks.append("the best is better than real clips: see what this metric cannot see")
    return Row(
        label=key[1],
        better=better,
        protocol=[(part, part in apart) for part in parts],
        cells=[
            None if score is None else Cell(score, others[:-1], index in best)
            for index, (score, others) in enumerate(zip(shown, newest, strict=True))
        ],
        real=real,
        remark="; ".join(remarks),
    )


def _newest_of_each_checkpoint(scores: Sequence[NamedScore]) -> list[Score]:
    found: dict[tuple[str, str], Score] = {}
    for named in scores:
        # Taken out first, so that the newest line is the last whatever was judged before.
        key = named.score.checkpoint, named.score.checkpoint_sha256
        found.pop(key, None)
        found[key] = named.score
    return list(found.values())


def _best(shown: Sequence[Score | None], better: str) -> list[int]:
    """Which runs have the best value; none where no side is better or only one run has a value."""
    values = {index: score.value for index, score in enumerate(shown) if score is not None}
    values = {index: value for index, value in values.items() if not isnan(value)}
    if better not in ("higher", "lower") or len(values) < 2:
        return []
    best = max(values.values()) if better == "higher" else min(values.values())
    return [index for index, value in values.items() if value == best]


def _touching(shown: Sequence[Score | None], best: Sequence[int]) -> list[int]:
    """The runs whose bars, one standard deviation each way, reach the best one's."""
    if not best:
        return []
    first = shown[best[0]]
    return [
        index
        for index, score in enumerate(shown)
        if first is not None
        and score is not None
        and index not in best
        and abs(score.value - first.value) <= score.std + first.std
    ]


def _beats(score: Score | None, value: float, better: str) -> bool:
    if score is None:
        return False
    return score.value > value if better == "higher" else score.value < value


def _real(shown: Sequence[Score | None], letters: Sequence[str]) -> list[tuple[str, float]]:
    by_value: dict[float, list[str]] = {}
    for letter, score in zip(letters, shown, strict=True):
        if score is not None and score.real is not None:
            by_value.setdefault(score.real, []).append(letter)
    if len(by_value) == 1:
        return [("", next(iter(by_value)))]
    return [(" ".join(of), value) for value, of in by_value.items()]


def _score(line: dict[str, Any]) -> Score | None:
    """The score that a line holds; `None` if it is none."""
    texts = ("metric", "better", "protocol", "checkpoint", "checkpoint_sha256")
    values, real = line.get("values"), line.get("real")
    whole = (
        all(isinstance(line.get(name), str) for name in texts)
        and isinstance(values, list)
        and bool(values)
        and all(_is_number(value) for value in values)
        and (real is None or _is_number(real))
        and all(_is_number(line.get(name)) for name in ("num_generated", "num_real"))
    )
    if not whole:
        return None
    known = {field.name: line[field.name] for field in fields(Score) if field.name in line}
    try:
        return Score(**known)
    except TypeError:  # a field is missing
        return None


def _is_number(value: Any) -> bool:
    # An integer of hundreds of digits is a number of JSON, but none of ours.
    return type(value) is float or (type(value) is int and abs(value) < 2**63)
