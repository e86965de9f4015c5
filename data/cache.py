"""Makes a prepared store: decodes every video once, to its end, at training size."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from data.filling import fill
from data.folder import masks_scan, scanned_folder, scanned_masks
from data.frames import Preparation, VideoFiles
from data.layouts import LayoutName, Options
from data.partial import partial_folder, put_in_place
from data.records import Catalog, VideoRecord
from data.sources import DataError
from data.store import FRAMES, INDEX, SCAN, StoreIndex, frames_sha256, read_index, write_index

_OUR_FILES = {FRAMES, INDEX, SCAN, masks_scan(Path(SCAN)).name}


@dataclass(frozen=True)
class Prepared:
    """What came of preparing.

    Attributes:
        index: The store's index.
        up_to_date: Whether the store was there already and nothing had to be done.
    """

    index: StoreIndex
    up_to_date: bool


def prepare(
    root: Path,
    destination: Path,
    preparation: Preparation,
    layout: LayoutName = "auto",
    options: Options | None = None,
    follow_links: bool = False,
    num_workers: int = 2,
) -> Prepared:
    """Makes a store of a folder of videos, or leaves the one there if nothing has changed.

    The store appears complete or not at all. A video that fails costs a line in the rejects.

    Args:
        root: Folder of videos.
        destination: Folder of the store; one of another source or settings is replaced.
        preparation: What becomes of every frame.
        layout: How the folder is laid out.
        options: Which part of the data set is wanted.
        follow_links: Also read what links lead to outside the root.
        num_workers: Processes that decode; 0 decodes in this one.

    Raises:
        DataError: The root cannot be used, the destination is something else than a store, or the
            disk is too small.
    """
    root, destination = Path(root).expanduser(), Path(destination).expanduser().absolute()
    present = _present_store(destination)
    with partial_folder(destination, (FRAMES, INDEX)) as partial:
        if present is not None:
            for scan in destination.glob("scan*.json"):
                shutil.copyfile(scan, partial / scan.name)
        options = options or Options()
        catalog = scanned_folder(root, layout, options, follow_links, partial / SCAN)
        masks = {}
        if preparation.preprocessing == "face":
            masks = scanned_masks(catalog, partial / SCAN)
        source = _source_fingerprint(catalog, masks, preparation, options)
        if present is not None and present.source == source:
            return Prepared(present, up_to_date=True)
        index = _new_index(catalog, preparation, options, source)
        _require_space(destination, index)
        files = VideoFiles(root, preparation, masks)
        try:
            fill(files, index, partial / FRAMES, num_workers)
        except OSError as error:
            raise DataError(f"'{partial}' cannot be written: {error.strerror}") from error
        index.sha256 = frames_sha256(partial)
        write_index(partial, index)
        put_in_place(partial, destination)
    return Prepared(index, up_to_date=False)


def _present_store(destination: Path) -> StoreIndex | None:
    """The store that is there already, if it is one; any other folder is left alone."""
    if not destination.exists():
        return None
    names = set(os.listdir(destination)) if destination.is_dir() else {""}
    if names and not (INDEX in names and names <= _OUR_FILES):
        raise DataError(f"'{destination}' is there and is no prepared store: choose a new folder")
    try:
        return read_index(destination) if names else None
    except DataError:
        return None  # damaged: prepared anew


def _source_fingerprint(
    catalog: Catalog, masks: dict[str, VideoRecord], preparation: Preparation, options: Options
) -> str:
    videos = [
        [asdict(record.found), record.num_frames, record.num_bytes, record.modified_ns]
        for record in (*catalog.records, *masks.values())
    ]
    settings = [asdict(preparation), asdict(options) | {"split_lists": None}, catalog.classes]
    return hashlib.sha256(json.dumps([settings, videos]).encode()).hexdigest()


def _new_index(
    catalog: Catalog, preparation: Preparation, options: Options, source: str
) -> StoreIndex:
    if not catalog.records:
        raise DataError(
            f"none of the {len(catalog.rejects)} videos in '{catalog.root}' can be read:"
            f" python -m data check '{catalog.root}' lists them"
        )
    lengths = [record.num_frames for record in catalog.records]
    offsets = [0, *np.cumsum(lengths).tolist()]
    return StoreIndex(
        catalog=catalog,
        offsets=offsets[:-1],
        preparation=preparation,
        options=options,
        frame_size=_frame_size(preparation, catalog.records[0]),
        num_frames=offsets[-1],
        source=source,
        sha256="",
    )


def _frame_size(preparation: Preparation, record: VideoRecord) -> tuple[int, int]:
    blank = np.zeros((1, record.height, record.width, 3), np.uint8)
    height, width = preparation.geometry().fixed(blank).shape[1:3]
    return height, width


def _require_space(destination: Path, index: StoreIndex) -> None:
    needed = index.num_frames * index.frame_bytes
    free = shutil.disk_usage(destination.parent).free
    if needed > free:
        raise DataError(
            f"the store needs {needed / 1e9:.1f} GB and '{destination.parent}' has {free / 1e9:.1f}"
            " GB free: choose another place, a smaller size or a split"
        )
