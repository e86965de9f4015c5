"""Which checkpoint of a run is the best by each metric: the pointers `best-METRIC`.

A checkpoint's config.json keeps its scores, so that a pointer needs no memory of its own: whatever
was killed when, a resumed run compares the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vidgen.adversarial.checkpoints import find_checkpoint, read_config
from vidgen.adversarial.integrity import point
from vidgen.errors import UserError


@dataclass(frozen=True)
class Judgement:
    """What metrics say of a game in training.

    Attributes:
        scores: A value a metric.
        better: `higher` or `lower`, for those metrics of which one checkpoint can be the best.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    better: Mapping[str, str] = field(default_factory=dict)

    def figures(self) -> dict[str, float]:
        """The scores as the log names them."""
        return {f"metrics/{name}": value for name, value in self.scores.items()}

    def as_json(self) -> dict[str, Any]:
        """What a checkpoint keeps of it; nothing without scores."""
        if not self.scores:
            return {}
        return {"scores": dict(self.scores), "better": dict(self.better)}


def point_to_best(run: Path, step: int) -> None:
    """Lets `best-METRIC` point to the checkpoint of a step wherever it beats the one there.

    An equal one stays behind the earlier; a score that is no number beats none.
    """
    try:
        folder = find_checkpoint(run, f"step-{step}")
        config = read_config(folder)
        for name, direction in config.get("better", {}).items():
            value, best = config["scores"][name], _score_of_best(run, name)
            sign = 1 if direction == "higher" else -1
            if math.isfinite(value) and (best is None or sign * value > sign * best):
                point(run / "checkpoints" / f"best-{name}", folder.name)
    except (UserError, OSError):
        return  # a full disk costs the pointer, not the run


def _score_of_best(run: Path, name: str) -> float | None:
    try:
        return float(read_config(find_checkpoint(run, f"best-{name}"))["scores"][name])
    except (UserError, KeyError, TypeError, ValueError):
        return None  # there is none yet, or it is damaged
