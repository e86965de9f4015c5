"""The newest pictures of a run, written into a page itself."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image

# A page of many larger ones would take minutes to open.
LARGEST_BYTES = 6_000_000
_IMAGE_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
_VIDEO_TYPES = {".mp4": "video/mp4", ".webm": "video/webm"}
# What PIL and PyAV say of files that are none.
_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    StopIteration,
    av.FFmpegError,
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class Picture:
    """A picture or film as data URIs.

    Attributes:
        name: Of its file.
        source: The whole file.
        still: A film's first frame; "" of a picture.
    """

    name: str
    source: str
    still: str = ""


def newest_pictures(folder: Path, remarks: list[str]) -> list[Picture]:
    """The newest film and the newest picture, whichever of them there are.

    Args:
        folder: The `samples` of a run, whose files are named by step.
        remarks: Takes a line for each that is broken or too large, and one if there is none.
    """
    found, told_before = [], len(remarks)
    for suffixes, inlined in ((tuple(_VIDEO_TYPES), _film), ((".png", ".gif", ".jpg"), _image)):
        path = _newest(folder, suffixes)
        if path is None:
            continue
        try:
            size = path.stat().st_size
            if size > LARGEST_BYTES:
                remarks.append(
                    f"samples/{path.name} is left out: its {size / 1e6:.1f} MB are more than the "
                    f"{LARGEST_BYTES / 1e6:g} MB that a page takes"
                )
            else:
                found.append(inlined(path))
        except _BROKEN:
            remarks.append(f"samples/{path.name} is broken and left out")
    if not found and len(remarks) == told_before:
        remarks.append("no samples yet")
    return found


def _newest(folder: Path, suffixes: tuple[str, ...]) -> Path | None:
    files = [path for path in folder.glob("step-*") if path.suffix.lower() in suffixes]
    files = [path for path in files if path.is_file()]
    return max(files, key=lambda path: path.stem, default=None)  # steps have leading zeros


def _image(path: Path) -> Picture:
    content = path.read_bytes()
    with Image.open(io.BytesIO(content), formats=list(_IMAGE_TYPES)) as image:
        image.load()
        kind = _IMAGE_TYPES[image.format or ""]
    return Picture(path.name, data_uri(content, kind))


def _film(path: Path) -> Picture:
    content = path.read_bytes()
    with av.open(io.BytesIO(content), "r") as film:
        frame = next(film.decode(video=0))
        still = io.BytesIO()
        frame.to_image().save(still, "JPEG", quality=85)
    return Picture(
        path.name,
        data_uri(content, _VIDEO_TYPES[path.suffix.lower()]),
        data_uri(still.getvalue(), "image/jpeg"),
    )


def data_uri(content: bytes, kind: str) -> str:
    """A file of a MIME type as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
