"""The reader that a record names."""

from __future__ import annotations

from pathlib import Path

from data.readers.arrays import ArrayReader
from data.readers.base import Reader
from data.readers.decord_video import DecordReader
from data.readers.frame_folder import FrameFolderReader
from data.readers.pyav_video import PyAVReader
from data.readers.strip import StripReader
from data.records import VideoRecord
from data.sources import DataError

_READERS = {
    "decord": DecordReader,
    "pyav": PyAVReader,
    "frames": FrameFolderReader,
    "strip": StripReader,
    "array": ArrayReader,
}


def open_reader(root: Path, record: VideoRecord) -> Reader:
    """Opens a scanned video with the reader that the scan has chosen for it.

    Args:
        root: The folder that was scanned.
        record: What the scan knows of the video.

    Raises:
        DataError: The file is gone or no longer what it was.
    """
    path = Path(root).absolute() / record.found.path
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be found ({error.strerror})") from error
    # Entry points of another version of the file would give wrong frames without a word.
    is_scanned = (status.st_size, status.st_mtime_ns) == (record.num_bytes, record.modified_ns)
    if record.num_bytes and not is_scanned:
        raise DataError(f"{path}: changed since the scan; scan again")
    return _READERS[record.reader](path, record)
