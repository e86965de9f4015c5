"""What `python -m data` does: one function a command, each giving the exit code."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path
from statistics import median

from data.cache import prepare as prepare_store
from data.folder import scanned_folder
from data.frames import Preparation
from data.layouts import Options
from data.records import Catalog
from data.sources import DataError
from data.stabilization import Stabilization
from data.stabilization_report import REPORT
from data.stabilizing import stabilize as stabilize_folder
from data.store import frames_sha256, is_store, read_index

_SHOWN = 8


def prepare(settings: argparse.Namespace, options: Options) -> int:
    """Makes a store, or finds it up to date."""
    if len(settings.size) > 2:
        raise DataError(f"--size {settings.size}: give one number, or height and width")
    size = (settings.size[0], settings.size[-1])
    prepared = prepare_store(
        settings.root,
        settings.destination,
        Preparation(size, settings.channels, settings.preprocessing, settings.face_box),
        settings.layout,
        options,
        settings.follow_links,
        settings.num_workers,
    )
    index = prepared.index
    _print_rejects(index.catalog)
    _print(
        f"{settings.destination}: {len(index.catalog.records)} videos, {index.num_frames} frames,"
        f" {index.num_frames * index.frame_bytes / 1e6:.1f} MB"
        + (", up to date" if prepared.up_to_date else "")
    )
    _print(f"train from it with --data.root {settings.destination}")
    return 0


def stabilize(settings: argparse.Namespace, options: Options) -> int:
    """Makes the camera of every video stand still; 1 if nothing could be kept."""
    report = stabilize_folder(
        settings.root,
        settings.destination,
        Stabilization(
            **{field.name: getattr(settings, field.name) for field in fields(Stabilization)}
        ),
        settings.layout,
        options,
        settings.follow_links,
        settings.num_workers,
    )
    for outcome in report.outcomes:
        if outcome.reason:
            _print(f"rejected: {outcome.path}: {outcome.reason}")
    kept = [piece for outcome in report.outcomes for piece in outcome.files]
    num_failed = sum(len(outcome.failures) for outcome in report.outcomes)
    _print(
        f"{settings.destination}: {len(kept)} pieces of"
        f" {sum(bool(outcome.files) for outcome in report.outcomes)} videos, {num_failed} pieces"
        f" and {sum(bool(outcome.reason) for outcome in report.outcomes)} videos rejected"
        + (f", {report.num_skipped} videos done before" if report.num_skipped else "")
    )
    _print(f"all about each video: {settings.destination / REPORT}")
    return 0 if kept else 1


def check(settings: argparse.Namespace, options: Options) -> int:
    """Names every unreadable file; 1 if none is usable, or a store is damaged."""
    if is_store(settings.root):
        return _check_store(settings.root)
    catalog = _catalog(settings, options)
    _print_rejects(catalog)
    for record in catalog.records:
        if record.note:
            _print(f"usable: {record.found.path}: {record.note}")
    for note in catalog.notes:
        _print(note)
    usable = len(catalog.records)
    _print(
        f"{catalog.root}: layout {catalog.layout}, {usable} usable,"
        f" {len(catalog.rejects)} unreadable"
    )
    return 0 if usable else 1


def statistics(settings: argparse.Namespace, options: Options) -> int:
    """Counts classes, lengths, sizes, rates and readers."""
    catalog = read_index(settings.root).catalog if is_store(settings.root) else None
    catalog = catalog or _catalog(settings, options)
    records = catalog.records
    _print(f"layout: {catalog.layout}")
    _print(f"videos: {len(records)}, and {len(catalog.rejects)} unreadable")
    if not records:
        return 1
    lengths = [record.num_frames for record in records]
    shortest, longest, middle = min(lengths), max(lengths), median(lengths)
    _print(f"frames: {shortest} to {longest}, median {middle:g}, {sum(lengths)} in all")
    seconds = sum(record.num_frames / record.fps for record in records)
    _print(f"duration: {seconds / 60:.1f} minutes")
    _print_counts("size", Counter(f"{record.width}x{record.height}" for record in records))
    _print_counts("fps", Counter(f"{record.fps:g}" for record in records))
    _print_counts("reader", Counter(record.reader for record in records))
    labels = Counter(record.found.label for record in records)
    for label, name in enumerate(catalog.classes):
        _print(f"class {label} {name}: {labels[label]}")
    return 0


def _catalog(settings: argparse.Namespace, options: Options) -> Catalog:
    return scanned_folder(
        settings.root,
        settings.layout,
        options,
        settings.follow_links,
        settings.scan_cache,
        settings.num_workers,
    )


def _check_store(folder: Path) -> int:
    index = read_index(folder)
    whole = frames_sha256(folder) == index.sha256
    state = "whole" if whole else "damaged, its frames are not those written: prepare it again"
    _print(f"{folder}: store of {len(index.catalog.records)} videos, {state}")
    return 0 if whole else 1


def _print_rejects(catalog: Catalog) -> None:
    for reject in catalog.rejects:
        _print(f"unreadable: {reject.path}: {reject.reason}")


def _print_counts(name: str, counts: Counter[str]) -> None:
    shown = [f"{value} ({count})" for value, count in counts.most_common(_SHOWN)]
    more = f" and {len(counts) - _SHOWN} others" if len(counts) > _SHOWN else ""
    _print(f"{name}: {', '.join(shown)}{more}")


def _print(line: str) -> None:
    # File names may hold letters that the terminal cannot show.
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
