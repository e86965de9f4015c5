from __future__ import annotations

import numpy as np
import pytest
import trimesh
from PIL import Image


def cells(path):
    return np.load(path)["voxels"]


def test_a_way_passes_every_seed_and_says_how_smooth_it_is(tmp_path, boxes, voxel, film):
    boxes()
    result = voxel(
        "interpolate", "r", "--out", tmp_path, "--seeds", "0,4,2", "--frames", 3, "--format", "npz",
        "--fps", 5,
    )  # fmt: skip
    assert result.code == 0, result.error
    widths = [int(cells(tmp_path / f"frame-{n}.npz").any(axis=(1, 2)).sum()) for n in range(5)]
    assert widths == [2, 4, 6, 5, 4]
    frames, rate = film(tmp_path / "interpolation.mp4")
    assert frames.shape == (5, 64, 64, 3) and rate == 5
    assert Image.open(tmp_path / "interpolation.png").size == (5 * 34 + 2, 36)
    # 2/4, 4/6, 5/6 and 4/5 of the cells are common.
    assert result.lines[-1] == "overlap of neighbours (IoU): mean 0.700, least 0.500"


def test_empty_shapes_on_the_way_cost_a_line_each_and_not_the_others(tmp_path, boxes, voxel, film):
    game = boxes()
    decode = game.decode
    # Only at the second seed is anything there at one half.
    game.decode = lambda z, *rest: decode(z, *rest) * (1 - 0.7 * (z[:, 0, *[None] * 4] < 3))
    arguments = ["--seeds", "0,4", "--frames", 3, "--largest"]
    result = voxel("interpolate", "r", "--out", tmp_path, *arguments)
    assert result.code == 0, result.error
    assert [line.split(": ")[1] for line in result.lines if line.startswith("left out")] == [
        "frame-0.glb", "frame-1.glb",
    ]  # fmt: skip
    assert [path.name for path in tmp_path.glob("*.glb")] == ["frame-2.glb"]
    frames, _ = film(tmp_path / "interpolation.mp4")
    assert (frames[:2] > 250).all() and frames[2].min() < 230
    assert result.lines[-1] == "overlap of neighbours (IoU): mean 0.500, least 0.000"
    result = voxel("interpolate", "r", "--out", tmp_path / "none", "--seeds", "0,1", "--largest")
    assert result.code == 2
    assert "every shape is empty at --threshold 0.5, the highest occupancy is 0.27" in result.error


def test_classes_have_nothing_between_them(tmp_path, boxes, voxel):
    boxes(num_classes=3)
    result = voxel("interpolate", "r", "--out", tmp_path, "--seeds", "0,1")
    assert result.code == 2 and "give one for all with --label" in result.error
    arguments = ["--seeds", "0,2", "--frames", 2, "--label", 1, "--format", "npz"]
    assert voxel("interpolate", "r", "--out", tmp_path, *arguments).code == 0
    assert cells(tmp_path / "frame-0.npz").any(axis=(0, 1)).sum() == 7


def test_arithmetic_averages_subtracts_and_adds(tmp_path, boxes, voxel):
    boxes()
    result = voxel(
        "arithmetic", "r", "--out", tmp_path, "--a", "5,7", "--b", "1,3", "--c", "2",
        "--format", "npz",
    )  # fmt: skip
    assert result.code == 0, result.error
    names = ["a", "b", "c", "result"]
    widths = [int(cells(tmp_path / f"{name}.npz").any(axis=(1, 2)).sum()) for name in names]
    assert widths == [2 + 6, 2 + 2, 2 + 2, 2 + 6 - 2 + 2]
    assert Image.open(tmp_path / "arithmetic.png").size == (4 * 34 + 2, 36)


def test_equal_groups_change_nothing_and_scale_says_how_much(tmp_path, boxes, voxel):
    boxes()
    for a, scale, width in (("1", 1, 3), ("2", 3, 6), ("2", -1, 2)):
        out = tmp_path / f"{a}{scale}"
        arguments = ["--a", a, "--b", 1, "--c", 1, f"--scale={scale}", "--format", "npz"]
        assert voxel("arithmetic", "r", "--out", out, *arguments).code == 0
        assert cells(out / "result.npz").any(axis=(1, 2)).sum() == width


def test_numbers_that_leave_a_uniform_latent_are_counted_and_clamped(tmp_path, boxes, voxel):
    boxes().prior = "uniform"
    arguments = ["--a", 1, "--b", 0, "--c", 1, "--format", "npz"]
    result = voxel("arithmetic", "r", "--out", tmp_path, *arguments)
    # (1, 4, 6) - (0, 4, 6) + (1, 4, 6) is (2, 4, 6).
    assert result.lines[0].startswith("3 of 3 numbers of the latent are outside 0 ... 1")
    voxel("arithmetic", "r", "--out", tmp_path, *arguments, "--clamp")
    assert cells(tmp_path / "result.npz").sum() == 3 * 1 * 1


def test_dimensions_are_ranked_by_what_they_change_and_that_is_red(tmp_path, boxes, voxel):
    boxes()
    result = voxel("dimensions", "r", "--out", tmp_path, "--seed", 1, "--format", "ply")
    assert result.code == 0, result.error
    # -2 ... 2 along x: 0 to 4 cells of 4 x 6; along y up to 2 of 3 x 6; along z up to 2 of 3 x 4.
    changed = [line for line in result.lines if "influence" in line]
    assert [line.split(": ", 1)[1] for line in changed] == [
        "influence 86.4, 96 cells change",
        "influence 32.4, 36 cells change",
        "influence 21.6, 24 cells change",
    ]
    order = [line.split(":")[0].rsplit("-", 1)[1] for line in changed]
    assert order == ["000.ply", "001.ply", "002.ply"]
    colors = trimesh.load(tmp_path / "dimension-000.ply").visual.vertex_colors
    assert (colors[:, 0] > 3 * colors[:, 1].astype(int)).all(), "all of the box can vanish"
    assert Image.open(tmp_path / "dimensions.png").size == (6 * 34 + 2, 3 * 34 + 2)


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["interpolate", "--seeds", "3"], "a way needs two seeds"),
        (["dimensions", "--only", "3"], "--only 3: the dimensions are 0 to 2"),
        (["dimensions", "--format", "stl"], "--format stl has no colors"),
        (["arithmetic", "--a", "x", "--b", "1", "--c", "1"], "'x' is not a list of seeds"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, boxes, voxel, arguments, complaint):
    boxes()
    command, *rest = arguments
    result = voxel(command, "r", "--out", tmp_path, *rest)
    assert result.code == 2 and complaint in result.error
