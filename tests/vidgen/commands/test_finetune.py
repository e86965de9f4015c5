from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data import films
from vidgen.adversarial.checkpoints import save_checkpoint
from vidgen.commands import finetune_grid
from vidgen.commands.accuracies import spread_text
from vidgen.tgan import TGAN
from vidgen.vgan import VGAN

CLASSES = ("Blue", "Red")
SWAPPED = "g03"


def saved(run, game):
    state = {"step": 7, "players": {}, "raw": {}}
    about = {"game": game.describe(), "classes": [], "fps": 25.0}
    save_checkpoint(run, 7, game.state_dict(), state, about, keep=1)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.manual_seed(0)
    game = VGAN(num_frames=4, frame_size=16, latent_dim=6, width=4, discriminator_width=4)
    return saved(tmp_path_factory.mktemp("runs") / "vgan", game)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Three groups of two classes, two films each: blue and red ones, and g03 the wrong way."""
    root = tmp_path_factory.mktemp("data") / "videos"
    generator = np.random.default_rng(0)
    for group in ("g01", "g02", SWAPPED):
        for label, name in enumerate(CLASSES):
            (root / name).mkdir(parents=True, exist_ok=True)
            blue = (label == 0) != (group == SWAPPED)
            for number in (1, 2):
                frames = generator.integers(0, 80, (7, 16, 16, 3), np.uint8)
                frames[..., 2 if blue else 0] += 150
                path = root / name / f"v_{name}_{group}_c{number:02d}.avi"
                films.write_film(path, list(frames), films.LOSSLESS)
    return root


@pytest.fixture
def finetune(run, videos, vidgen, tmp_path):
    """Runs the command with small settings; later ones win."""

    def call(*arguments):
        scan = videos.parent / "scan.json"
        small = ["--clips=2", "--batch_size=4", "--learning_rate=0.002", "--steps=12"]
        out = tmp_path / "out"
        return vidgen(
            *("finetune", run, "--data.root", videos, "--data.scan_cache", scan, "--out", out),
            *(*small, "--fractions=0.5,1", "--seeds=2", *arguments),
        )

    return call


def lines_of(folder):
    lines = (folder / "accuracy.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def cells_of(folder):
    return [(line["seed"], line["fraction"], line["start"]) for line in lines_of(folder)]


def timeless(lines):
    return [{name: line[name] for name in line if name != "seconds"} for line in lines]


def test_the_grid_is_trained_written_and_shown(finetune, tmp_path, run):
    result = finetune("--held_out", "g02", "--data.classes", '["Red", "Blue"]', "--steps=2")
    assert result.code == 0, result.error
    lines = lines_of(tmp_path / "out")
    expected = [(s, f, start) for s in (0, 1) for f in (0.5, 1.0) for start in ("scratch", "gan")]
    assert cells_of(tmp_path / "out") == expected
    config = json.loads(next(run.glob("checkpoints/step-*/config.json")).read_text())
    for line in lines:
        assert line["num_train_videos"] == 8 * line["fraction"]
        assert (line["num_test_videos"], line["num_classes"]) == (4, 2)
        assert line["accuracy"] == line["num_correct"] / 4
        assert line["settings"]["checkpoint"] == config["sha256"]["model.safetensors"]
        assert line["settings"]["held_out"] == ["g02"] and line["settings"]["steps"] == 2
        assert line["seconds"] > 0
    shown = "\n".join(result.lines)
    assert "8 videos to train on, 4 of g02 to test on, 2 clips of each" in shown
    for start in ("scratch", "gan"):
        found = [line["accuracy"] for line in lines if line["start"] == start]
        assert spread_text(found[::2]) in shown and spread_text(found[1::2]) in shown
    assert "chance 50.0%" in shown and "gan / scratch" in shown
    assert Image.open(tmp_path / "out" / "accuracy.png").format == "PNG"


def test_what_is_held_out_is_never_learned(finetune, tmp_path):
    # The colors of the held-out group are swapped: who has seen none of it is always wrong.
    result = finetune("--seeds=1", "--steps=30")
    assert result.code == 0, result.error
    lines = lines_of(tmp_path / "out")
    assert {line["settings"]["held_out"][0] for line in lines} == {SWAPPED}, "the last by default"
    assert [line["accuracy"] for line in lines] == [0.0] * 4
    assert any(line.split()[-2:] == ["-", "│"] for line in result.lines), "no ratio to nothing"


def test_an_interrupted_grid_goes_on_and_ends_as_an_uninterrupted_one(
    finetune, tmp_path, monkeypatch
):
    whole = finetune("--steps=2", "--out", tmp_path / "whole")
    assert whole.code == 0, whole.error
    train, calls = finetune_grid.fine_tuned, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(finetune_grid, "fine_tuned", interrupted)
    result = finetune("--steps=2")
    assert result.code == 130
    assert "stopped after 3 of 8 trainings" in result.lines[-1]
    assert len(lines_of(tmp_path / "out")) == 3
    result = finetune("--steps=2")
    assert result.code == 0 and len(calls) == 4 + 5
    assert timeless(lines_of(tmp_path / "out")) == timeless(lines_of(tmp_path / "whole"))
    again = finetune("--steps=2")
    assert again.code == 0 and len(calls) == 4 + 5, "nothing was missing"
    table = [line for line in whole.lines if "│" in line]
    assert table == [line for line in again.lines if "│" in line] and len(table) == 2


def test_more_seeds_and_starts_may_join_but_other_settings_are_refused(finetune, tmp_path):
    first = finetune("--steps=1", "--seeds=1", "--fractions=1", "--from=gan")
    assert first.code == 0, first.error
    more = finetune("--steps=1", "--seeds=2", "--fractions=1", "--from=probe,gan")
    assert more.code == 0, more.error
    assert sorted(cells_of(tmp_path / "out")) == [
        (seed, 1.0, start) for seed in (0, 1) for start in ("gan", "probe")
    ]
    assert "gan / scratch" not in "\n".join(more.lines)
    other = finetune("--steps=2", "--clips=3")
    assert other.code == 2
    assert "other settings: clips 2 -> 3; steps 1 -> 2; give the old ones" in other.error
    assert len(cells_of(tmp_path / "out")) == 4


def test_a_file_of_something_else_is_left_alone(finetune, tmp_path):
    (tmp_path / "out").mkdir()
    for content in ("{", '{"step": 3}\n', "[1]\n"):
        (tmp_path / "out" / "accuracy.jsonl").write_text(content)
        result = finetune()
        assert result.code == 2 and "accuracy.jsonl" in result.error
        assert (tmp_path / "out" / "accuracy.jsonl").read_text() == content


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--fractions", "0,1"], "--fractions 0,1: give shares above 0 and up to 1"),
        (["--fractions", "half"], "--fractions half: give shares"),
        (["--from", "gan,best"], "--from gan,best: 'best' is none of scratch, gan, probe"),
        (["--held_out", "g01,,"], "--held_out 'g01,,': give names with commas between"),
        (["--batch_size", "1"], "--batch_size 1 is outside 2"),
        (["--held_out", "g07"], "no video belongs to the held-out group 'g07'"),
        (["--data.num_frames", "8"], "num_frames"),
        (["--data.classes", '["Red"]'], "no two classes to tell apart"),
        (["--held_out=g02", "--data.per_class=1"], "has no video outside the held-out groups"),
    ],
)
def test_what_cannot_be_done_is_one_line(finetune, arguments, complaint):
    result = finetune(*arguments)
    assert result.code == 2
    assert result.error.count("\n") == 1
    assert complaint in result.error


def test_clips_that_do_not_fit_the_memory_are_refused_before_they_are_decoded(
    finetune, monkeypatch
):
    monkeypatch.setattr(finetune_grid.os, "sysconf", lambda name: 100)
    result = finetune()
    assert result.code == 2
    assert "12 videos of 2 clips take" in result.error and "fewer --clips" in result.error


def test_a_game_without_a_discriminator_of_clips_is_refused_first(vidgen, tmp_path):
    small = {"temporal_width": 16, "image_width": 16, "critic_width": 4}
    other = saved(tmp_path / "tgan", TGAN(num_frames=4, frame_size=16, **small))
    result = vidgen("finetune", other, "--data.root", "no/such/folder")
    assert result.code == 2
    assert "a TGAN has no discriminator of clips that could be fine-tuned" in result.error


def test_mean_and_standard_deviation_are_written_in_per_cent():
    assert spread_text([0.5, 0.7]) == "60.0 ± 14.1 %"
    assert spread_text([0.25]) == "25.0 %"
