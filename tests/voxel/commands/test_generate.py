from __future__ import annotations

import numpy as np
import pytest
import trimesh
from PIL import Image

from voxel.meshes import is_closed


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def opened(path):
    loaded = trimesh.load(path)
    return loaded.to_geometry() if isinstance(loaded, trimesh.Scene) else loaded


@pytest.mark.parametrize("kind", ["glb", "obj", "stl", "ply"])
def test_each_seed_is_a_closed_mesh_of_its_own_size(tmp_path, boxes, voxel, kind):
    game = boxes()
    result = voxel(
        "generate", "r", "--out", tmp_path / "new", "--seeds", "1,4", "--format", kind,
        "--height", 3, "--batch_size", 1,
    )  # fmt: skip
    assert result.code == 0, result.error
    assert game.batches == [1, 1]
    files = [f"seed-00000{seed}.{kind}" for seed in (1, 4)]
    assert names(tmp_path / "new") == [*files, "sheet.png", "turntable.mp4"]
    for seed, file in zip((1, 4), files, strict=True):
        mesh = opened(tmp_path / "new" / file)
        assert is_closed(mesh)
        # 0.9 beside 0: the surface lies 0.9 - 0.5 / 0.9 = 4/9 of a cell beyond the last middle.
        sides = (np.array([2 + seed, 4, 6]) - 1 / 9) * 3 / (6 - 1 / 9)
        if kind == "glb":
            sides = sides[[0, 2, 1]]
        assert mesh.extents == pytest.approx(sides, rel=1e-3)
    assert result.lines[0].startswith(f"{tmp_path / 'new' / files[0]}: ")
    assert result.lines[0].split(", ")[1] == "1.47 x 1.98 x 3 m"


def test_eight_glb_files_are_the_default_and_the_pictures_show_them(tmp_path, boxes, voxel, film):
    boxes()
    result = voxel("generate", "r", "--out", tmp_path)
    assert result.code == 0, result.error
    assert names(tmp_path)[:8] == [f"seed-{seed:06d}.glb" for seed in range(8)]
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (8 * 34 + 2, 3 * 34 + 2, 3)
    assert (sheet[:2] == 255).all() and (sheet[18, :34] < 250).any(), "a box on white"
    frames, rate = film(tmp_path / "turntable.mp4")
    assert frames.shape == (4, 3 * 34 + 2, 3 * 34 + 2, 3) and rate == 12
    assert np.abs(frames[0] - frames[1]).max() > 50, "they turn"
    assert (frames[0][-30:, -30:] > 250).all(), "the ninth place is empty"


@pytest.mark.parametrize("kind", ["binvox", "npz"])
def test_cells_are_written_as_they_are(tmp_path, boxes, voxel, kind):
    boxes()
    result = voxel("generate", "r", "--out", tmp_path, "--seeds", 3, "--format", kind)
    assert result.code == 0, result.error
    path = tmp_path / f"seed-000003.{kind}"
    cells = trimesh.load(path).matrix if kind == "binvox" else np.load(path)["voxels"]
    expected = np.zeros((16,) * 3, dtype=bool)
    expected[2:7, 2:6, 2:8] = True
    assert np.array_equal(cells, expected)


def test_class_truncation_and_faces_reach_the_shapes(tmp_path, boxes, voxel):
    boxes(num_classes=3, classes=["low", "mid", "high"])
    arguments = ["--label", "high", "--truncation", 0.5, "--faces", 40, "--format", "stl"]
    result = voxel("generate", "r", "--out", tmp_path, "--seeds", 4, *arguments)
    assert result.code == 0, result.error
    mesh = opened(tmp_path / "seed-000004.stl")
    # Half of seed 4 is 2: 4 cells along x; the class adds 2 along z.
    assert mesh.extents[0] / mesh.extents[2] == pytest.approx((4 - 1 / 9) / (8 - 1 / 9), rel=0.02)
    assert len(mesh.faces) <= 40 and is_closed(mesh)


def test_empty_shapes_cost_a_line_each_and_only_empty_ones_are_a_mistake(tmp_path, boxes, voxel):
    game = boxes()
    sample = game.sample
    game.sample = lambda seeds, *rest, **more: sample(seeds, *rest, **more) * torch_mask(seeds)
    result = voxel("generate", "r", "--out", tmp_path, "--seeds", "0-2")
    assert result.code == 0, result.error
    assert result.lines[1].startswith("left out: seed-000001.glb: the shape is empty")
    assert names(tmp_path)[:2] == ["seed-000000.glb", "seed-000002.glb"]
    result = voxel("generate", "r", "--out", tmp_path / "more", "--seeds", "1,3")
    assert result.code == 2
    assert "every shape is empty at --threshold 0.5, the highest occupancy is 0;" in result.error


def torch_mask(seeds):
    import torch

    return torch.tensor([1.0 - seed % 2 for seed in seeds])[:, None, None, None, None]


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--threshold", "1"], "--threshold 1.0 is outside 0.001 ... 0.999"),
        (["--faces", "3"], "--faces 3 is outside 4"),
        (["--height", "0"], "--height 0.0 is outside"),
        (["--label", "x"], "--label x: this model was trained without classes"),
        (["--format", "fbx"], "fbx"),
        (["--hight", "1"], "did you mean --height?"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, boxes, voxel, arguments, complaint):
    boxes()
    result = voxel("generate", "r", "--out", tmp_path, *arguments)
    assert result.code == 2 and complaint in result.error
    assert result.error.count("\n") == 1 and names(tmp_path) == []


def test_several_processes_write_the_same_files_and_say_the_same(tmp_path, boxes, voxel):
    boxes()
    lines = {}
    for number in (0, 2):
        out = tmp_path / str(number)
        result = voxel("generate", "r", "--out", out, "--seeds", "0-4", "--num_workers", number)
        assert result.code == 0, result.error
        lines[number] = [line.replace(str(out), "") for line in result.lines]
    assert lines[0] == lines[2] and len(lines[0]) == 7
    assert names(tmp_path / "0") == names(tmp_path / "2")
    for path in (tmp_path / "0").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes(), path.name
