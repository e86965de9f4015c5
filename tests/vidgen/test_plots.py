from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from vidgen import plots
from vidgen.errors import UserError
from vidgen.plots import accuracy_picture, loss_curves, loss_picture, smoothed


def write_log(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def training_lines(count):
    return [
        {
            "step": 10 * index,
            "critic/wasserstein": -0.3 * index,
            "critic/penalty": 0.1,
            "generator/adversarial": 0.2 * index,
            "seconds": 1.2 * index,
            "examples": 320 * index,
            "data_seconds": 0.01,
            "examples_per_second": 266.0,
        }
        for index in range(1, count + 1)
    ]


@pytest.fixture
def panels(monkeypatch):
    """What is drawn: title and named curves of each panel, from top to bottom."""
    drawn = []
    draw = plots._draw_panel

    def record(axis, player, curves):
        draw(axis, player, curves)
        drawn.append((player, axis))

    monkeypatch.setattr(plots, "_draw_panel", record)
    return drawn


def test_each_player_has_a_panel_with_a_line_for_each_term_and_no_timing(tmp_path, panels):
    log = write_log(tmp_path / "log.jsonl", training_lines(3))
    loss_picture(log, tmp_path / "losses.png")
    assert [player for player, _ in panels] == ["critic", "generator"]
    names = [axis.get_legend_handles_labels()[1] for _, axis in panels]
    assert names == [["penalty", "wasserstein"], ["adversarial"]]
    raw = panels[1][1].lines[0]
    assert raw.get_xdata().tolist() == [10, 20, 30]
    assert raw.get_ydata().tolist() == pytest.approx([0.2, 0.4, 0.6])
    assert raw.get_alpha() < 0.5, "the raw values are faint"


def test_the_picture_is_a_png_that_shows_its_curves(tmp_path):
    loss_picture(write_log(tmp_path / "log.jsonl", training_lines(40)), tmp_path / "losses.png")
    image = Image.open(tmp_path / "losses.png")
    assert image.format == "PNG"
    width, height = image.size
    pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    blue, orange = np.array([31, 119, 180]), np.array([255, 127, 14])
    for color in (blue, orange):
        assert (np.abs(pixels - color).max(axis=1) < 12).sum() > width
    assert width > height > 500
    assert "matplotlib.pyplot" not in sys.modules or plots.__dict__.get("pyplot") is None


def test_one_line_is_drawn_as_a_dot(tmp_path, panels):
    loss_picture(write_log(tmp_path / "log.jsonl", training_lines(1)), tmp_path / "losses.png")
    assert panels[1][1].lines[0].get_marker() == "o"
    assert (tmp_path / "losses.png").exists()


def test_broken_and_foreign_lines_are_passed_over(tmp_path):
    log = write_log(tmp_path / "log.jsonl", training_lines(2))
    with log.open("ab") as file:
        file.write(b'[1, 2]\n\n{"note": "no step", "critic/wasserstein": 9.0}\n\xff\xfe\n')
        file.write(b'{"step": 30, "critic/wasserstein": "text", "generator/adversarial": true}\n')
        file.write(b'{"step": 40, "critic/wasserstein": 7.0, "generator/adver')
    curves = loss_curves(log)
    assert curves["critic/wasserstein"] == {10: -0.3, 20: -0.6}
    assert curves["generator/adversarial"] == pytest.approx({10: 0.2, 20: 0.4})
    loss_picture(log, tmp_path / "losses.png")


def test_a_number_of_hundreds_of_digits_is_a_gap(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1, "a/b": 1' + "0" * 400 + "}\n[" * 10_000)
    curves = loss_curves(tmp_path / "log.jsonl")
    assert np.isnan(curves["a/b"][1])


def test_values_that_are_not_finite_are_gaps(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1, "a/b": NaN}\n{"step": 2, "a/b": -Infinity}\n{"step": 3, "a/b": 4}')
    assert np.isnan([loss_curves(log)["a/b"][1], loss_curves(log)["a/b"][2]]).all()
    assert loss_curves(log)["a/b"][3] == 4
    loss_picture(log, tmp_path / "losses.png")


def test_a_log_of_nothing_but_nan_is_still_drawn(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1, "a/b": NaN}\n')
    loss_picture(tmp_path / "log.jsonl", tmp_path / "losses.png")
    assert Image.open(tmp_path / "losses.png").format == "PNG"


def test_after_going_back_to_an_older_checkpoint_the_later_line_counts(tmp_path):
    lines = [{"step": step, "a/b": value} for step, value in [(1, 1), (2, 2), (3, 3), (2, 20)]]
    curve = loss_curves(write_log(tmp_path / "log.jsonl", lines))["a/b"]
    assert list(curve.items()) == [(1, 1), (2, 20), (3, 3)]


def test_terms_without_a_player_share_the_last_panel(tmp_path, panels):
    lines = [{"step": 1, "drift": 1.0, "zebra/loss": 2.0}]
    loss_picture(write_log(tmp_path / "log.jsonl", lines), tmp_path / "losses.png")
    assert [player for player, _ in panels] == ["zebra", "other"]


@pytest.mark.parametrize("content", ["", "{", '{"step": 3, "seconds": 1.0}\n'])
def test_a_log_without_losses_says_so(tmp_path, content):
    (tmp_path / "log.jsonl").write_text(content)
    with pytest.raises(UserError, match=r"log\.jsonl holds no losses yet"):
        loss_picture(tmp_path / "log.jsonl", tmp_path / "losses.png")
    assert not (tmp_path / "losses.png").exists()


def test_a_missing_log_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"cannot read the log .*none\.jsonl: No such file"):
        loss_picture(tmp_path / "none.jsonl", tmp_path / "losses.png")


def test_smoothing_follows_the_recent_values_and_starts_at_the_first():
    step = np.concatenate([np.full(100, 5.0), np.full(100, 1.0)])
    line = smoothed(step)
    assert line[:100] == pytest.approx(np.full(100, 5.0)), "no pull to zero at the beginning"
    assert 2 < line[109] < 3.5, "after one span of ten, about 1 + 4 / e"
    assert line[-1] == pytest.approx(1.0, abs=1e-3)


def test_smoothing_of_few_values_is_the_values():
    assert smoothed(np.array([3.0, -1.0, 2.0])).tolist() == [3.0, -1.0, 2.0]


def test_smoothing_steps_over_gaps():
    values = np.arange(60.0)
    values[30] = np.nan
    line = smoothed(values)
    assert np.isnan(line[30]) and np.isfinite(np.delete(line, 30)).all()
    assert line[29] < line[31] < 31


def test_accuracies_are_drawn_as_means_with_deviations_and_the_level_of_chance(
    tmp_path, monkeypatch
):
    figures = []

    class Kept(plots.Figure):
        def __init__(self, **options):
            super().__init__(**options)
            figures.append(self)

    monkeypatch.setattr(plots, "Figure", Kept)
    curves = {"scratch": {0.25: [0.2, 0.4], 1.0: [0.5]}, "gan": {0.25: [0.6, 0.6], 1.0: [0.9]}}
    accuracy_picture(curves, 0.25, tmp_path / "accuracy.png")
    axis = figures[0].axes[0]
    lines, labels = axis.get_legend_handles_labels()
    assert labels == ["chance", "scratch", "gan"]
    assert lines[0].get_ydata() == [25, 25]
    scratch, gan = lines[1:]
    assert scratch[0].get_ydata() == pytest.approx([30, 50])
    assert gan[0].get_ydata() == pytest.approx([60, 90])
    low, high = scratch[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((30 - 200**0.5, 30 + 200**0.5))
    places = scratch[0].get_xdata(), gan[0].get_xdata()
    assert np.stack(places) == pytest.approx(np.array([[0.25, 1], [0.25, 1]]), rel=0.05)
    assert (places[0] < places[1]).all(), "side by side"
    assert Image.open(tmp_path / "accuracy.png").format == "PNG"
