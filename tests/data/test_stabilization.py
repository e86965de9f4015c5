from __future__ import annotations

import numpy as np
import pytest

from data.sources import DataError
from data.stabilization import (
    LostView,
    Piece,
    Stabilization,
    corners,
    is_upright,
    key_points,
    matched,
    moved,
    step_between,
    warped,
)
from tests.data import camera

MODELS = ("homography", "similarity")


def stabilized(frames: list[np.ndarray], **settings) -> tuple[Piece, list[np.ndarray]]:
    piece = Piece(frames[0], Stabilization(**settings))
    shown = [frames[0]]
    for frame in frames[1:]:
        following = piece.add(frame)
        if following is None:
            break
        shown.append(following)
    return piece, shown


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(abs(one.astype(float) - other).mean())


@pytest.mark.parametrize("model", MODELS)
def test_a_step_is_the_camera_s_true_move_to_a_fraction_of_a_pixel(model):
    first, second = camera.shaken_views(3, model)[1:]
    true = np.linalg.inv(first) @ second
    points = [key_points(camera.frame(view)) for view in (second, first)]
    step = step_between(*points, Stabilization(model=model))
    places = corners(camera.HEIGHT, camera.WIDTH)
    missed = np.linalg.norm(moved(step.view, places) - moved(true, places), axis=1)
    assert np.linalg.norm(moved(true, places) - places, axis=1).min() > 3
    assert missed.max() < 0.3
    assert step.num_inliers >= 30
    assert step.error < 0.5
    assert step.view[2, 2] == pytest.approx(1)
    if model == "similarity":
        np.testing.assert_array_equal(step.view[2], [0, 0, 1])
        assert step.view[0, 0] == pytest.approx(step.view[1, 1])


@pytest.mark.parametrize("model", MODELS)
def test_a_still_scene_seen_by_a_shaken_camera_comes_out_still(model):
    views = camera.shaken_views(8, model)
    frames = [camera.frame(view) for view in views]
    piece, shown = stabilized(frames, model=model)
    assert piece.num_frames == len(shown) == 8
    assert piece.failure == ""
    for frame, still in zip(frames[1:], shown[1:], strict=True):
        assert difference(frame, frames[0]) > 30
        assert difference(still, frames[0]) < 4
    assert 0.05 < piece.unseen < 0.5
    drift = piece.drift()
    assert drift is not None
    assert drift < 0.5


def test_a_frame_is_warped_to_the_first_view_and_not_away_from_it():
    view = camera.shaken_views(2, "homography")[1]
    first, frame = camera.frame(np.eye(3)), camera.frame(view)
    picture, seen = warped(frame, view)
    assert difference(picture[seen], first[seen]) < 4
    away, seen = warped(frame, np.linalg.inv(view))
    assert difference(away[seen], first[seen]) > 30


def test_what_moves_in_the_scene_keeps_moving():
    views = camera.shaken_views(8, "similarity")
    centers = [(40.0 + 4 * time, 45.0 - 2 * time) for time in range(8)]
    frames = [camera.frame(view, center) for view, center in zip(views, centers, strict=True)]
    _, shown = stabilized(frames, model="similarity")
    assert len(shown) == 8
    for still, center in zip(shown, centers, strict=True):
        red = (still[..., 0] > 230) & (still[..., 1:] < 25).all(axis=-1)
        rows, columns = np.nonzero(red)
        assert abs(np.median(columns) - center[0]) <= 1
        assert abs(np.median(rows) - center[1]) <= 1


def test_what_is_not_seen_is_the_frame_before_bit_for_bit():
    frames = [camera.frame(camera.shift(6 * time, 0)) for time in range(4)]
    _, shown = stabilized(frames, model="similarity")
    for time in range(1, 4):
        # The view has moved by 6 pixels a frame, and the rim of 2 is not trusted.
        hidden = 6 * time + 1
        np.testing.assert_array_equal(shown[time][:, :hidden], shown[time - 1][:, :hidden])
        assert difference(shown[time], frames[0]) < 1
        assert difference(frames[time], frames[0]) > 30
    np.testing.assert_array_equal(shown[3][:, :7], frames[0][:, :7])


def test_seen_is_what_the_view_holds_less_a_rim_of_two_pixels():
    frame = camera.frame(np.eye(3))
    picture, seen = warped(frame, camera.shift(10, -7))
    expected = np.zeros((camera.HEIGHT, camera.WIDTH), bool)
    expected[: camera.HEIGHT - 7 - 2, 10 + 2 :] = True
    np.testing.assert_array_equal(seen, expected)
    np.testing.assert_array_equal(picture[:-7, 10:], frame[7:, :-10])
    assert warped(frame, np.eye(3))[1].all()
    assert not warped(frame, camera.shift(500, 0))[1].any()


@pytest.mark.parametrize("seed", range(3))
def test_no_pixel_that_is_seen_is_mixed_with_the_dark_outside(seed):
    white = np.full((camera.HEIGHT, camera.WIDTH, 3), 255, np.uint8)
    views = [camera.shift(0.6, -0.4), *camera.shaken_views(6, "homography", seed)[1:]]
    for view in views:
        picture, seen = warped(white, view)
        assert (picture[seen] >= 250).all()
        x, y = camera.places_seen(np.linalg.inv(view))
        from_edge = np.minimum.reduce([x, y, camera.WIDTH - 1 - x, camera.HEIGHT - 1 - y])
        assert seen[from_edge > 5].all()
    assert not warped(white, camera.shift(0.6, 0))[1][:, 0].any()


def test_noise_is_rejected_for_its_matches():
    noise = np.random.default_rng(0).integers(0, 256, (2, 90, 120, 3), np.uint8)
    piece, shown = stabilized(list(noise))
    assert len(shown) == 1
    assert piece.failure.endswith("fewer than min_inliers 10")
    assert piece.verdict() == piece.failure


def test_frames_without_key_points_are_rejected():
    flat = np.full((60, 60, 3), 90, np.uint8)
    piece, _ = stabilized([flat, flat])
    assert piece.verdict() == "0 key points are nothing to follow"
    with pytest.raises(LostView, match="0 key points"):
        matched(key_points(flat), key_points(camera.frame(np.eye(3))))


def test_matches_that_disagree_are_no_view():
    # Four strips of the scene, each moved its own way: no single view holds half of the matches.
    first = camera.frame(np.eye(3))
    moves = ((25, 0), (-25, 0), (0, 25), (0, -25))
    second = np.concatenate(
        [
            camera.frame(camera.shift(*move))[:, 30 * at : 30 * at + 30]
            for at, move in enumerate(moves)
        ],
        axis=1,
    )
    points = key_points(second), key_points(first)
    num_matches = len(matched(*points)[0])
    assert num_matches >= 12
    settings = Stabilization(model="similarity", min_inliers=num_matches, max_error=1.0)
    with pytest.raises(LostView, match=rf"\d+ of {num_matches} matches agree on a view"):
        step_between(*points, settings)


def test_a_piece_ends_at_its_longest_and_is_judged_by_its_length():
    frames = [camera.frame(camera.shift(time, 0)) for time in range(5)]
    piece, shown = stabilized(frames, max_frames=3, min_frames=3)
    assert len(shown) == piece.num_frames == 3
    assert piece.verdict() == ""
    piece, shown = stabilized(frames[:3], min_frames=4)
    assert piece.verdict() == "3 frames, fewer than min_frames 4"


def test_a_piece_ends_without_fault_where_too_much_is_not_seen():
    frames = [camera.frame(camera.shift(12 * time, 0)) for time in range(6)]
    piece, shown = stabilized(frames, max_unseen=0.25, min_frames=1)
    # 12 of 120 columns a frame and the rim: 14, 26, then 38.
    assert len(shown) == 3
    assert piece.unseen == pytest.approx(26 / 120, abs=0.03)
    assert piece.verdict() == ""


def test_a_view_from_behind_or_in_a_mirror_is_not_upright():
    assert is_upright(camera.shift(1000, -3), 90, 120)
    assert not is_upright(np.diag([-1.0, 1, 1]), 90, 120)
    tilted = np.eye(3)
    tilted[2, 0] = -1 / 110
    assert not is_upright(tilted, 90, 120)
    assert is_upright(tilted, 90, 100)
    assert not is_upright(np.full((3, 3), np.nan), 90, 120)


def test_drift_is_the_distance_between_the_chain_and_the_direct_match():
    frames = [camera.frame(view) for view in camera.shaken_views(3, "similarity")]
    piece, _ = stabilized(frames, model="similarity")
    piece._view = camera.shift(3, 4) @ piece._view
    assert piece.drift() == pytest.approx(5, abs=0.3)
    piece, _ = stabilized(
        [camera.frame(camera.shift(30 * at, 0)) for at in range(4)], model="similarity"
    )
    far = key_points(np.zeros((90, 120, 3), np.uint8))
    piece._first_points = far
    assert piece.drift() is None


def test_a_piece_whose_views_drift_is_rejected():
    frames = [camera.frame(view) for view in camera.shaken_views(4, "similarity")]
    settings = {"model": "similarity", "min_frames": 2}
    piece, _ = stabilized(frames, **settings)
    drift = piece.drift()
    assert drift is not None
    assert drift > 0
    diagonal = np.hypot(camera.HEIGHT, camera.WIDTH)
    piece, _ = stabilized(frames, **settings, max_drift=0.99 * drift / diagonal)
    assert piece.verdict().startswith(f"drifted by {drift:.1f} pixels, more than")
    piece, _ = stabilized(frames, **settings, max_drift=1.01 * drift / diagonal)
    assert piece.verdict() == ""


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"model": "affine"}, "model is 'affine': choose homography or similarity"),
        ({"max_error": 0.0}, "max_error is 0.0: give pixels above 0"),
        ({"min_inliers": 3}, "min_inliers is 3: give 4 or more"),
        ({"max_drift": 0.0}, "max_drift is 0.0: give a share above 0, or inf"),
        ({"max_unseen": 1.5}, "max_unseen is 1.5: give a share above 0, up to 1"),
        ({"min_frames": 0}, "min_frames is 0: give 1 or more"),
        ({"max_frames": 15}, "max_frames is 15: give min_frames or more"),
        ({"skip_frames": -1}, "skip_frames is -1: give 0 or more"),
    ],
)
def test_settings_out_of_range_are_refused(settings, line, unchecked):
    with pytest.raises(DataError) as refusal:
        Stabilization(**settings)
    assert str(refusal.value) == line
