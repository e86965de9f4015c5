from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from data.__main__ import main
from data.batches import Batches
from data.shape_views import ShapeViews
from data.shapes import Shapes
from data.solids import CLASSES, Solids, occupied, random_solid, write_solids
from data.sources import DataError
from tests.data import films


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes") / "meshes"
    write_solids(folder, 5)
    broken = folder / "box" / "train" / "broken.off"
    broken.write_text("OFF\n3 1 0\n0 0 0\nnan 1 0\n1 0 0\n3 0 1 2\n")
    return folder


def volumes(source) -> np.ndarray:
    return np.stack(
        [source.draw(item, np.random.default_rng(0)).clip for item in range(len(source))]
    )


def test_meshes_of_solids_become_the_solids_volumes(meshes):
    source = Shapes(meshes, size=16, split="train", classes=["table", "chair"])
    assert len(source) == 8
    for item, record in enumerate(source.records):
        name = CLASSES[2] if "chair" in record.file.path else CLASSES[3]
        number = int(record.file.path[-8:-4])
        label = CLASSES.index(name)
        solid = random_solid(label, np.random.default_rng([0, label, number]))
        sample = source.draw(item, np.random.default_rng(0))
        assert source.classes[sample.label] == name
        assert set(np.unique(sample.clip)) == {0, 255}
        different = (sample.clip[0] > 0) != occupied(solid, 16)
        assert different.mean() < 0.001


def test_a_broken_file_costs_one_line(meshes):
    source = Shapes(meshes, size=8)
    assert len(source) == 20
    lines = [line for line in source.report() if "broken" in line]
    assert lines == ["left out, box/train/broken.off: vertex 1 is not finite: [nan, 1.0, 0.0]"]


def test_a_store_gives_what_the_folder_gives(meshes, tmp_path, capsys):
    store = tmp_path / "store"
    command = ["prepare", str(meshes), str(store), "--size", "16", "--num_workers", "0"]
    assert main(command) == 0
    assert "20 volumes of 16 cells a side" in capsys.readouterr().out
    assert (store / "volumes.bits").stat().st_size == 20 * 16**3 // 8
    for options in ({}, {"split": "test"}, {"classes": ["table", "ball"], "per_class": 2}):
        direct, stored = Shapes(meshes, size=16, **options), Shapes(store, size=16, **options)
        np.testing.assert_array_equal(volumes(direct), volumes(stored))
        assert direct.labels == stored.labels
        assert direct.fingerprint() == stored.fingerprint()
    assert main(command) == 0
    assert "up to date" in capsys.readouterr().out
    with pytest.raises(DataError, match="prepared with size 16, not 32"):
        Shapes(store, size=32)
    assert main(["check", str(store)]) == 0
    with open(store / "volumes.bits", "rb+") as file:
        file.write(b"\x55\x55")
    assert main(["check", str(store)]) == 1
    assert "damaged" in capsys.readouterr().out


def test_a_training_keeps_its_volumes_until_a_file_changes(meshes, tmp_path):
    root = tmp_path / "meshes"
    shutil.copytree(meshes, root)
    cache = tmp_path / "run" / "scan.json"
    first = Shapes(root, size=8, scan_cache=cache)
    written = (tmp_path / "run/shapes/volumes.bits").stat().st_mtime_ns
    again = Shapes(root, size=8, scan_cache=cache)
    assert (tmp_path / "run/shapes/volumes.bits").stat().st_mtime_ns == written
    assert again.fingerprint() == first.fingerprint() == Shapes(root, size=8).fingerprint()
    next((root / "ball" / "train").iterdir()).unlink()
    assert len(Shapes(root, size=8, scan_cache=cache)) == 19


def test_check_and_statistics_recognise_shapes(meshes, capsys):
    assert main(["check", str(meshes), "--num_workers", "0"]) == 0
    assert "left out, box/train/broken.off: vertex 1" in capsys.readouterr().out
    assert main(["statistics", str(meshes), "--num_workers", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "shapes: 20 of 20 objects, and 1 left out" in lines
    assert "splits: train (16), test (4)" in lines
    assert "class 3 table: 5" in lines


def test_a_stack_gives_its_volumes_and_leaves_out_empty_ones(tmp_path):
    stack = np.zeros((3, 1, 8, 8, 8))
    stack[1, 0, 2, 3, 4] = stack[2, 0, 5, 6, 7] = 1
    np.save(tmp_path / "stack.npy", stack)
    source = Shapes(tmp_path / "stack.npy", size=8)
    assert [np.argwhere(v[0])[0].tolist() for v in volumes(source)] == [[2, 3, 4], [5, 6, 7]]
    assert "left out, stack.npy: volume 0 is empty" in source.report()
    assert source.classes == [] and source.labels == [-1, -1]


def test_augmentation_is_drawn_by_the_generator_alone(meshes):
    source = Shapes(meshes, size=8, rotations=4, flip=True, max_shift=1)
    drawn = [source.draw(7, np.random.default_rng(seed)).clip for seed in range(20)]
    again = [source.draw(7, np.random.default_rng(seed)).clip for seed in range(20)]
    np.testing.assert_array_equal(drawn, again)
    assert len({clip.tobytes() for clip in drawn}) > 5
    assert source.fingerprint() != Shapes(meshes, size=8).fingerprint()


def test_solids_are_the_same_in_any_order_and_have_all_classes():
    source = Solids(size=16, num_shapes=40)
    backwards = [source.draw(item, np.random.default_rng(1)) for item in reversed(range(40))]
    for item, sample in zip(reversed(range(40)), backwards, strict=True):
        np.testing.assert_array_equal(source.draw(item, np.random.default_rng()).clip, sample.clip)
    assert {sample.label for sample in backwards} == {0, 1, 2, 3}
    ball = occupied(random_solid(0, np.random.default_rng(0)), 64)
    assert ball.sum() == pytest.approx(4 / 3 * np.pi * 28**3, rel=0.01)


def test_pairs_hold_the_volume_and_one_of_its_views(meshes, tmp_path):
    root = tmp_path / "pairs"
    for path in sorted((meshes / "chair" / "train").iterdir())[:2]:
        target = root / "chair" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.copy(root / "chair/chair_0001.off", root / "chair/chair_0009.off")  # has no views
    levels = (20, 120, 220)
    turn = [np.full((48, 48, 3), level, np.uint8) for level in levels]
    films.write_film(root / "chair/chair_0001.mp4", turn * 4, films.H264)
    pictures = root / "chair" / "chair_0002"
    pictures.mkdir()
    for number, frame in enumerate(turn):
        picture = av.VideoFrame.from_ndarray(frame + 10, format="rgb24").to_image()
        picture.save(pictures / f"{number}.png")
    source = ShapeViews(root, size=8, view_size=32, frames=[0, 2])
    assert len(source) == 2
    assert "left out, 1 shapes without views" in source.report()
    assert source.num_views(0) == 12 and source.num_views(1) == 3
    for item, added in ((0, 0), (1, 10)):
        seen = set()
        for seed in range(12):
            sample = source.draw(item, np.random.default_rng(seed))
            assert sample.view is not None and sample.view.shape == (3, 32, 32)
            np.testing.assert_array_equal(
                sample.clip, source.shapes.draw(item, np.random.default_rng()).clip
            )
            seen.add(round((float(sample.view.mean()) - added) / 10) * 10)
        assert seen == {20, 220}
    with Batches(source, 4, seed=0) as batches:
        clips, labels, views = next(batches)
    assert clips.shape == (4, 1, 8, 8, 8) and views.shape == (4, 3, 32, 32)
    assert labels.tolist() == [0, 0, 0, 0]
    with pytest.raises(DataError, match="from 0 to 2"):
        ShapeViews(root, size=8, view_size=32, frames=[5])
