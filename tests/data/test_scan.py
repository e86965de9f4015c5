from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import data.scan
from data.catalogs import save_catalog
from data.limits import Limits
from data.probe import ProbePool
from data.readers import open_reader
from data.records import Catalog, Entry, Found, Reject, VideoRecord
from data.scan import load_catalog, scan
from data.sources import DataError
from tests.data import films


@dataclass
class Layout:
    found: list[Found]
    name: str = "flat"
    classes: list[str] = field(default_factory=lambda: ["one", "two"])
    notes: list[str] = field(default_factory=lambda: ["a note"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two films, a strip, an array, a folder of frames and a broken file."""
    root = tmp_path / "videos"
    (root / "frames").mkdir(parents=True)
    films.write_film(root / "a.avi", films.pictures(20, height=32, width=48), films.XVID)
    films.write_film(root / "b.mp4", films.pictures(12, height=32, width=48), films.H264)
    (root / "broken.avi").write_text("no film")
    for number in range(3):
        Image.new("RGB", (8, 6), (number, 0, 0)).save(root / "frames" / f"{number}.png")
    Image.new("RGB", (40, 8)).save(root / "strip.png")
    np.save(root / "array.npy", np.zeros((2, 4, 6, 8, 3), np.uint8))
    return root


@pytest.fixture
def layout() -> Layout:
    return Layout(
        [
            Found("a.avi", "video", label=1, group="g01"),
            Found("broken.avi", "video"),
            Found("b.mp4", "video", label=0),
            Found("frames", "frames"),
            Found("strip.png", "strip"),
            Found("array.npy", "array", item=0),
            Found("array.npy", "array", item=1),
        ]
    )


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are inspected from now on."""
    names: list[str] = []

    class CountingPool(ProbePool):
        def run(self, root, founds):
            names.extend(found.path for found in founds)
            return super().run(root, founds)

    monkeypatch.setattr(data.scan, "ProbePool", CountingPool)
    return names


def test_a_scan_lists_everything_in_the_layouts_order(folder, layout):
    calls = []
    catalog = scan(folder, layout, progress=lambda done, of: calls.append((done, of)))
    assert [record.found for record in catalog.records] == [
        found for found in layout.found if found.path != "broken.avi"
    ]
    assert [record.num_frames for record in catalog.records] == [20, 12, 3, 5, 4, 4]
    assert [record.reader for record in catalog.records] == [
        "pyav", "pyav", "frames", "strip", "array", "array",
    ]  # fmt: skip
    assert [reject.path for reject in catalog.rejects] == ["broken.avi"]
    assert "not a video" in catalog.rejects[0].reason
    assert (catalog.layout, catalog.classes, catalog.notes) == ("flat", ["one", "two"], ["a note"])
    assert calls == [(done, 7) for done in range(1, 8)]
    for record in catalog.records:
        with open_reader(folder, record) as reader:
            assert reader.get([len(reader) - 1]).shape == (1, record.height, record.width, 3)


def test_a_second_scan_opens_nothing_that_stayed_the_same(folder, layout, tmp_path, inspected):
    cache = tmp_path / "run" / "catalog.json"
    first = scan(folder, layout, cache)
    assert sorted(inspected) == sorted(found.path for found in layout.found)
    inspected.clear()
    assert scan(folder, layout, cache) == first
    assert inspected == []
    assert load_catalog(cache) == first

    films.write_film(folder / "b.mp4", films.pictures(15, height=32, width=48), films.H264)
    films.write_film(folder / "broken.avi", films.pictures(9, height=32, width=48), films.XVID)
    again = scan(folder, layout, cache)
    assert sorted(inspected) == ["b.mp4", "broken.avi"]
    assert [record.num_frames for record in again.records] == [20, 9, 15, 3, 5, 4, 4]
    assert again.rejects == []


def test_labels_follow_the_layout_and_not_the_cache(folder, layout, tmp_path, inspected):
    cache = tmp_path / "catalog.json"
    scan(folder, layout, cache)
    inspected.clear()
    layout.found[0] = replace(layout.found[0], label=0, group="g07", mask="m.avi")
    del layout.found[2:]
    catalog = scan(folder, layout, cache)
    assert inspected == []
    assert [record.found for record in catalog.records] == [layout.found[0]]


def test_other_limits_or_a_damaged_cache_scan_anew(folder, layout, tmp_path, inspected):
    cache = tmp_path / "catalog.json"
    scan(folder, layout, cache)
    inspected.clear()
    catalog = scan(folder, layout, cache, limits=Limits(max_frames=15))
    assert len(inspected) == 7
    assert {reject.path for reject in catalog.rejects} == {"a.avi", "broken.avi"}
    inspected.clear()
    cache.write_bytes(cache.read_bytes()[:-20])
    assert len(scan(folder, layout, cache, limits=Limits(max_frames=15)).records) == 5
    assert len(inspected) == 7


def test_an_interrupted_scan_keeps_what_it_has_seen(folder, layout, tmp_path, inspected):
    cache = tmp_path / "catalog.json"

    def stop_at_three(done: int, of: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(folder, layout, cache, num_workers=1, progress=stop_at_three)
    inspected.clear()
    assert len(scan(folder, layout, cache).records) == 6
    assert len(inspected) == 4


def test_names_of_any_bytes_survive(folder, tmp_path):
    names = [
        os.fsdecode(b"not utf-8 \xff\xfe.avi"),
        "line\nbreak.avi",
        "-y.avi",
        "concat:a|b.avi",
        "a%03d.avi",
        "naïve 影片.avi",
        "x" * 250 + ".avi",
    ]
    content = (folder / "a.avi").read_bytes()
    for name in names:
        (folder / name).write_bytes(content)
    layout = Layout([Found(name, "video") for name in names])
    cache = tmp_path / "catalog.json"
    catalog = scan(folder, layout, cache)
    assert catalog.rejects == []
    assert load_catalog(cache) == catalog
    assert [record.found.path for record in load_catalog(cache).records] == names
    for record in load_catalog(cache).records:
        with open_reader(folder, record) as reader:
            assert reader.get([19]).shape == (1, 32, 48, 3)


RECORD = VideoRecord(
    Found("a.avi", "video", 1, "g01", "mask.avi", 2),
    "pyav", 20, 29.97, 32, 48, 90, (Entry(-5, 10, 1, 0), Entry(7, 15, 4, 24)), 99, 1 << 60, "why",
)  # fmt: skip


def test_catalogues_survive_saving_exactly(tmp_path):
    rejects = [Reject("b.avi", "bad", 3, 8, 9)]
    catalog = Catalog(tmp_path, "flat", ["x"], [RECORD], rejects, ["note"])
    save_catalog(catalog, tmp_path / "deep" / "catalog.json")
    assert load_catalog(tmp_path / "deep" / "catalog.json") == catalog
    assert os.listdir(tmp_path / "deep") == ["catalog.json"]


def test_a_failed_save_leaves_the_old_catalogue(tmp_path, monkeypatch):
    path = tmp_path / "catalog.json"
    save_catalog(Catalog(tmp_path, "flat", [], [RECORD]), path)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        save_catalog(Catalog(tmp_path, "other", [], []), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["catalog.json"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "damaged"),
        (b"[]", "damaged"),
        (b'{"version": 1}', "damaged"),
        (json.dumps({"version": 0}).encode(), "another version"),
    ],
)
def test_files_that_are_no_catalogue_are_refused(tmp_path, content, complaint):
    (tmp_path / "catalog.json").write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        load_catalog(tmp_path / "catalog.json")
    with pytest.raises(DataError, match="No such file"):
        load_catalog(tmp_path / "none.json")
