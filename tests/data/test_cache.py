from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.cache import prepare
from data.frames import Preparation
from data.layouts import Options
from data.sources import DataError
from data.store import frames_sha256, is_store, read_index
from data.videos import VideoClips
from tests.data import trees

SMALL = Preparation(size=(12, 12))


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = trees.write_classes(tmp_path_factory.mktemp("cache") / "root", trees.write_strip)
    source(root)
    return root


@pytest.fixture
def root(scanned: Path, tmp_path: Path) -> Path:
    """Four strips, and what a scan saw of them: scanning starts processes, which takes a second."""
    scan = scanned.parent / "root.scan.json"
    shutil.copy2(scan, tmp_path)
    (tmp_path / ".store.partial").mkdir()
    shutil.copy2(scan, tmp_path / ".store.partial" / "scan.json")
    return shutil.copytree(scanned, tmp_path / "root")


def source(root: Path, **settings) -> VideoClips:
    cache = root.parent / f"{root.name}.scan.json"
    defaults = {"num_frames": 4, "size": 12, "channels": 3, "scan_cache": cache}
    return VideoClips(root, **defaults | settings)


def assert_same_clips(one: VideoClips, other: VideoClips) -> None:
    assert len(one) == len(other)
    for item in range(len(one)):
        for seed in range(3):
            first, second = (
                clips.draw(item, np.random.default_rng(seed)) for clips in (one, other)
            )
            np.testing.assert_array_equal(first.clip, second.clip)
            assert first.label == second.label


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_store_gives_the_same_clips_as_the_files(root, tmp_path, num_workers):
    prepared = prepare(root, tmp_path / "store", SMALL, num_workers=num_workers)
    assert not prepared.up_to_date
    assert is_store(tmp_path / "store")
    for settings in ({"flip": True}, {"stride": 2}, {"num_frames": 13}, {"fps": 17.0}):
        files, stored = source(root, **settings), source(tmp_path / "store", **settings)
        assert_same_clips(files, stored)
        assert files.fingerprint() == stored.fingerprint()
        assert files.fps == stored.fps
    assert sorted(os.listdir(tmp_path)) == ["root", "root.scan.json", "store"]


def test_films_and_random_crops_come_out_of_a_store_bit_for_bit(tmp_path):
    root = tmp_path / "films"
    root.mkdir()
    for number in range(2):
        trees.write_film(root / f"{number}", trees.clip(number, 12, 48, 64))
    paper = {"preprocessing": "ucf101_tganv2", "size": 192, "flip": True}
    prepare(root, tmp_path / "store", Preparation((192, 192), 3, "ucf101_tganv2"), num_workers=0)
    assert read_index(tmp_path / "store").frame_size == (192, 256)
    files, stored = source(root, **paper), source(tmp_path / "store", **paper)
    assert_same_clips(files, stored)
    assert stored.draw(0, np.random.default_rng(0)).clip.shape == (3, 4, 192, 192)


@pytest.mark.parametrize("face_box", ["union", "frame"])
def test_grey_faces_come_out_of_a_store_bit_for_bit(tmp_path, face_box):
    root = trees.write_faces(tmp_path / "faces")
    settings = {"preprocessing": "face", "face_box": face_box, "size": 10, "channels": 1}
    prepare(root, tmp_path / "store", Preparation((10, 10), 1, "face", face_box), num_workers=0)
    assert_same_clips(source(root, **settings), source(tmp_path / "store", **settings))


def test_frames_lie_planar_in_the_order_of_the_index(root, tmp_path):
    index = prepare(root, tmp_path / "store", Preparation((16, 16)), num_workers=0).index
    assert index.offsets == [0, 10, 20, 30]
    frames = np.fromfile(tmp_path / "store" / "frames.u8", np.uint8).reshape(40, 3, 16, 16)
    expected = np.concatenate([trees.clip(number) for number in range(4)])
    np.testing.assert_array_equal(frames, expected.transpose(0, 3, 1, 2))
    assert frames_sha256(tmp_path / "store") == index.sha256


def test_preparing_again_does_nothing_until_the_source_or_the_settings_change(root, tmp_path):
    store = tmp_path / "store"
    prepare(root, store, SMALL, num_workers=0)
    written = os.stat(store / "frames.u8").st_mtime_ns
    assert prepare(root, store, SMALL, num_workers=0).up_to_date
    assert os.stat(store / "frames.u8").st_mtime_ns == written
    trees.write_strip(root / "left" / "clip0", trees.clip(3))
    assert not prepare(root, store, SMALL, num_workers=0).up_to_date
    changed = source(store, start="first").draw(0, np.random.default_rng(0)).clip
    same_content = source(store, start="first").draw(3, np.random.default_rng(0)).clip
    np.testing.assert_array_equal(changed, same_content)
    assert not prepare(root, store, replace(SMALL, channels=1), num_workers=0).up_to_date
    assert (store / "frames.u8").stat().st_size == 40 * 12 * 12


def test_an_unchanged_source_is_not_scanned_again(root, tmp_path, monkeypatch):
    prepare(root, tmp_path / "store", SMALL, num_workers=0)
    monkeypatch.setattr("data.scan.ProbePool", None)
    assert prepare(root, tmp_path / "store", SMALL, num_workers=0).up_to_date


def test_a_broken_video_costs_a_line(root, tmp_path):
    (root / "left" / "broken.png").write_bytes(b"nothing")
    catalog = prepare(root, tmp_path / "store", SMALL, num_workers=0).index.catalog
    assert [reject.path for reject in catalog.rejects] == ["left/broken.png"]
    report = source(tmp_path / "store").report()
    assert sum("left/broken.png" in line for line in report) == 1
    assert f"store prepared from {root}, layout strips, 4 videos" in report[0]


def test_a_video_that_fails_while_decoding_is_left_out_and_the_rest_is_right(
    root, tmp_path, monkeypatch
):
    from data.frames import VideoFiles

    whole = VideoFiles.get

    def failing(self, record, indices):
        if record.found.path == "left/clip1.png":
            raise RuntimeError("gone bad")
        return whole(self, record, indices)

    monkeypatch.setattr(VideoFiles, "get", failing)
    prepared = prepare(root, tmp_path / "store", SMALL, num_workers=0)
    monkeypatch.undo()
    assert [(one.path, one.reason) for one in prepared.index.catalog.rejects] == [
        ("left/clip1.png", "gone bad")
    ]
    files, stored = source(root), source(tmp_path / "store")
    assert len(stored) == 3
    for item, other in ((0, 0), (1, 2), (2, 3)):
        np.testing.assert_array_equal(
            stored.draw(item, np.random.default_rng(0)).clip,
            files.draw(other, np.random.default_rng(0)).clip,
        )


def test_an_interrupted_preparation_leaves_the_old_store_and_keeps_its_scan(
    root, tmp_path, monkeypatch
):
    store = tmp_path / "store"
    prepare(root, store, SMALL, num_workers=0)
    before = (store / "index.json").read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("data.frames.VideoFiles.get", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare(root, store, replace(SMALL, channels=1), num_workers=0)
    assert (store / "index.json").read_bytes() == before
    assert os.listdir(tmp_path / ".store.partial") == ["scan.json"]
    monkeypatch.undo()
    prepare(root, store, replace(SMALL, channels=1), num_workers=0)
    assert sorted(os.listdir(tmp_path)) == ["root", "root.scan.json", "store"]


def test_a_long_video_is_decoded_in_pieces(root, tmp_path, monkeypatch):
    monkeypatch.setattr("data.filling._BYTES_AT_ONCE", 3 * 16 * 16 * 3)
    prepare(root, tmp_path / "store", SMALL, num_workers=0)
    assert_same_clips(source(root), source(tmp_path / "store"))


def test_settings_that_disagree_with_the_store_are_refused(root, tmp_path):
    store = tmp_path / "store"
    prepare(root, store, SMALL, num_workers=0)
    for settings, line in (
        ({"size": 16}, r"prepared with size \(12, 12\), not \(16, 16\): set data.size"),
        ({"channels": 1}, "prepared with channels 3, not 1"),
        ({"preprocessing": "whole"}, "prepared with preprocessing square, not whole"),
        ({"split": "train"}, "prepared with split None, not train"),
        ({"layout": "flat"}, "prepared with layout strips, not flat"),
    ):
        with pytest.raises(DataError, match=line):
            source(store, **settings)
    assert len(source(store, layout="strips")) == 4


def test_a_part_of_a_data_set_is_stored_as_such(tmp_path):
    for part in ("train", "test"):
        trees.write_classes(tmp_path / "root" / part, trees.write_strip)
    prepare(tmp_path / "root", tmp_path / "store", SMALL, "auto", Options("test"), num_workers=0)
    stored = source(tmp_path / "store", split="test")
    assert {record.found.path[:5] for record in stored.catalog.records} == {"test/"}
    with pytest.raises(DataError, match="prepared with split test, not None"):
        source(tmp_path / "store")


def test_a_damaged_store_is_refused_and_prepared_anew(root, tmp_path):
    store = tmp_path / "store"
    prepare(root, store, SMALL, num_workers=0)
    with open(store / "frames.u8", "rb+") as file:
        file.truncate(100)
    with pytest.raises(DataError, match=r"frames\.u8' has 100 bytes, not 17280"):
        source(store)
    (store / "index.json").write_text("{")
    with pytest.raises(DataError, match=r"index\.json' is damaged"):
        source(store)
    assert not prepare(root, store, SMALL, num_workers=0).up_to_date
    assert_same_clips(source(root), source(store))


def test_a_store_that_is_replaced_under_a_training_is_noticed(root, tmp_path):
    store = tmp_path / "store"
    prepare(root, store, SMALL, num_workers=0)
    clips = source(store)
    trees.write_strip(root / "left" / "clip0", trees.clip(0, num_frames=7))
    prepare(root, store, SMALL, num_workers=0)
    with pytest.raises(DataError, match="prepared anew meanwhile"):
        clips.draw(2, np.random.default_rng(0))


def test_folders_of_others_are_never_overwritten(root, tmp_path):
    precious = trees.touch(tmp_path / "thesis", "chapter1.txt")
    with pytest.raises(DataError, match="thesis' is there and is no prepared store"):
        prepare(root, precious, SMALL, num_workers=0)
    with pytest.raises(DataError, match="root' is there and is no prepared store"):
        prepare(root, root, SMALL, num_workers=0)
    for name in ("index.json", "scan.json"):
        (precious / name).write_text("{}")
    with pytest.raises(DataError, match="thesis' is there and is no prepared store"):
        prepare(root, precious, SMALL, num_workers=0)
    assert (precious / "chapter1.txt").exists()


def test_two_preparations_of_one_store_do_not_mix(root, tmp_path):
    import fcntl

    other = os.open(tmp_path / ".store.partial", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(DataError, match="being prepared by another process"):
        prepare(root, tmp_path / "store", SMALL, num_workers=0)
    assert (tmp_path / ".store.partial").exists()
    os.close(other)
    prepare(root, tmp_path / "store", SMALL, num_workers=0)


def test_a_disk_that_is_too_small_is_noticed_before_decoding(root, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 17279})
    monkeypatch.setattr("data.cache.shutil.disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"the store needs 0\.0 GB"):
        prepare(root, tmp_path / "store", SMALL, num_workers=0)
    usage.free = 17280
    prepare(root, tmp_path / "store", SMALL, num_workers=0)


def test_the_index_is_plain_json_with_labels_and_groups(tmp_path):
    root = trees.touch(tmp_path / "root")
    for name in ("Bend", "Jack"):
        (root / name).mkdir(parents=True)
        trees.write_film(root / name / f"v_{name}_g03_c01", trees.clip(0))
    prepare(root, tmp_path / "store", SMALL, num_workers=0)
    content = json.loads((tmp_path / "store" / "index.json").read_text())
    assert content["classes"] == ["Bend", "Jack"]
    found = [video["found"] for video in content["videos"]]
    assert [(one["label"], one["group"]) for one in found] == [(0, "g03"), (1, "g03")]
