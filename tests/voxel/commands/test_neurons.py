from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def rods(box_tree):
    return box_tree(
        flat__train__a=(3, 4, 2), flat__train__b=(8, 4, 2), tall__train__c=(4, 4, 7),
        tall__train__d=(2, 4, 4),
    )  # fmt: skip


def test_each_neuron_has_the_shapes_that_it_answers_to_most(tmp_path, boxes, rods, voxel):
    boxes()
    arguments = ["--data.root", rods, "--neurons", "0,1", "--top", 2]
    result = voxel("neurons", "r", "--out", tmp_path, *arguments)
    assert result.code == 0, result.error
    # The longest rows of cells along x, then along z.
    assert json.loads((tmp_path / "neurons.json").read_text()) == [
        {"neuron": 0, "shapes": ["flat/train/b.npy", "tall/train/c.npy"], "answers": [8, 4]},
        {"neuron": 1, "shapes": ["tall/train/c.npy", "tall/train/d.npy"], "answers": [7, 4]},
    ]
    assert result.lines[0] == "neuron 0: flat/train/b.npy, tall/train/c.npy"
    picture = np.asarray(Image.open(tmp_path / "neurons.png")).astype(int)
    assert picture.shape == (2 * 34 + 2, 2 * 34 + 2, 3)
    red = picture[..., 0] > 2 * picture[..., 1]
    assert red.any(), "what speaks for the answer"
    assert (picture[~red].min(axis=-1) < 230).any(), "the rest of the shape is not red"


def test_those_with_the_widest_range_of_answers_are_the_default(tmp_path, boxes, rods, voxel):
    boxes()
    arguments = ["--data.root", rods, "--data.classes", "[tall]", "--top", 3]
    result = voxel("neurons", "r", "--out", tmp_path, *arguments)
    assert result.code == 0, result.error
    found = json.loads((tmp_path / "neurons.json").read_text())
    # Of the tall ones, 7 and 4 along z differ more than 4 and 2 along x.
    assert [each["neuron"] for each in found] == [1, 0]
    assert Image.open(tmp_path / "neurons.png").size == (3 * 34 + 2, 2 * 34 + 2)


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--neurons", "0,2"], "--neurons 2: the neurons are 0 to 1"),
        (["--top", 0], "--top 0 is outside 1"),
        (["--data.classes", "[round]"], "round"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path, boxes, rods, voxel, arguments, complaint
):
    boxes()
    result = voxel("neurons", "r", "--out", tmp_path, "--data.root", rods, *arguments)
    assert result.code == 2 and complaint in result.error
    assert result.error.count("\n") == 1


def test_a_model_without_a_discriminator_of_volumes_is_refused(
    tmp_path, boxes, rods, voxel, monkeypatch
):
    monkeypatch.delattr(type(boxes()), "feature_network")
    result = voxel("neurons", "r", "--out", tmp_path, "--data.root", rods)
    assert result.code == 2 and "a BoxGame cannot describe shapes" in result.error
