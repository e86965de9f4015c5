"""The data of a training that was, from what its run folder says."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from data.sources import Source
from vidgen.commands.configuration import one_line
from vidgen.errors import UserError


def open_source(run: Path, root: Path | None = None, allow: Collection[str] = ()) -> Source:
    """The data that a run was trained on.

    Args:
        run: Folder of a training.
        root: Where the same data lies now; `None` is where it lay.
        allow: Import paths of further data classes that the user trusts.

    Raises:
        UserError: The run does not say what its data was, or it cannot be opened so.
    """
    described = _described(run / "config.yaml")
    name, options = described["class_path"], dict(described.get("init_args") or {})
    # As with checkpoints: a file that somebody sent must not choose whose code is run.
    if not name.startswith("data.") and name not in allow:
        raise UserError(
            f"{run / 'config.yaml'} names the data class {name}; --allow {name} if you trust it"
        )
    if root is not None:
        if "root" not in options:
            raise UserError(f"--data.root {root}: a {name} reads no folder; leave it out")
        options |= {"root": str(root), "scan_cache": None}  # the run's cache knows another folder
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(Source, "data", required=True)
    try:
        config = parser.parse_object({"data": {"class_path": name, "init_args": options}})
        return parser.instantiate(config).data
    except (ValueError, TypeError) as error:
        raise UserError(f"the data of {run}: {one_line(str(error), parser)}") from error


def _described(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))["data"]
        if isinstance(data["class_path"], str):
            return data
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        pass
    raise UserError(f"{path} does not say what the run was trained on; train it anew")
