"""What became of each video that was stabilized: one line of JSON a video."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

REPORT = "stabilized.jsonl"
# Ending of files that are not yet whole.
PARTIAL = ".partial"


@dataclass
class Outcome:
    """What became of one video: its line in the report.

    Attributes:
        path: Relative to the root.
        item: Row of an array file that holds many videos; 0 elsewhere.
        files: The pieces kept, each with its file, first frame, number of frames, and how well the
            views fit (see `data.stabilization.Piece`).
        failures: The pieces not kept, each with its first frame, number of frames and reason.
        reason: Why nothing is kept of the video, or "".
        made_of: Size and time of the video, and the settings: another run with the same ones skips
            it.
    """

    path: str
    item: int = 0
    files: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    made_of: dict[str, Any] = field(default_factory=dict)


def line_of(outcome: Outcome) -> str:
    """A line of the report."""
    return json.dumps(asdict(outcome)) + "\n"


def read_report(destination: Path) -> dict[tuple[str, int], Outcome]:
    """What earlier runs have finished and nobody has removed; later lines replace earlier ones."""
    known: dict[tuple[str, int], Outcome] = {}
    try:
        lines = (destination / REPORT).read_text().splitlines()
    except OSError:
        return known
    for line in lines:
        try:
            outcome = Outcome(**json.loads(line))
            is_there = all((destination / piece["file"]).is_file() for piece in outcome.files)
        except (ValueError, TypeError, KeyError):
            continue  # cut off when a run was killed
        if is_there:
            known[outcome.path, outcome.item] = outcome
    return known


def write_report(destination: Path, outcomes: list[Outcome]) -> None:
    """Replaces the report by a whole one."""
    partial = destination / f".{REPORT}{PARTIAL}"
    partial.write_text("".join(line_of(outcome) for outcome in outcomes))
    partial.rename(destination / REPORT)
