"""Catalogues of scanned folders as JSON files.

File names may hold any bytes; Python carries those that are not UTF-8 as lone surrogates, and JSON
writes them, like line breaks, as escapes.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data.records import Catalog, Entry, Found, Reject, VideoRecord
from data.sources import DataError

# Counts up when records change their meaning; catalogues of another version are not read.
VERSION = 1


def record_as_dict(record: VideoRecord) -> dict[str, Any]:
    """Plain types only, entry points as short rows."""
    values = asdict(record)
    values["entries"] = [list(entry.values()) for entry in values["entries"]]
    return values


def record_from_dict(values: Mapping[str, Any]) -> VideoRecord:
    """What `record_as_dict` was given."""
    entries = tuple(Entry(*row) for row in values["entries"])
    return VideoRecord(**{**values, "found": Found(**values["found"]), "entries": entries})


def save_catalog(catalog: Catalog, path: Path, made_with: Mapping[str, Any] | None = None) -> None:
    """Writes a catalogue so that a reader of the file never sees half of it.

    Args:
        catalog: What to write.
        path: The JSON file; missing folders are made.
        made_with: Settings that the records depend on, kept beside them.

    Raises:
        DataError: The file cannot be written.
    """
    content = {
        "version": VERSION,
        "made_with": dict(made_with or {}),
        "root": str(catalog.root),
        "layout": catalog.layout,
        "classes": catalog.classes,
        "notes": catalog.notes,
        "records": [record_as_dict(record) for record in catalog.records],
        "rejects": [asdict(reject) for reject in catalog.rejects],
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, json.dumps(content).encode("ascii"))
    except OSError as error:
        raise DataError(f"{path}: the catalogue cannot be written ({error.strerror})") from error


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def load_catalog(path: Path) -> Catalog:
    """Reads what `save_catalog` wrote.

    Raises:
        DataError: The file is missing, damaged, or of another version.
    """
    return read_catalog(path)[0]


def read_catalog(path: Path) -> tuple[Catalog, dict[str, Any]]:
    """A catalogue and the settings it was made with.

    Raises:
        DataError: The file is missing, damaged, or of another version.
    """
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != VERSION:
            raise DataError(f"{path}: a catalogue of another version; delete it and scan again")
        catalog = Catalog(
            root=Path(content["root"]),
            layout=content["layout"],
            classes=content["classes"],
            records=[record_from_dict(values) for values in content["records"]],
            rejects=[Reject(**values) for values in content["rejects"]],
            notes=content["notes"],
        )
        return catalog, content["made_with"]
    except OSError as error:
        raise DataError(f"{path}: no catalogue can be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: a damaged catalogue; delete it and scan again") from error
