"""Files of one JSON object a line, which a killed program may have left with half a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_json_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The objects of a file in their order, and how many lines were none.

    Raises:
        OSError: The file cannot be read.
    """
    objects, broken = [], 0
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            objects.append(found)
        else:
            broken += 1
    return objects, broken
