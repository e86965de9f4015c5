"""Which of a scanned folder's videos a source draws from, and under which labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.clips import ClipSampler
from data.records import Catalog, VideoRecord
from data.sources import DataError


@dataclass(frozen=True)
class Wanted:
    """How many videos at most, and of which classes.

    Args:
        classes: Names of the classes; a label is the place in this list. `None` takes all.
        per_class: Most videos of one class, drawn by the seed.
        max_videos: Most videos in all, drawn by the seed.
        seed: Draws which ones.
    """

    classes: Sequence[str] | None = None
    per_class: int | None = None
    max_videos: int | None = None
    seed: int = 0


def selected(
    catalog: Catalog, sampler: ClipSampler, wanted: Wanted
) -> tuple[list[str], list[VideoRecord]]:
    """Names of the classes and the videos that are wanted and long enough, labelled anew.

    Raises:
        DataError: No such class, a video is too short where that is an error, or none is left.
    """
    classes, records = _of_classes(catalog, wanted.classes)
    fitting = [record for record in records if sampler.usable(record.num_frames, record.fps)]
    if sampler.short == "error":
        _refuse_short(fitting, sampler)
    generator = np.random.default_rng(wanted.seed)
    if wanted.per_class is not None:
        groups = defaultdict(list)
        for record in fitting:
            groups[record.found.label].append(record)
        fitting = [
            record
            for label in sorted(groups)
            for record in _drawn(groups[label], wanted.per_class, generator)
        ]
    if wanted.max_videos is not None:
        fitting = _drawn(fitting, wanted.max_videos, generator)
    if not fitting:
        raise DataError(_nothing_left(catalog, records, sampler))
    return classes, fitting


def _of_classes(
    catalog: Catalog, names: Sequence[str] | None
) -> tuple[list[str], list[VideoRecord]]:
    if names is None:
        return list(catalog.classes), list(catalog.records)
    unknown = [name for name in names if name not in catalog.classes]
    if unknown:
        known = ", ".join(catalog.classes) or "none: its videos have no labels"
        raise DataError(f"no class '{unknown[0]}' in '{catalog.root}': it has {known}")
    labels = {catalog.classes.index(name): label for label, name in enumerate(names)}
    return list(names), [
        replace(record, found=replace(record.found, label=labels[record.found.label]))
        for record in catalog.records
        if record.found.label in labels
    ]


def _refuse_short(records: list[VideoRecord], sampler: ClipSampler) -> None:
    for record in records:
        span = sampler.span(record.fps)
        if record.num_frames < span:
            raise DataError(
                f"'{record.found.path}' has {record.num_frames} frames, fewer than the {span} of a"
                " clip: use shorter clips, a smaller stride, or another `short` than error"
            )


def _drawn(
    records: list[VideoRecord], count: int, generator: np.random.Generator
) -> list[VideoRecord]:
    """As many of the records at random, in their own order."""
    if count >= len(records):
        return records
    return [records[at] for at in sorted(generator.choice(len(records), count, replace=False))]


def _nothing_left(catalog: Catalog, records: list[VideoRecord], sampler: ClipSampler) -> str:
    if records:
        longest = max(records, key=lambda record: record.num_frames)
        return (
            f"none of the {len(records)} videos in '{catalog.root}' is as long as a clip of"
            f" {sampler.span(longest.fps)} frames (the longest has {longest.num_frames}): use"
            " shorter clips, or short=loop"
        )
    if catalog.rejects:
        first = catalog.rejects[0]
        return (
            f"none of the {len(catalog.rejects)} videos in '{catalog.root}' can be read;"
            f" the first, '{first.path}': {first.reason}"
        )
    return f"no video of the wanted classes in '{catalog.root}'"
