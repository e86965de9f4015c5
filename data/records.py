"""What is known of a folder of videos: plain records that can be stored as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["video", "frames", "strip", "array"]
ReaderName = Literal["decord", "pyav", "frames", "strip", "array"]


@dataclass(frozen=True)
class Found:
    """One candidate that a layout names, before anybody has opened it.

    Attributes:
        path: Relative to the root.
        kind: What sort of file or folder it is.
        label: Index into the layout's classes, or -1.
        group: Who or what must not be split between training and test (UCF-101's gNN), or "".
        mask: Relative path of the video that marks the face, or "".
        item: Row of an array file that holds many videos; 0 elsewhere.
    """

    path: str
    kind: Kind
    label: int = -1
    group: str = ""
    mask: str = ""
    item: int = 0


@dataclass(frozen=True)
class Entry:
    """A place where decoding may start, and what comes out there.

    Seek to `timestamp`, feed the first `fast` packets with the frames that no other frame needs
    left out, drop `skip` decoded frames: the next one is `frame`.

    Attributes:
        timestamp: Where to seek, in the stream's time base.
        frame: Index in display order of the first frame that is right.
        skip: Decoded frames to drop before it.
        fast: Packets to decode in haste; 0 at a key frame.
    """

    timestamp: int
    frame: int
    skip: int = 0
    fast: int = 0


@dataclass(frozen=True)
class VideoRecord:
    """One readable video: what a sequential decode to its end has shown.

    Attributes:
        found: Where it is and what it is called.
        reader: Which reader gives its frames rightly.
        num_frames: Frames that can truly be decoded.
        fps: Frames a second, the container's average rate.
        height: Rows of a frame, after rotation.
        width: Columns of a frame, after rotation.
        rotation: Degrees (0, 90, 180, 270) to turn decoded frames counter-clockwise for display;
            already applied to height and width.
        entries: Verified entry points of a video file for the PyAV reader; empty elsewhere.
        num_bytes: Size of the file when it was scanned.
        modified_ns: Its time of modification; with `num_bytes` it tells whether to scan again.
        note: Why this reader serves it, when it is not the first choice, or "".
    """

    found: Found
    reader: ReaderName
    num_frames: int
    fps: float
    height: int
    width: int
    rotation: int = 0
    entries: tuple[Entry, ...] = ()
    num_bytes: int = 0
    modified_ns: int = 0
    note: str = ""


@dataclass(frozen=True)
class Reject:
    """A file that cannot be used, and why, in one line.

    Attributes:
        path: Relative to the root.
        reason: One line for the user.
        item: Row of an array file that holds many videos; 0 elsewhere.
        num_bytes: Size of the file when it was scanned.
        modified_ns: Its time of modification; with `num_bytes` it tells whether to try again.
    """

    path: str
    reason: str
    item: int = 0
    num_bytes: int = 0
    modified_ns: int = 0


@dataclass
class Catalog:
    """A scanned folder."""

    root: Path
    layout: str
    classes: list[str]
    records: list[VideoRecord]
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
