"""PSNR and SSIM between the lowest and the highest resolution of a model, over time."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch.nn.functional import interpolate

from tests.tiny import tiny_game
from tests.vidgen.commands.judged_runs import save_run
from vidgen import TGANv2
from vidgen.adversarial.checkpoints import save_checkpoint
from vidgen.commands import measures
from vidgen.commands.clip_sets import GeneratedClips
from vidgen.commands.columns import ColumnStore
from vidgen.commands.evaluate import main
from vidgen.commands.judging import METRICS, Tools
from vidgen.commands.protocols import PROTOCOLS
from vidgen.commands.running import run_command


def two_grey_levels(seeds, labels, num_frames, truncation):
    """Black at the lowest level; at the highest brighter by 0.2 a frame, by 0.1 more a seed."""
    assert (labels, num_frames, truncation) == (None, 2, 0.5)
    brighter = torch.tensor([[0.2 + 0.1 * seed, 0.4 + 0.1 * seed] for seed in seeds])
    highest = brighter[:, None, :, None, None].expand(len(seeds), 3, 2, 16, 12) - 1
    return [torch.full((len(seeds), 3, 2, 4, 3), -1.0), torch.zeros(1), highest]


def test_psnr_of_grey_levels_is_that_of_their_difference_at_each_frame(tmp_path):
    game = tiny_game()
    game.levels = two_grey_levels
    clips = GeneratedClips(game, "grey", num_frames=2, truncation=0.5, draw="levels")
    store, measure = ColumnStore(tmp_path), measures.Levels()
    store.fill(clips, [measure], 3, 2, lambda done, total: None)
    columns, tools = store.columns(clips, measure, 3), Tools(PROTOCOLS["default"])
    figures = METRICS["psnr"].value(columns, None, tools)
    curve, intervals = [], []
    for first in (0.2, 0.4):
        each = [20 * math.log10(2 / (first + 0.1 * seed)) for seed in range(3)]
        curve.append(sum(each) / 3)
        spread = sum((value - curve[-1]) ** 2 for value in each) / 2
        intervals.append(1.96 * math.sqrt(spread / 3))
    assert figures["at_each_frame"] == pytest.approx(curve, rel=1e-5)
    assert figures["interval_95"] == pytest.approx(intervals, rel=1e-4)
    assert figures["value"] == pytest.approx(sum(curve) / 2, rel=1e-5)
    # Of even frames SSIM is its luminance term; black is brightness 0.
    ssim = METRICS["ssim"].value(columns, None, tools)["at_each_frame"]
    stabilizer = 0.02**2
    expected = [
        sum(stabilizer / ((first + 0.1 * seed) ** 2 + stabilizer) for seed in range(3)) / 3
        for first in (0.2, 0.4)
    ]
    assert ssim == pytest.approx(expected, rel=1e-4)


def test_clips_of_two_levels_are_kept_apart_from_plain_ones():
    keys = [
        GeneratedClips(tiny_game(), "grey", draw=draw).key
        for draw in ("prior", "levels", "balanced")
    ]
    assert keys[0] != keys[1] != keys[2] != keys[0]


def test_the_levels_of_a_trained_model_are_compared(tmp_path, capsys):
    torch.manual_seed(0)
    game = TGANv2(num_frames=2, frame_size=64, widths=(4,) * 7, discriminator_width=1)
    for weight in game.generator.parameters():  # as it is born, its levels hardly differ
        weight.data.add_(0.2 * torch.randn_like(weight))
    about = {"game": game.describe(), "classes": [], "fps": 8.0}
    save_checkpoint(tmp_path / "run", 1, game.state_dict(), {}, about, keep=1)
    command = [str(tmp_path / "run"), "--metrics=psnr,ssim,change", "--samples=3", "--frames=3"]
    assert run_command("evaluate.py", main, command) == 0, capsys.readouterr().err
    lines = {
        name: json.loads((tmp_path / f"run/metrics/{name}.jsonl").read_text())
        for name in ("psnr", "ssim", "change")
    }
    lowest, *_, highest = game.eval().levels(range(3), None, 3)
    assert lowest.shape[-1] == 8 and highest.shape[-1] == 64
    enlarged = torch.stack(
        [interpolate(lowest[:, :, time], 64, mode="bilinear") for time in range(3)], dim=2
    )
    error = (enlarged - highest).double().square().mean(dim=(1, 3, 4))
    curve = (10 * (4 / error).log10()).mean(dim=0)
    assert lines["psnr"]["details"]["at_each_frame"][0] == pytest.approx(curve.tolist(), rel=1e-4)
    assert lines["psnr"]["value"] == pytest.approx(float(curve.mean()), rel=1e-4)
    assert lines["psnr"]["real"] is None and lines["psnr"]["num_real"] == 0
    assert len(lines["ssim"]["details"]["interval_95"][0]) == 3
    assert -1 < lines["ssim"]["value"] < 1
    # What is asked for beside it is of the highest level alone.
    change = highest.double().diff(dim=2).abs().mean() * 127.5
    assert lines["change"]["value"] == pytest.approx(float(change), rel=1e-4)


def test_what_has_one_resolution_is_told_so(tmp_path, capsys):
    save_run(tmp_path / "run")
    assert run_command("evaluate.py", main, [str(tmp_path / "run"), "--metrics=ssim"]) == 2
    error = capsys.readouterr().err
    assert "a TGAN cannot be judged by psnr or ssim: it has one resolution" in error
    assert error.count("\n") == 1
