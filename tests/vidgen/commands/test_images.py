from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from vidgen.commands.images import image_files, peak_signal_to_noise, read_image
from vidgen.errors import UserError


def saved(path, pixels, mode=None, **options):
    Image.fromarray(np.asarray(pixels), mode).save(path, **options)
    return path


def quarters(top_left, top_right, bottom_left, bottom_right):
    """A picture of 8 x 8 in four shades."""
    shades = np.array([[top_left, top_right], [bottom_left, bottom_right]], np.uint8)
    return np.repeat(shades.repeat(4, 0).repeat(4, 1)[..., None], 3, axis=2)


def test_an_image_of_the_frames_size_is_the_frame(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    frame = read_image(saved(tmp_path / "a.png", pixels), 3, (8, 8))
    assert torch.equal(frame, torch.from_numpy(pixels).permute(2, 0, 1))


@pytest.mark.parametrize("lying", [False, True])
def test_the_middle_square_is_taken_and_scaled(tmp_path, lying):
    pixels = np.zeros((16, 40, 3), np.uint8)
    pixels[:, 12:28] = [10, 120, 250]  # rows, columns
    if lying:
        pixels = pixels.swapaxes(0, 1)
    frame = read_image(saved(tmp_path / "a.png", pixels), 3, (8, 8))
    assert (frame == torch.tensor([10, 120, 250]).view(3, 1, 1)).all()


def test_grey_frames_weigh_the_colors(tmp_path):
    path = saved(tmp_path / "a.png", np.full((8, 8, 3), [200, 100, 50], np.uint8))
    frame = read_image(path, 1, (8, 8))
    assert frame.shape == (1, 8, 8)
    assert (frame == 124).all()  # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2


def test_grey_images_are_grey_in_color(tmp_path):
    frame = read_image(saved(tmp_path / "a.png", np.full((8, 8), 77, np.uint8)), 3, (8, 8))
    assert (frame == 77).all() and frame.shape == (3, 8, 8)


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path):
    frame = read_image(saved(tmp_path / "a.png", np.full((8, 8), 40000, np.uint16)), 3, (8, 8))
    assert (frame == 156).all()  # 40000 / 256


def test_what_is_transparent_lies_on_white(tmp_path):
    pixels = np.full((8, 8, 4), [200, 100, 0, 255], np.uint8)
    pixels[:4, :, 3] = 0
    pixels[4:, 4:, 3] = 51  # a fifth
    frame = read_image(saved(tmp_path / "a.png", pixels), 3, (8, 8))
    assert (frame[:, :4] == 255).all()
    assert frame[:, 7, 0].tolist() == [200, 100, 0]
    assert frame[:, 7, 7].tolist() == pytest.approx([244, 224, 204], abs=1)


def test_a_transparent_color_of_a_palette_lies_on_white(tmp_path):
    picture = Image.new("P", (8, 8), 1)
    picture.putpalette([0, 0, 0, 30, 60, 90])
    picture.paste(0, (0, 0, 8, 4))
    picture.save(tmp_path / "a.png", transparency=0)
    frame = read_image(tmp_path / "a.png", 3, (8, 8))
    assert (frame[:, :4] == 255).all()
    assert frame[:, 7, 7].tolist() == [30, 60, 90]


def test_the_camera_may_have_lain_on_its_side(tmp_path):
    tag = Image.Exif()
    tag[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    path = saved(tmp_path / "a.png", quarters(0, 60, 120, 180), exif=tag)
    frame = read_image(path, 3, (8, 8))[0]
    corners = [frame[0, 0], frame[0, 7], frame[7, 0], frame[7, 7]]
    assert [int(corner) for corner in corners] == [120, 0, 180, 60]


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n" + b"0" * 60, b"GIF89a"])
def test_what_is_no_image_is_said(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.png cannot be read: "):
        read_image(path, 3, (8, 8))


def test_clips_are_named_after_their_images_unless_two_would_have_one_name(tmp_path):
    for name in ("b.png", "a.png", "b.jpg", "grid.gif", ".hidden"):
        (tmp_path / name).touch()
    files = image_files(tmp_path)
    assert [path.name for path in files] == ["a.png", "b.jpg", "b.png", "grid.gif"]
    assert list(files.values()) == ["a", "b.jpg", "b.png", "grid.gif"]
    assert image_files(tmp_path / "b.png") == {tmp_path / "b.png": "b"}


def test_the_peak_signal_to_noise_ratio_is_of_eight_bits():
    black, grey = torch.zeros(3, 4, 4, dtype=torch.uint8), torch.full((3, 4, 4), 51).byte()
    assert peak_signal_to_noise(black, grey) == pytest.approx(20 * math.log10(5))
    assert peak_signal_to_noise(grey, black) == peak_signal_to_noise(black, grey)
    assert peak_signal_to_noise(grey, grey) == math.inf
