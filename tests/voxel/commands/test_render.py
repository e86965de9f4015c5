from __future__ import annotations

import json

import numpy as np
import pytest
import trimesh
from PIL import Image


@pytest.fixture
def tree(tmp_path):
    """Two boxes, one high along y, and two files that are no meshes."""
    for name, extents in (("low/a.off", [2, 1, 2]), ("high/b.stl", [1, 4, 1])):
        path = tmp_path / "meshes" / name
        path.parent.mkdir(parents=True)
        trimesh.creation.box(extents=extents).export(path)
    (tmp_path / "meshes" / "low" / "empty.off").write_bytes(b"")
    (tmp_path / "meshes" / "low" / "text.obj").write_text("no mesh\n")
    return tmp_path / "meshes"


SMALL = ["--angles", 4, "--elevations", "0,30", "--size", 32, "--up", "y"]


def test_each_mesh_becomes_a_film_and_each_broken_one_a_line(tree, tmp_path, voxel, film):
    out = tmp_path / "films"
    result = voxel("render", tree, out, *SMALL)
    assert result.code == 0, result.error
    assert sum(line.startswith("left out: low/") for line in result.lines) == 2
    assert result.lines[-1].endswith("2 films of 8 views of 32 x 32, 0 of them made before; "
                                     "2 meshes left out")  # fmt: skip
    frames, _ = film(out / "high" / "b.mp4")
    assert frames.shape == (8, 32, 32, 3)
    dark = frames[0].min(axis=-1) < 230
    assert np.ptp(np.nonzero(dark)[0]) > 3 * np.ptp(np.nonzero(dark)[1]), "y is up"
    about = json.loads((out / "views.json").read_text())
    assert about["frames"] == [[90 * n, e] for e in (0, 30) for n in range(4)]


def test_finished_films_are_left_and_other_settings_refused(tree, tmp_path, voxel):
    out = tmp_path / "films"
    voxel("render", tree, out, *SMALL)
    (out / "low" / "a.mp4").write_text("kept")
    (out / "high" / "b.mp4").unlink()
    result = voxel("render", tree, out, *SMALL)
    assert "2 films of 8 views of 32 x 32, 1 of them made before" in result.lines[-1]
    assert (out / "low" / "a.mp4").read_text() == "kept"
    assert (out / "high" / "b.mp4").is_file()
    result = voxel("render", tree, out, *SMALL, "--seed", 1)
    assert result.code == 2 and "made with other settings of seed" in result.error


def test_backgrounds_are_drawn_by_the_seed_for_each_view(tree, tmp_path, voxel, film):
    def corners(out, *arguments):
        assert voxel("render", tree, tmp_path / out, *SMALL, *arguments).code == 0
        return film(tmp_path / out / "low" / "a.mp4")[0][:, 1, 1]

    first, again = (corners(out, "--background", "color") for out in ("1", "2"))
    other = corners("3", "--background", "color", "--seed", 5)
    assert np.array_equal(first, again) and np.abs(first - other).max() > 30
    assert len(np.unique(first // 16, axis=0)) > 4, "another color in each view"


@pytest.mark.parametrize(("background", "num_colors"), [("color", 8), ("plain", 1)])
def test_an_object_is_not_known_by_its_color(tree, tmp_path, voxel, film, background, num_colors):
    arguments = ["--background", background]
    assert voxel("render", tree, tmp_path / "out", *SMALL, *arguments).code == 0
    middle = film(tmp_path / "out" / "low" / "a.mp4")[0][:, 16, 16].astype(float)
    hues = middle / middle.max(axis=1, keepdims=True)  # faces are lit differently
    far = np.abs(hues[:, None] - hues).max(axis=2) > 0.06
    apart = sum(not (~far[index, :index]).any() for index in range(len(hues)))
    assert apart >= num_colors - 1 if background == "color" else apart == 1


def test_photographs_stand_behind_the_objects_and_broken_ones_are_passed_over(
    tree, tmp_path, voxel, film
):
    photos = tmp_path / "photos" / "room"
    photos.mkdir(parents=True)
    Image.new("RGB", (50, 40), (0, 200, 0)).save(photos / "a.png")
    (photos / "b.jpg").write_text("no image")
    arguments = ["--background", "photo", "--photos", tmp_path / "photos"]
    assert voxel("render", tree, tmp_path / "films", *SMALL, *arguments).code == 0
    frames, _ = film(tmp_path / "films" / "low" / "a.mp4")
    assert np.abs(frames[:, 1, 1] - [0, 200, 0]).max() < 12
    result = voxel("render", tree, tmp_path / "x", "--background", "photo")
    assert result.code == 2 and "--photos None is no folder" in result.error
