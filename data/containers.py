"""Which container a video file is, from its first bytes and never from its name.

FFmpeg guesses formats too, and among its guesses are playlists and scripts that make it open other
files. A file is given to it only under the format found here.
"""

from __future__ import annotations

from pathlib import Path

from data.sources import DataError

_PACKET_SYNC = 0x47
_PACKET_BYTES = 188
_HEAD_BYTES = 3 * (_PACKET_BYTES + 4)
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_SIGNATURES = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"OggS", "ogg"),
    (b"FLV\x01", "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
)


def container_format(path: Path) -> str:
    """FFmpeg's name of a file's container.

    Raises:
        DataError: The file is empty, cannot be opened, or is no container read here.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror}") from error
    if not head:
        raise DataError("the file is empty")
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "avi"
    if head[4:8] in _MP4_BOXES:
        return "mov"
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if _is_transport_stream(head):
        return "mpegts"
    raise DataError(
        "not a video: its first bytes are of none of mp4, mov, avi, mkv, webm, mpeg, gif, ogg, "
        "flv, wmv"
    )


def _is_transport_stream(head: bytes) -> bool:
    """Sync bytes at the packets' distance; a Blu-ray packet has 4 more bytes, in front."""
    for extra in (0, 4):
        positions = [extra + number * (_PACKET_BYTES + extra) for number in range(3)]
        if positions[-1] < len(head) and all(head[at] == _PACKET_SYNC for at in positions):
            return True
    return False
