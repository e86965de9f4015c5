"""Split files: where they lie and how their lines read."""

from __future__ import annotations

import re
from pathlib import Path

from data.sources import DataError

# Relative to the root of the videos or to the folder that holds it.
_PLACES = (
    "",
    "splits",
    "ucfTrainTestlist",
    "UCF101TrainTestSplits-RecognitionTask",
    "UCF101TrainTestSplits-RecognitionTask/ucfTrainTestlist",
    "dataset/splits",
)


def split_folder(root: Path, given: Path | None, file_name: re.Pattern[str]) -> Path | None:
    """The folder of the split files: the given one, else one in the root or beside it.

    Args:
        root: Folder of the videos.
        given: Folder that the user named; `None` searches.
        file_name: What a split file is called.

    Raises:
        DataError: The given folder holds no such file.
    """
    if given is not None:
        folder = Path(given).expanduser()
        if not _holds(folder, file_name):
            raise DataError(f"no split files in '{folder}': expected {file_name.pattern}")
        return folder
    root = root.absolute()
    for base in (root, root.parent):
        for place in _PLACES:
            if _holds(base / place, file_name):
                return base / place
    return None


def lines_of(path: Path) -> list[str]:
    """The lines that say something, whatever the line endings, without outer white space."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' cannot be read: {error}") from None
    return [line.strip().replace("\\", "/") for line in text.splitlines() if line.strip()]


def _holds(folder: Path, file_name: re.Pattern[str]) -> bool:
    try:
        return any(file_name.fullmatch(entry.name) for entry in folder.iterdir())
    except OSError:
        return False
