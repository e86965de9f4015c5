"""Fills the file of frames of a prepared store, in several processes and bounded memory."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data.frames import VideoFiles
from data.progress import shown_progress
from data.records import Reject, VideoRecord
from data.sources import DataError
from data.store import StoreIndex
from data.workers import mapped

# Decoded frames of the original size that one process holds at a time.
_BYTES_AT_ONCE = 64 << 20

# A video and the number of its first frame in the store.
_Job = tuple[VideoRecord, int]


def fill(files: VideoFiles, index: StoreIndex, path: Path, num_workers: int) -> None:
    """Decodes all videos into one file; those that fail move from the index's records to rejects.

    Args:
        files: Gives the frames.
        index: The videos and where each begins; changed in place.
        path: File to write.
        num_workers: Processes that decode; 0 decodes in this one.

    Raises:
        DataError: No video could be decoded, or a process was killed.
        OSError: The file cannot be written.
    """
    with open(path, "wb") as file:
        file.truncate(index.num_frames * index.frame_bytes)
    jobs = list(zip(index.catalog.records, index.offsets, strict=True))
    writer = _Writer(files, path, index.frame_bytes)
    failures: list[Reject | None] = []
    with shown_progress("Preparing") as progress:
        for failure in mapped(writer, jobs, num_workers):
            failures.append(failure)
            progress(len(failures), len(jobs))
    kept = [job for job, failure in zip(jobs, failures, strict=True) if failure is None]
    rejects = [failure for failure in failures if failure is not None]
    if not kept:
        raise DataError(f"no video could be decoded; '{rejects[0].path}': {rejects[0].reason}")
    index.catalog = replace(
        index.catalog,
        records=[record for record, _ in kept],
        rejects=index.catalog.rejects + rejects,
    )
    index.offsets = [offset for _, offset in kept]
    with open(path, "rb+") as file:
        # Once, at the end: waiting for the disk after each small video takes longer than decoding.
        os.fsync(file.fileno())


@dataclass(frozen=True)
class _Writer:
    """Decodes one video at a time and writes its frames to their place in the store."""

    files: VideoFiles
    path: Path
    frame_bytes: int

    def __call__(self, job: _Job) -> Reject | None:
        record, offset = job
        chunk = max(1, _BYTES_AT_ONCE // (record.height * record.width * 3))
        with open(self.path, "rb+") as file:
            for start in range(0, record.num_frames, chunk):
                indices = np.arange(start, min(start + chunk, record.num_frames))
                try:
                    pixels = self.files.get(record, indices)
                except Exception as error:  # decoders raise anything at all
                    reason = str(error) or type(error).__name__
                    return Reject(record.found.path, reason, record.found.item)
                planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
                assert planes.nbytes == len(indices) * self.frame_bytes
                file.seek((offset + start) * self.frame_bytes)
                file.write(planes.data)
        return None
