"""A folder recognised and scanned, with progress shown."""

from __future__ import annotations

from pathlib import Path

from data.layouts import Layout, Options, recognise
from data.progress import shown_progress
from data.records import Catalog, Found, VideoRecord
from data.scan import scan


def scanned_folder(
    root: Path,
    layout: str,
    options: Options,
    follow_links: bool = False,
    cache: Path | None = None,
    num_workers: int | None = None,
) -> Catalog:
    """What can be read in a folder.

    Args:
        root: The folder.
        layout: Name of its layout, or `auto`.
        options: Which part of the data set is wanted.
        follow_links: Also read what links lead to outside the root.
        cache: JSON file that remembers the scan.
        num_workers: Child processes that inspect files; `None` chooses.

    Raises:
        DataError: The folder is missing or holds no such videos.
    """
    recognised = recognise(root, layout, follow_links=follow_links, **vars(options))
    with shown_progress(f"Scanning {root}") as progress:
        return scan(root, recognised, cache, num_workers, progress)


def scanned_masks(catalog: Catalog, cache: Path | None = None) -> dict[str, VideoRecord]:
    """The mask videos of a catalogue by their path; unreadable ones are added to its rejects."""
    paths = dict.fromkeys(record.found.mask for record in catalog.records if record.found.mask)
    bare = sum(not record.found.mask for record in catalog.records)
    if bare:
        catalog.notes.append(f"{bare} videos without a mask: their centre square is taken")
    layout = Layout("masks", [], [Found(path, "video") for path in paths])
    cache = masks_scan(cache) if cache is not None else None
    with shown_progress("Scanning masks") as progress:
        masks = scan(catalog.root, layout, cache, None, progress)
    catalog.rejects += masks.rejects
    return {record.found.path: record for record in masks.records}


def masks_scan(cache: Path) -> Path:
    """Where the scan of the masks is remembered: beside that of the videos."""
    return cache.with_name(f"{cache.stem}.masks{cache.suffix}")
