"""Where the face is, from a video that marks it, as TGANv2 crops FaceForensics.

The published code takes one box a frame: first to last column and row that the mask marks, made
square. Where this differs: the last column and row belong to the box, a box never leaves the
frame, a frame without a mark keeps the box before it, either polarity of mask is read, and
marks fainter than the noise of a compressed white are not seen. By default one box serves the
whole video, because a box a frame makes the picture tremble.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

FaceBox = Literal["union", "frame", "smooth"]
Masks = UInt8[np.ndarray, "time height width channel"]
Marks = Bool[np.ndarray, "time height width"]
# Top, left, bottom, right, of which the last two lie just outside.
Boxes = Int64[np.ndarray, "time 4"]

# Brightness levels by which a marked pixel differs from the border of the mask.
_FAINTEST_MARK = 48
# The published threshold: a sum over three channels of 255 above 5, averaged over a row or column.
_SMALLEST_SHARE = 5 / (3 * 255)
_SMOOTHED_FRAMES = 9


def face_boxes(masks: Masks, mode: FaceBox = "union") -> Boxes:
    """A square box for each frame of a mask video, inside the frame.

    Args:
        masks: The face dark on bright, or bright on dark.
        mode: `union` gives all frames the box that holds every mark, `frame` each frame its own,
            `smooth` each frame the mean over the frames around it.
    """
    marks = marked(masks)
    if mode == "union":
        marks = np.broadcast_to(marks.any(axis=0), marks.shape)
    boxes = square_boxes(marks)
    return _smoothed(boxes, *marks.shape[1:]) if mode == "smooth" else boxes


def square_boxes(marks: Marks) -> Boxes:
    """A square box around the marks of each frame.

    A frame without marks takes the box before it, the first ones the next; where no frame has any,
    the box is the largest centred square.
    """
    num_frames, height, width = marks.shape
    corners = _corners(marks)
    if corners is None:
        corners = np.tile(np.array([0, 0, height, width]), (num_frames, 1))
    return np.array([_square(box, height, width) for box in corners])


def scaled_boxes(boxes: Boxes, mask_size: tuple[int, int], frame_size: tuple[int, int]) -> Boxes:
    """Boxes found in a mask of one (height, width), for frames of another; still square."""
    if mask_size == frame_size:
        return boxes
    factors = np.array([frame_size[0] / mask_size[0], frame_size[1] / mask_size[1]] * 2)
    scaled = np.rint(boxes * factors).astype(np.int64)
    return np.array([_square(box, *frame_size) for box in scaled])


def marked(masks: Masks) -> Marks:
    """The pixels that belong to the face: those unlike the border of the picture."""
    border = np.concatenate(
        [masks[:, 0], masks[:, -1], masks[:, :, 0], masks[:, :, -1]], axis=1
    )  # (time, border pixel, channel)
    # A median, because the face may touch the border at one side.
    bright_border = np.median(border) > 127
    level = 255 - masks.astype(np.int16) if bright_border else masks.astype(np.int16)
    return level.max(axis=3) > _FAINTEST_MARK


def _corners(marks: Marks) -> Boxes | None:
    """Box of the marks of each frame; empty frames take the box before, the first ones the next."""
    rows = marks.mean(axis=2) > _SMALLEST_SHARE
    columns = marks.mean(axis=1) > _SMALLEST_SHARE
    filled = np.flatnonzero(rows.any(axis=1) & columns.any(axis=1))
    if not len(filled):
        return None
    boxes = np.stack(
        [
            rows.argmax(axis=1),
            columns.argmax(axis=1),
            rows.shape[1] - rows[:, ::-1].argmax(axis=1),
            columns.shape[1] - columns[:, ::-1].argmax(axis=1),
        ],
        axis=1,
    )
    before = np.searchsorted(filled, np.arange(len(marks)), side="right") - 1
    return boxes[filled[np.maximum(before, 0)]]


def _square(box: Int64[np.ndarray, " 4"], height: int, width: int) -> Int64[np.ndarray, " 4"]:
    """The shorter side grown to a square, an odd pixel to the right or below, then moved inside."""
    top, left, bottom, right = (int(edge) for edge in box)
    side = max(bottom - top, right - left)
    return _placed(
        top - (side - (bottom - top)) // 2, left - (side - (right - left)) // 2, side, height, width
    )


def _placed(top: int, left: int, side: int, height: int, width: int) -> Int64[np.ndarray, " 4"]:
    if side > min(height, width):
        # Larger than the frame: as large as may be, around the same middle.
        excess = side - min(height, width)
        top, left, side = top + excess // 2, left + excess // 2, min(height, width)
    top, left = min(max(top, 0), height - side), min(max(left, 0), width - side)
    return np.array([top, left, top + side, left + side])


def _smoothed(boxes: Boxes, height: int, width: int) -> Boxes:
    side = boxes[:, 2] - boxes[:, 0]
    middle = np.stack([boxes[:, 0] + side / 2, boxes[:, 1] + side / 2, side], axis=1)
    means = _running_mean(middle)
    sides = np.rint(means[:, 2]).astype(int)
    corners = np.rint(means[:, :2] - sides[:, None] / 2).astype(int)
    return np.array(
        [
            _placed(int(top), int(left), int(side), height, width)
            for (top, left), side in zip(corners, sides, strict=True)
        ]
    )


def _running_mean(values: Float[np.ndarray, "time 3"]) -> Float[np.ndarray, "time 3"]:
    half = _SMOOTHED_FRAMES // 2
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED_FRAMES, axis=0)
    return windows.mean(axis=2)
