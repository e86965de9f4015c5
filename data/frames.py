"""Frames of scanned videos, decoded when asked for and brought to the size of the training."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from data.faces import Boxes, FaceBox, face_boxes, marked, scaled_boxes, square_boxes
from data.geometry import Geometry, Preprocessing, Size, preset
from data.readers import Reader, open_reader
from data.records import VideoRecord
from data.sources import DataError

Pixels = UInt8[np.ndarray, "time height width channel"]
Indices = Int64[np.ndarray, " time"]

# ITU-R BT.601, in thousandths: whole numbers give the same grey on every machine.
_LUMA = np.array([299, 587, 114], dtype=np.uint32)
_MASK_FRAMES_AT_ONCE = 64


@dataclass(frozen=True)
class Preparation:
    """What becomes of every frame, whichever clip it is drawn for.

    Args:
        size: Height and width of the clips.
        channels: 3 for color, 1 for grey.
        preprocessing: Name of the geometry.
        face_box: How the box of the face is found, where the geometry is `face`.
    """

    size: Size
    channels: int = 3
    preprocessing: Preprocessing = "square"
    face_box: FaceBox = "union"

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise DataError(f"channels is {self.channels}: choose 3 (color) or 1 (grey)")
        self.geometry()

    def geometry(self, flip: bool = False) -> Geometry:
        """The whole way from a decoded frame to the clip."""
        return preset(self.preprocessing, self.size, flip)


class VideoFiles:
    """Frames of the videos below a root, prepared.

    Args:
        root: Folder that was scanned.
        preparation: What becomes of every frame.
        masks: Scanned mask videos by their path; needed only for faces.
    """

    def __init__(
        self, root: Path, preparation: Preparation, masks: dict[str, VideoRecord] | None = None
    ) -> None:
        self._root = root
        self._preparation = preparation
        self._geometry = preparation.geometry().fixed
        self._masks = masks or {}
        self._union_boxes: dict[str, Boxes] = {}

    def get(self, record: VideoRecord, indices: Indices) -> Pixels:
        """Frames of one video by their numbers; its file is opened and closed inside.

        Raises:
            DataError: The file has changed since the scan.
            Exception: Whatever a decoder raises on a file that has gone bad.
        """
        self._check_unchanged(record)
        # Decoders hang in forked workers and decode ahead when kept open, so none is.
        with open_reader(self._root, record) as reader:
            frames = reader.get(indices)
        if self._preparation.preprocessing == "face":
            frames = self._cropped_to_face(record, indices, frames)
        return with_channels(self._geometry(frames), self._preparation.channels)

    def _check_unchanged(self, record: VideoRecord) -> None:
        status = os.stat(self._root / record.found.path)
        seen = (record.num_bytes, record.modified_ns)
        if any(seen) and seen != (status.st_size, status.st_mtime_ns):
            raise DataError("it has changed since the scan: start again to scan it anew")

    def _cropped_to_face(
        self, record: VideoRecord, indices: Indices, frames: Pixels
    ) -> UInt8[np.ndarray, "time new_height new_width channel"]:
        boxes = self._boxes(record, indices)
        if (boxes == boxes[0]).all():
            top, left, bottom, right = boxes[0]
            return frames[:, top:bottom, left:right]
        # Boxes of several sizes: each frame is scaled here, the geometry then finds nothing to do.
        crops = [
            self._geometry(frames[number : number + 1, top:bottom, left:right])
            for number, (top, left, bottom, right) in enumerate(boxes)
        ]
        return np.concatenate(crops)

    def _boxes(self, record: VideoRecord, indices: Indices) -> Boxes:
        size = (record.height, record.width)
        mask = self._masks.get(record.found.mask)
        if mask is None:
            square = square_boxes(np.zeros((1, *size), bool))
            return np.broadcast_to(square, (len(indices), 4))
        mode = self._preparation.face_box
        if mode == "union":
            boxes = np.broadcast_to(self._union_box(mask), (len(indices), 4))
        else:
            with open_reader(self._root, mask) as reader:
                # Mask videos may be shorter: the last box holds on.
                boxes = face_boxes(reader.get(np.minimum(indices, mask.num_frames - 1)), mode)
        return scaled_boxes(boxes, (mask.height, mask.width), size)

    def _union_box(self, mask: VideoRecord) -> Boxes:
        """Box of all frames of the mask, decoded once in each process."""
        if mask.found.path not in self._union_boxes:
            with open_reader(self._root, mask) as reader:
                self._union_boxes[mask.found.path] = square_boxes(_all_marks(reader))
        return self._union_boxes[mask.found.path]


def _all_marks(reader: Reader) -> Bool[np.ndarray, "1 height width"]:
    marks = np.zeros((1, *reader.size), bool)
    for start in range(0, len(reader), _MASK_FRAMES_AT_ONCE):
        masks = reader.get(range(start, min(start + _MASK_FRAMES_AT_ONCE, len(reader))))
        marks |= marked(masks).any(axis=0)
    return marks


def with_channels(
    pixels: Pixels, channels: int
) -> UInt8[np.ndarray, "time height width {channels}"]:
    """Colour (red, green, blue) or grey frames as wanted."""
    if pixels.shape[-1] == channels:
        return pixels
    if channels == 3:
        return np.repeat(pixels, 3, axis=-1)
    grey = (pixels.astype(np.uint32) @ _LUMA + 500) // 1000
    return grey.astype(np.uint8)[..., None]
