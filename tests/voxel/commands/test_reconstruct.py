from __future__ import annotations

import numpy as np
import pytest
import trimesh
from PIL import Image

from voxel.object_pictures import centred_object


def picture(path, level, size=(32, 32)):
    Image.new("RGB", size, (level,) * 3).save(path)
    return path


def test_one_image_becomes_the_file_that_is_asked_for_with_pictures_beside_it(
    tmp_path, boxes, voxel
):
    boxes()
    out = tmp_path / "made" / "chair.stl"
    image = picture(tmp_path / "a.png", 128)
    result = voxel("reconstruct", "r", image, "--out", out, "--height", 6)
    assert result.code == 0, result.error
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "chair.mp4", "chair.png", "chair.stl",
    ]  # fmt: skip
    # Half bright is 2 + 2 cells along x, beside 6 along z.
    extents = trimesh.load(out).extents
    assert extents[0] / extents[2] == pytest.approx((4 - 1 / 9) / (6 - 1 / 9), rel=1e-3)
    sheet = np.asarray(Image.open(out.parent / "chair.png"))
    assert sheet.shape == (36, 4 * 34 + 2, 3)
    assert (sheet[2:34, 2:34] == 128).all(), "the row begins with the image"


def test_a_folder_becomes_a_folder_and_a_broken_image_a_line(tmp_path, boxes, voxel):
    boxes()
    photos = tmp_path / "photos"
    photos.mkdir()
    picture(photos / "black.png", 0)
    picture(photos / "white.png", 255, (40, 32))
    (photos / "broken.png").write_text("no image")
    out = tmp_path / "out"
    result = voxel("reconstruct", "r", photos, "--out", out, "--format", "npz")
    assert result.code == 0, result.error
    assert sum(line.startswith("left out: ") for line in result.lines) == 1
    widths = {
        path.stem: int(np.load(path)["voxels"].any(axis=(1, 2)).sum())
        for path in sorted(out.glob("*.npz"))
    }
    assert widths == {"black": 2, "white": 6}
    assert {"sheet.png", "turntable.mp4"} <= {path.name for path in out.iterdir()}


@pytest.mark.parametrize("transparent", [True, False])
def test_the_object_is_found_and_centred(tmp_path, transparent):
    picture = np.full((60, 100, 4), 255, dtype=np.uint8)
    if transparent:
        picture[..., 3] = 0
    picture[10:36, 70:83] = (200, 0, 0, 255)
    Image.fromarray(picture).save(tmp_path / "object.png")
    made = centred_object(tmp_path / "object.png", 40).numpy()
    red = made[1] < 128
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    # 26 x 13 pixels in a square of 40: the longer side fills 65 %.
    assert (rows[0], rows[-1] + 1) == (7, 33) and (columns[0], columns[-1] + 1) == (13, 26)
    assert (made[:, ~red] == 255).all()


def test_a_background_that_is_not_plain_is_refused(tmp_path, boxes, voxel):
    boxes()
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    result = voxel("reconstruct", "r", tmp_path / "noise.png", "--out", tmp_path, "--crop")
    assert result.code == 2 and "neither transparency nor a plain background" in result.error
