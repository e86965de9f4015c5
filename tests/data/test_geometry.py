from __future__ import annotations

import numpy as np
import pytest

from data.geometry import PRESETS, Geometry, preset, resized
from data.sources import DataError


def columns_and_rows(height: int, width: int, num_frames: int = 3) -> np.ndarray:
    """Each pixel tells its column, its row and its frame."""
    clip = np.empty((num_frames, height, width, 3), np.uint8)
    clip[..., 0] = np.arange(width)
    clip[..., 1] = np.arange(height)[:, None]
    clip[..., 2] = np.arange(num_frames)[:, None, None]
    return clip


def corner(clip: np.ndarray) -> tuple[int, int]:
    """Row and column that the upper left pixel came from."""
    return int(clip[0, 0, 0, 1]), int(clip[0, 0, 0, 0])


def test_tgan_takes_columns_10_to_73_of_85():
    clip = preset("ucf101_tgan", (64, 64))(columns_and_rows(64, 85))
    np.testing.assert_array_equal(clip[0, 0, :, 0], np.arange(10, 74))
    np.testing.assert_array_equal(clip[0, :, 0, 1], np.arange(64))


def test_tgan_scales_ucf101_before_it_crops():
    frames = columns_and_rows(240, 320) // np.array([2, 1, 1], np.uint8)
    whole = resized(frames, (64, 85), "bicubic")
    np.testing.assert_array_equal(preset("ucf101_tgan", (64, 64))(frames), whole[:, :, 10:74])


def test_latent_ode_takes_columns_32_to_223_of_256():
    clip = preset("ucf101_ode", (192, 192))(columns_and_rows(192, 256))
    assert corner(clip) == (0, 32)
    assert clip.shape == (3, 192, 192, 3)
    assert clip[0, 0, -1, 0] == 223


def test_tganv2_draws_every_column_from_4_to_60():
    geometry = preset("ucf101_tganv2", (192, 192))
    generator = np.random.default_rng(0)
    frames = columns_and_rows(192, 256, num_frames=1)
    lefts = {corner(geometry(frames, generator)) for _ in range(1000)}
    assert lefts == {(0, left) for left in range(4, 61)}


def test_paper_of_tganv2_scales_the_middle_240():
    frames = columns_and_rows(240, 250, num_frames=1)
    np.testing.assert_array_equal(
        preset("ucf101_240", (192, 192))(frames),
        resized(frames[:, :, 5:245], (192, 192), "bicubic"),
    )


def test_square_takes_the_largest_square_from_the_middle():
    assert corner(preset("square", (40, 40))(columns_and_rows(40, 61))) == (0, 10)
    assert corner(preset("square", (40, 40))(columns_and_rows(61, 40))) == (10, 0)


@pytest.mark.parametrize(("height", "width"), [(240, 320), (320, 240), (100, 101), (17, 200)])
@pytest.mark.parametrize("size", [(64, 64), (48, 64), (64, 32)])
def test_short_side_gives_the_wanted_size_from_any_frame(height, width, size):
    clip = preset("short_side", size)(columns_and_rows(height, width, 1))
    assert clip.shape == (1, *size, 3)


def test_short_side_keeps_proportions():
    frames = np.zeros((1, 240, 320, 3), np.uint8)
    frames[:, 60:180, 100:220] = 255
    clip = preset("short_side", (64, 64))(frames)[0, :, :, 0] > 127
    # 120 pixels of 240 rows, and of the 320 columns that become 85: 31.9.
    assert clip.any(axis=1).sum() == 32
    assert abs(clip.any(axis=0).sum() - 31.9) < 1


def test_crop_at_random_reaches_every_place_and_no_other():
    geometry = Geometry(crop=(4, 5), crop_position="random")
    generator = np.random.default_rng(0)
    frames = columns_and_rows(6, 8)
    corners = {corner(geometry(frames, generator)) for _ in range(500)}
    assert corners == {(top, left) for top in range(3) for left in range(4)}


def test_one_crop_and_one_flip_serve_the_whole_clip():
    geometry = Geometry(crop=(4, 4), crop_position="random", flip=True)
    generator = np.random.default_rng(1)
    flipped = 0
    for _ in range(200):
        clip = geometry(columns_and_rows(9, 9), generator)
        np.testing.assert_array_equal(clip[0, ..., :2], clip[2, ..., :2])
        np.testing.assert_array_equal(clip[:, 0, 0, 2], [0, 1, 2])
        flipped += int(clip[0, 0, 0, 0] > clip[0, 0, -1, 0])
    assert 70 < flipped < 130


def test_fixed_then_drawn_equals_the_whole():
    frames = columns_and_rows(200, 250)
    for name in PRESETS:
        size = {"ucf101_tgan": (64, 64)}.get(name, (192, 192))
        geometry = preset(name, size, flip=True)
        for seed in range(4):
            whole = geometry(frames, np.random.default_rng(seed))
            parts = geometry.drawn(geometry.fixed(frames), np.random.default_rng(seed))
            np.testing.assert_array_equal(whole, parts, err_msg=name)


def test_filters_on_halving():
    frames = np.zeros((1, 4, 4, 1), np.uint8)
    frames[0, :2, :2, 0] = [[10, 20], [30, 44]]
    assert resized(frames, (2, 2), "area")[0, 0, 0, 0] == 26
    assert resized(frames, (2, 2), "nearest")[0, 0, 0, 0] == 44
    # A triangle two pixels to each side, cut off at the border: weights 3, 3, 1 of 7.
    assert resized(frames, (2, 2), "bilinear")[0, 0, 0, 0] == round(104 * 9 / 49)


@pytest.mark.parametrize("method", ["bicubic", "bilinear", "area"])
@pytest.mark.parametrize("channels", [1, 3])
def test_scaling_keeps_a_flat_picture_and_its_channels(method, channels):
    color = np.array([7, 130, 255], np.uint8)[:channels]
    frames = np.broadcast_to(color, (2, 30, 50, channels))
    clip = resized(frames.copy(), (11, 13), method)
    np.testing.assert_array_equal(clip, np.broadcast_to(color, (2, 11, 13, channels)))


def test_scaling_down_smooths_instead_of_skipping_pixels():
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::2] = 200
    for method in ("bicubic", "bilinear", "area"):
        inner = resized(stripes, (16, 16), method)[0, 4:12, 4:12]
        assert abs(inner.astype(int) - 100).max() <= 4, method


def test_impossible_geometry_is_refused_in_one_line():
    with pytest.raises(DataError, match=r"4x4.*does not fit into frames of 3x9"):
        Geometry(crop=(4, 4))(columns_and_rows(3, 9))
    with pytest.raises(DataError, match="'ucf101_tgan' gives clips of"):
        preset("ucf101_tgan", (32, 32))
    with pytest.raises(DataError, match="square clips"):
        preset("square", (32, 48))
    with pytest.raises(DataError, match="resize is 0"):
        Geometry(resize=0)


def test_a_misspelt_preprocessing_is_refused(unchecked):
    with pytest.raises(DataError, match="no preprocessing 'rhombus'"):
        preset("rhombus", (32, 32))  # pyright: ignore
