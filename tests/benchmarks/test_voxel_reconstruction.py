"""The tables of reconstructions: closed forms of their means and floors."""

from __future__ import annotations

import importlib.util
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "voxel_reconstruction.py"


@pytest.fixture(scope="module")
def benchmark() -> Any:
    specification = importlib.util.spec_from_file_location("voxel_reconstruction", SCRIPT)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def bar(axis: int, size: int = 20) -> np.ndarray:
    volume = np.zeros((size, size, size), np.float32)
    across = [slice(9, 11)] * 3
    across[axis] = slice(4, 16)
    volume[tuple(across)] = 1
    return volume


def test_a_turned_prediction_is_right_only_after_alignment(benchmark: Any):
    scores = dict(zip(benchmark.COLUMNS, benchmark.scored(bar(0), bar(1), True), strict=True))
    # 8 of 48 cells are right; then come all other cells, equal and with 40 of 7,952 right.
    expected = 8 / 48 * 8 / 48 + 40 / 48 * 48 / 8000
    assert scores["AP"] == pytest.approx(expected)
    assert scores["IoU"] == pytest.approx(8 / 88)
    assert scores["AP 20³ aligned"] == scores["IoU 20³ aligned"] == 1
    # Two cells of padding on every side are more negatives, of the same score.
    assert scores["AP 20³"] == pytest.approx(8 / 48 * 8 / 48 + 40 / 48 * 48 / 24**3)
    assert len(benchmark.scored(bar(0), bar(1), False)) == 2


def test_the_class_mean_is_the_share_of_its_members_that_fill_a_cell(benchmark: Any):
    means = benchmark.class_means([bar(0), bar(1), bar(2)], [5, 5, 7])
    assert set(means) == {5, 7}
    assert means[5][10, 10, 10] == 1 and means[5][4, 10, 10] == 0.5
    assert np.array_equal(means[7], bar(2))


def test_every_class_counts_as_much_as_another(benchmark: Any):
    each = {0: [1.0, 0.0], 1: [0.0, 0.0], 2: [0.5, 1.0]}
    assert benchmark.mean_of_classes(each, [3, 3, 4]) == [0.5, 0.5]


def test_another_image_is_of_another_class(benchmark: Any):
    random = np.random.default_rng(0)
    drawn = {benchmark.another_class(1, [0, 1, 1, 2, 0], random) for _ in range(40)}
    assert drawn == {0, 3, 4}


def test_rows_are_means_of_views_and_a_better_object_is_counted(benchmark: Any):
    truth, wrong = bar(0), bar(1)
    found = [
        benchmark.Prediction("model", 0, truth),
        benchmark.Prediction("model", 0, wrong),
        benchmark.Prediction("model", 1, wrong),
        benchmark.Prediction("class mean", 0, wrong),
        benchmark.Prediction("class mean", 1, truth),
    ]
    rows, better = benchmark.table(iter(found), [truth, truth], [0, 0], False)
    iou = 8 / 88
    assert rows["model"][1] == pytest.approx(((1 + iou) / 2 + iou) / 2)
    assert rows["class mean"][1] == pytest.approx((1 + iou) / 2)
    assert better == 0.5


def test_without_a_run_it_says_what_it_needs(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(SCRIPT)])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert not stop.value.code
    assert "give a run" in capsys.readouterr().out
