"""Looks once at every video of a folder, and remembers what it saw."""

from __future__ import annotations

import importlib.metadata
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from data.catalogs import load_catalog, read_catalog, save_catalog
from data.limits import Limits
from data.probe import ProbePool
from data.records import Catalog, Found, Reject, VideoRecord
from data.sources import DataError

__all__ = ["Limits", "Listing", "load_catalog", "save_catalog", "scan"]

# A long scan that is stopped loses no more than this.
_SECONDS_BETWEEN_SAVES = 30.0
_MOST_WORKERS = 2

Outcome = VideoRecord | Reject
_Key = tuple[str, int]


@runtime_checkable
class Listing(Protocol):
    """What scan needs of a recognised layout."""

    name: str
    classes: list[str]
    found: list[Found]
    notes: list[str]


def scan(
    root: Path,
    layout: Listing,
    cache: Path | None = None,
    num_workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits | None = None,
) -> Catalog:
    """Inspects every video that a layout names, in child processes, and lists what can be read.

    Args:
        root: The folder that the layout was recognised in.
        layout: Its videos and classes.
        cache: JSON file for the catalogue. Videos listed in it are not inspected again while their
            size and time of modification stay. `None` keeps nothing.
        num_workers: Child processes; `None` takes 2, or 1 on a machine with a single CPU.
        progress: Called with the number of videos done and of all, after each.
        limits: How much time, memory and size one file may take.

    Raises:
        DataError: The catalogue cannot be written, or no child process started.
    """
    root = Path(root)
    limits = limits or Limits()
    made_with = {"limits": asdict(limits), "av": importlib.metadata.version("av")}
    known = _remembered(cache, made_with)
    outcomes: dict[_Key, Outcome] = {}
    missing: list[Found] = []
    for found in layout.found:
        outcome = known.get((found.path, found.item))
        if outcome is not None and _signature(root, found) == _signed(outcome):
            outcomes[found.path, found.item] = _renewed(outcome, found)
        else:
            missing.append(found)

    def catalog() -> Catalog:
        return _catalog(root, layout, outcomes)

    saved = time.monotonic()
    try:
        for found, outcome in _inspected(root, missing, num_workers, limits):
            outcomes[found.path, found.item] = outcome
            if progress is not None:
                progress(len(outcomes), len(layout.found))
            if cache is not None and time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                save_catalog(catalog(), cache, made_with)
                saved = time.monotonic()
    finally:
        if cache is not None:
            save_catalog(catalog(), cache, made_with)
    return catalog()


def _inspected(root: Path, founds: list[Found], num_workers: int | None, limits: Limits) -> Any:
    """Each video with its outcome, as they come."""
    if not founds:
        return
    if num_workers is None:
        num_workers = min(_MOST_WORKERS, os.cpu_count() or 1)
    with ProbePool(limits, min(num_workers, len(founds))) as pool:
        for at, outcome in pool.run(root, founds):
            if isinstance(outcome, Reject):
                num_bytes, modified_ns = _signature(root, founds[at])
                outcome = replace(outcome, num_bytes=num_bytes, modified_ns=modified_ns)
            yield founds[at], outcome


def _remembered(cache: Path | None, made_with: dict[str, Any]) -> dict[_Key, Outcome]:
    """What an earlier scan with the same settings saw; nothing when its file is of no use."""
    if cache is None:
        return {}
    try:
        catalog, settings = read_catalog(cache)
    except DataError:
        return {}
    # Other limits may let a reject pass, and another FFmpeg may decode differently after a seek.
    if settings != made_with:
        return {}
    known: dict[_Key, Outcome] = {}
    for record in catalog.records:
        known[record.found.path, record.found.item] = record
    for reject in catalog.rejects:
        known[reject.path, reject.item] = reject
    return known


def _signature(root: Path, found: Found) -> tuple[int, int]:
    """Size and time of modification; of a folder its own, which change with the files in it."""
    try:
        status = os.stat(root / found.path)
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _signed(outcome: Outcome) -> tuple[int, int]:
    return outcome.num_bytes, outcome.modified_ns


def _renewed(outcome: Outcome, found: Found) -> Outcome:
    """The layout may name another label, group or mask than last time."""
    return replace(outcome, found=found) if isinstance(outcome, VideoRecord) else outcome


def _catalog(root: Path, layout: Listing, outcomes: dict[_Key, Outcome]) -> Catalog:
    """The outcomes so far, in the layout's order."""
    listed = [outcomes.get((found.path, found.item)) for found in layout.found]
    return Catalog(
        root=root,
        layout=layout.name,
        classes=layout.classes,
        records=[outcome for outcome in listed if isinstance(outcome, VideoRecord)],
        rejects=[outcome for outcome in listed if isinstance(outcome, Reject)],
        notes=layout.notes,
    )
