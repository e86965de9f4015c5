"""Whether a command line is about a run of clips or of shapes, before anything else is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path


def makes_shapes(arguments: Sequence[str]) -> bool:
    """Whether the run that a command line names is of a game that `voxel` exports.

    Without a run that can be read it is not: whoever takes the command line says what is wrong. A
    comparison is of runs of both kinds.
    """
    if "--compare" in arguments:
        return False
    runs = (Path(argument) for argument in arguments if not argument.startswith("-"))
    return any(_class_path(run).startswith("voxel.") for run in runs)


def _class_path(run: Path) -> str:
    """The class of the game in the first checkpoint of a run; "" where there is none."""
    try:
        for path in (run / "config.json", *sorted(run.glob("checkpoints/step-*/config.json"))):
            if path.is_file():
                return str(json.loads(path.read_text(encoding="utf-8"))["game"]["class_path"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return ""
