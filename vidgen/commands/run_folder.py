"""The folder of one training: one owner at a time, one set of settings for its whole life."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any

from vidgen.adversarial.settings import FREE_TO_CHANGE
from vidgen.commands.configuration import recipes
from vidgen.commands.hardware import hardware
from vidgen.errors import UserError


class RunFolder:
    """A run's folder, locked while entered.

    Args:
        path: Created if it is missing.
        owner: Whether this process takes the lock; of several processes the first does.

    Raises:
        UserError: It cannot be created, or another training is in it.
    """

    def __init__(self, path: Path, owner: bool = True) -> None:
        self.path, self._owner = Path(path), owner
        self._lock: IO[str] | None = None

    def __enter__(self) -> RunFolder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if self._owner:
                self._lock = (self.path / ".lock").open("w")
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another training is running in {self.path}; choose another --run"
            ) from None
        except OSError as error:
            raise UserError(
                f"the run folder {self.path} cannot be used: {error.strerror}"
            ) from error
        return self

    def __exit__(self, *exception: object) -> None:
        if self._lock is not None:
            self._lock.close()


def refuse_changes(folder: RunFolder, parser: Any, config: Any, fingerprint: str) -> None:
    """Writes config.yaml; for a run that has one, refuses settings that differ from it.

    Args:
        folder: The run.
        parser: Dumps and reads configurations.
        config: The complete configuration of this call.
        fingerprint: Of the data; equal data in another place has the same.

    Raises:
        UserError: Something that decides what is learned has changed, and not by --allow_changes.
    """
    path, about = folder.path / "config.yaml", folder.path / "about.json"
    now = _plain_config(config)
    if path.exists() and any((folder.path / "checkpoints").glob("step-*")):
        before = _read_config(path)
        known = json.loads(about.read_text(encoding="utf-8")) if about.exists() else {}
        changed = _differences(before, now)
        if known.get("data_fingerprint", fingerprint) != fingerprint:
            changed.append("the data itself (files were added, removed or changed)")
        if changed and not config.allow_changes:
            raise UserError(
                f"the run in {folder.path} was made with other settings: {'; '.join(changed)}; "
                "give the old ones, another --run, or --allow_changes"
            )
        for line in changed:
            sys.stdout.write(f"changed: {line}\n")
    text = parser.dump(config, skip_none=False)
    _write(path, text)
    facts = {
        "recipe": ", ".join(recipe_name(str(path)) for path in config.config or []),
        "data_fingerprint": fingerprint,
        "versions": _versions(),
        "hardware": hardware(),
    }
    _write(about, json.dumps(facts, indent=2))


def _plain_config(config: Any) -> dict[str, Any]:
    """Dotted names and values of what decides the learning, as JSON types."""
    flat = flattened(
        {
            "game": config.game.as_dict(),
            "data": config.data.as_dict(),
            "training": dict(config.training),
        }
    )
    skipped = {f"training.{name}" for name in FREE_TO_CHANGE}
    # Where the data lies is free; what it holds is compared by fingerprint.
    skipped |= {"data.init_args.root", "data.init_args.scan_cache", "data.init_args.num_workers"}
    return {name: value for name, value in flat.items() if name not in skipped}


def _read_config(path: Path) -> dict[str, Any]:
    import yaml
    from jsonargparse import Namespace, dict_to_namespace

    stored = dict_to_namespace(yaml.safe_load(path.read_text(encoding="utf-8")))
    if not isinstance(stored, Namespace):
        raise UserError(f"{path} is not a configuration; remove the run folder or choose another")
    return _plain_config(stored)


def flattened(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A configuration as dotted names and values, which become JSON types."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if hasattr(value, "as_dict"):
            value = value.as_dict()
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = json.loads(json.dumps(value, default=str))
    return flat


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [
        f"{name} {before.get(name)!r} -> {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]


def recipe_name(path: str) -> str:
    """The name of a recipe that comes with the packages; the path of another file."""
    return Path(path).stem if Path(path) in recipes().values() else path


def _versions() -> dict[str, str]:
    found = {"python": sys.version.split()[0]}
    for package in ("vidgen", "torch", "numpy", "decord", "av", "lightning-fabric"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.partial")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
