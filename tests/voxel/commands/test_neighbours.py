from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def shelf(box_tree):
    return box_tree(
        low__train__a=(2, 4, 6), low__train__b=(5, 4, 6), high__train__c=(4, 4, 9),
        high__test__d=(6, 8, 6),
    )  # fmt: skip


def test_the_nearest_shapes_by_features_come_first_with_their_distances(
    tmp_path, boxes, shelf, voxel
):
    boxes()
    out = tmp_path / "near"
    arguments = ["--data.root", shelf, "--seeds", "0,2", "--nearest", 3]
    result = voxel("neighbours", "r", "--out", out, *arguments)
    assert result.code == 0, result.error
    found = json.loads((out / "neighbours.json").read_text())
    assert found["by"] == "features"
    # Seeds 0 and 2 are boxes of 2 x 4 x 6 and 4 x 4 x 6; the features are the sides.
    first, second = found["shapes"]
    assert [shape["seed"] for shape in (first, second)] == [0, 2]
    assert first["neighbours"] == ["low/train/a.npy", "low/train/b.npy", "high/train/c.npy"]
    assert first["distances"] == pytest.approx([0, 3, np.sqrt(4 + 9)])
    assert second["neighbours"] == ["low/train/b.npy", "low/train/a.npy", "high/train/c.npy"]
    assert second["distances"] == pytest.approx([1, 2, 3])
    assert result.lines[0] == (
        "seed 0: low/train/a.npy (0), low/train/b.npy (3), high/train/c.npy (3.606)"
    )
    picture = np.asarray(Image.open(out / "neighbours.png"))
    assert picture.shape == (2 * 34 + 2, 4 * 34 + 2, 3)
    cells = picture.astype(int)
    own, nearest, next_one = (cells[2:34, 34 * at + 2 : 34 * at + 34] for at in range(3))
    # A probability of 0.9 is a ninth of a cell thinner than the cells of the copy.
    assert np.abs(own - nearest).mean() < 0.3 * np.abs(own - next_one).mean()


def test_by_cells_the_distance_is_the_root_of_the_cells_that_differ(tmp_path, boxes, shelf, voxel):
    boxes()
    arguments = ["--data.root", shelf, "--data.classes", "[low]", "--by", "cells", "--seeds", 2]
    result = voxel("neighbours", "r", "--out", tmp_path, *arguments)
    assert result.code == 0, result.error
    (shape,) = json.loads((tmp_path / "neighbours.json").read_text())["shapes"]
    assert shape["neighbours"] == ["low/train/b.npy", "low/train/a.npy"]
    assert shape["distances"] == pytest.approx([np.sqrt(4 * 6), np.sqrt(2 * 4 * 6)], rel=1e-6)


def test_a_class_makes_the_generated_shapes_and_a_split_the_others(tmp_path, boxes, shelf, voxel):
    boxes(num_classes=3, classes=["low", "mid", "high"])
    arguments = ["--data.root", shelf, "--data.split", "train", "--seeds", 2, "--label", "high"]
    result = voxel("neighbours", "r", "--out", tmp_path, *arguments)
    assert result.code == 0, result.error
    (shape,) = json.loads((tmp_path / "neighbours.json").read_text())["shapes"]
    # 4 x 4 x 8, and no test shape.
    assert shape["neighbours"] == ["high/train/c.npy", "low/train/b.npy", "low/train/a.npy"]
    assert shape["distances"] == pytest.approx([1, np.sqrt(5), np.sqrt(8)])


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--nearest", 0], "--nearest 0 is outside 1"),
        (["--seeds", "x"], "'x' is not a list of seeds"),
        (["--by", "looks"], "looks"),
        (["--label", "low"], "--label low: this model was trained without classes"),
        (["--data.root", "nowhere"], "nowhere"),
        (["--data.size", 8], "data.size"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path, boxes, shelf, voxel, arguments, complaint
):
    boxes()
    result = voxel("neighbours", "r", "--out", tmp_path, "--data.root", shelf, *arguments)
    assert result.code == 2 and complaint in result.error
    assert result.error.count("\n") == 1
