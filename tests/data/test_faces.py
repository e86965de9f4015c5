from __future__ import annotations

import numpy as np
import pytest

from data.faces import FaceBox, face_boxes, scaled_boxes


def masks(*marks: tuple[int, int, int, int] | None, height: int = 48, width: int = 64):
    """One frame a mark (top, left, bottom, right): the face black on white."""
    frames = np.full((len(marks), height, width, 3), 255, np.uint8)
    for frame, mark in zip(frames, marks, strict=True):
        if mark is not None:
            top, left, bottom, right = mark
            frame[top:bottom, left:right] = 0
    return frames


def boxes(frames: np.ndarray, mode: FaceBox = "frame") -> list[tuple[int, ...]]:
    return [tuple(int(edge) for edge in box) for box in face_boxes(frames, mode)]


@pytest.mark.parametrize("invert", [False, True])
def test_box_holds_first_to_last_marked_pixel_in_either_polarity(invert):
    frames = masks((10, 20, 26, 36))
    assert boxes(255 - frames if invert else frames) == [(10, 20, 26, 36)]


def test_the_shorter_side_grows_evenly_and_by_an_odd_pixel_to_the_right_or_below():
    assert boxes(masks((10, 20, 30, 30))) == [(10, 15, 30, 35)]
    assert boxes(masks((10, 20, 31, 30))) == [(10, 15, 31, 36)]
    assert boxes(masks((20, 10, 30, 31))) == [(15, 10, 36, 31)]


def test_a_square_that_would_leave_the_frame_moves_inside():
    assert boxes(masks((4, 60, 24, 64))) == [(4, 44, 24, 64)]
    assert boxes(masks((0, 20, 4, 40))) == [(0, 20, 20, 40)]
    assert boxes(masks((44, 2, 48, 12))) == [(38, 2, 48, 12)]


def test_a_square_larger_than_the_frame_shrinks_to_it():
    assert boxes(masks((20, 2, 30, 60))) == [(0, 7, 48, 55)]


def test_a_frame_without_marks_keeps_the_box_before_and_the_first_take_the_next():
    first, second = (10, 20, 20, 30), (12, 22, 22, 32)
    assert boxes(masks(None, first, None, second, None)) == [first, first, first, second, second]


def test_without_any_mark_the_box_is_the_centre_square():
    assert boxes(masks(None, None)) == [(0, 8, 48, 56)] * 2
    assert boxes(masks(None), "union") == [(0, 8, 48, 56)]


def test_union_gives_every_frame_the_box_of_all_marks():
    frames = masks((10, 20, 20, 30), (14, 30, 24, 40))
    assert boxes(frames, "union") == [(7, 20, 27, 40)] * 2


def test_smooth_boxes_are_square_and_tremble_less_than_boxes_of_frames():
    generator = np.random.default_rng(0)
    shifts = generator.integers(-4, 5, 60)
    frames = masks(*((12, 20 + int(shift), 32, 40 + int(shift)) for shift in shifts))
    smooth, single = (np.array(boxes(frames, mode)) for mode in ("smooth", "frame"))
    np.testing.assert_array_equal(smooth[:, 2:] - smooth[:, :2], 20)
    assert np.abs(np.diff(smooth[:, 1])).mean() < np.abs(np.diff(single[:, 1])).mean() / 3
    assert abs(smooth[:, 1].mean() - single[:, 1].mean()) < 1


def test_noise_and_stray_pixels_are_no_face():
    frames = masks((10, 20, 26, 36)).astype(int)
    frames += np.random.default_rng(0).integers(-20, 1, frames.shape)
    frames = np.clip(frames, 0, 255).astype(np.uint8)
    assert boxes(frames) == [(10, 20, 26, 36)]
    tall = masks((100, 50, 250, 200), height=480, width=640)
    tall[0, 300, 400] = 0
    assert boxes(tall) == [(100, 50, 250, 200)]


def test_boxes_of_a_smaller_mask_fit_the_frame():
    scaled = scaled_boxes(np.array([[10, 20, 26, 36]]), (48, 64), (96, 128))
    np.testing.assert_array_equal(scaled, [[20, 40, 52, 72]])
    odd = scaled_boxes(np.array([[10, 20, 26, 36], [32, 48, 48, 64]]), (48, 64), (100, 128))
    sides = odd[:, 2:] - odd[:, :2]
    np.testing.assert_array_equal(sides[:, 0], sides[:, 1])
    assert (odd >= 0).all()
    assert (odd[:, 2] <= 100).all()
    assert (odd[:, 3] <= 128).all()
