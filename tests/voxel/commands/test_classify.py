from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def halves(box_tree):
    """Low and high boxes: their heights tell them apart, their widths do not."""
    random = np.random.default_rng(0)
    sides = {}
    for split, count in (("train", 6), ("test", 4)):
        for number in range(count):
            for kind, height in (("low", 3), ("high", 9)):
                x, y = (int(side) for side in random.integers(3, 8, 2))
                sides[f"{kind}__{split}__{number}"] = (x, y, height + number % 2)
    return box_tree(**sides)


def results_in(folder):
    about = json.loads((folder / "accuracy.json").read_text())
    rows = about.pop("results")
    return about, {(row["features"], row["shapes_per_class"]): row for row in rows}


def test_features_that_tell_the_classes_apart_are_all_right(tmp_path, boxes, halves, voxel):
    boxes()
    out = tmp_path / "out"
    arguments = ["--data.root", halves, "--counts", "2,all", "--seeds", 3, "--C", 100]
    result = voxel("classify", "r", "--out", out, *arguments)
    assert result.code == 0, result.error
    about, rows = results_in(out)
    assert about == {"C": 100.0, "classes": ["high", "low"], "num_train": 12, "num_test": 8}
    assert set(rows) == {
        (kind, count) for kind in ("gan", "random", "voxels") for count in (2, None)
    }
    assert rows["gan", None]["per_class"] == [1.0] and rows["gan", None]["overall"] == [1.0]
    assert len(rows["gan", 2]["per_class"]) == 3, "a draw a seed"
    assert len(rows["random", None]["per_class"]) == 3, "new weights a seed"
    assert len(rows["voxels", None]["per_class"]) == 1, "all shapes are one draw"
    assert rows["voxels", None]["per_class"] == [1.0]
    table = "\n".join(result.lines)
    assert "100.0 % (100.0)" in table and "8 test shapes, linear SVM, C = 100" in table
    assert Image.open(out / "accuracy.png").size[0] > 100


def test_features_that_say_nothing_are_right_half_of_the_time(
    tmp_path, boxes, halves, voxel, monkeypatch
):
    import torch

    game = boxes()
    monkeypatch.setattr(
        type(game), "features", lambda self, volumes, labels=None: torch.ones(len(volumes), 3)
    )
    arguments = ["--data.root", halves, "--features", "gan", "--counts", "all"]
    result = voxel("classify", "r", "--out", tmp_path / "out", *arguments)
    assert result.code == 0, result.error
    about, rows = results_in(tmp_path / "out")
    assert about["C"] == 0.01, "the paper's, of few classes"
    assert rows["gan", None]["per_class"] == [0.5]


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--features", "gan,looks"], "'looks' is none of gan, random, voxels"),
        (["--counts", "0"], "--counts 0: give numbers from 1 on, or all"),
        (["--counts", "1,x"], "--counts 1,x: give numbers from 1 on, or all"),
        (["--seeds", "0"], "--seeds 0 is outside 1"),
        (["--C", "0"], "--C 0.0 is outside"),
        (["--data.classes", "[low]"], "the shapes are of one class or none"),
        (["--data.split", "train"], "data.split"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path, boxes, halves, voxel, arguments, complaint
):
    boxes()
    result = voxel("classify", "r", "--out", tmp_path, "--data.root", halves, *arguments)
    assert result.code == 2 and complaint in result.error
    assert result.error.count("\n") == 1


def test_a_discriminator_that_is_told_the_class_is_refused(tmp_path, boxes, halves, voxel):
    boxes(num_classes=2, classes=["low", "high"])
    result = voxel("classify", "r", "--out", tmp_path, "--data.root", halves)
    assert result.code == 2 and "its features give it away" in result.error
    arguments = ["--features", "voxels", "--counts", "all"]
    result = voxel("classify", "r", "--out", tmp_path, "--data.root", halves, *arguments)
    assert result.code == 0, result.error
