"""GAM: evaluate.py RUN --metrics gam --rival RUN2."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import pytest
import torch

from data.videos import VideoClips
from tests.vidgen.commands.judged_runs import save_run, shaded_films
from vidgen import MoCoGAN
from vidgen.adversarial.checkpoints import save_checkpoint
from vidgen.commands.clip_sets import RecordedClips
from vidgen.commands.evaluate import main
from vidgen.commands.running import run_command
from vidgen.commands.scores import Score, score_table

COUNT = 6


@pytest.fixture
def duel(tmp_path, capsys):
    """Runs the command line on films of two shades."""
    shaded_films(tmp_path / "films", 4)

    def run(*arguments, films=True):
        root = [f"--data.root={tmp_path / 'films'}"] if films else []
        command = ["--metrics=gam", f"--samples={COUNT}", *root, *map(str, arguments)]
        code = run_command("evaluate.py", main, command)
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, error=err)

    return run


def last_line(run):
    return json.loads((run / "metrics/gam.jsonl").read_text().splitlines()[-1])


def test_a_run_against_itself_is_a_tie(tmp_path, duel):
    save_run(tmp_path / "run")
    result = duel(tmp_path / "run", f"--rival={tmp_path / 'run'}", "--repeats=2")
    assert result.code == 0, result.error
    line = last_line(tmp_path / "run")
    assert line["values"] == [1, 1] and line["metric"] == "gam" and line["better"] == "higher"
    assert line["details"]["r_test"] == [1, 1] and line["details"]["verdict"] == ["tie", "tie"]
    assert result.out.count("neither fools the other more") == 2


def by_hand(realness, neutral, real, own, other):
    """Errors on real and on the other's clips; the threshold by trying all that lie between."""
    threshold = neutral
    if neutral is None:
        scores = torch.cat([realness(real[COUNT:]), realness(own[COUNT:])]).double().unique()
        candidates = torch.cat([scores[:1] - 1, (scores[1:] + scores[:-1]) / 2, scores[-1:] + 1])
        balanced = [
            float((realness(real[COUNT:]) > t).double().mean())
            + float((realness(own[COUNT:]) <= t).double().mean())
            for t in candidates
        ]
        threshold = float(candidates[balanced.index(max(balanced))])
    on_real = float((realness(real[:COUNT]) <= threshold).double().mean())
    return on_real, float((realness(other[:COUNT]) > threshold).double().mean()), threshold


@pytest.mark.parametrize(("loss", "neutral"), [("wasserstein", None), ("least_squares", 0.5)])
def test_ratios_of_errors_are_those_found_by_hand(tmp_path, duel, loss, neutral):
    games = [
        save_run(tmp_path / name, steps=(step,), loss=loss)
        for name, step in (("run", 3), ("rival", 8))
    ]
    result = duel(tmp_path / "run", f"--rival={tmp_path / 'rival'}")
    assert result.code == 0, result.error
    source = VideoClips(tmp_path / "films", num_frames=4, size=16, channels=3)
    real = RecordedClips(source).clips(range(2 * COUNT)).clips
    made = [game.sample(range(2 * COUNT)) for game in games]
    first = by_hand(games[0].realness, neutral, real, made[0], made[1])
    second = by_hand(games[1].realness, neutral, real, made[1], made[0])
    details = last_line(tmp_path / "run")["details"]
    assert details["error_on_real"] == [first[0]] and details["rival_error_on_real"] == [second[0]]
    assert details["error_on_other"] == [first[1]]
    assert details["rival_error_on_other"] == [second[1]]
    assert details["threshold"] == pytest.approx([first[2]])
    assert details["rival_threshold"] == pytest.approx([second[2]])

    def ratio(over, under):
        return (1.0 if over == under else math.inf) if under == 0 else over / under

    # TGAN's orientation: the rival's errors on the run's clips over the run's on the rival's.
    assert last_line(tmp_path / "run")["value"] == ratio(second[1], first[1])
    assert details["r_samples"] == [ratio(first[1], second[1])]
    assert details["r_test"] == [ratio(first[0], second[0])]
    decided = abs(details["r_test"][0] - 1) <= 0.2
    assert (details["verdict"][0] != "undecided") == decided


def test_models_of_other_clips_are_no_rivals(tmp_path, duel):
    save_run(tmp_path / "run")
    save_run(tmp_path / "longer", num_frames=8)
    save_run(tmp_path / "told", num_classes=2)
    result = duel(tmp_path / "run", f"--rival={tmp_path / 'longer'}")
    assert result.code == 2 and result.error.count("\n") == 1
    assert "makes clips of shape (3, 4, 16, 16), the rival of (3, 8, 16, 16)" in result.error
    result = duel(tmp_path / "run", f"--rival={tmp_path / 'told'}")
    assert result.code == 2 and "has 0 classes, the rival 2" in result.error


def test_critics_of_classes_are_told_them(tmp_path, duel):
    save_run(tmp_path / "run", num_classes=2)
    for line in (tmp_path / "run/checkpoints").glob("*/config.json"):
        assert '"Archery"' in line.read_text()
    films = tmp_path / "films"
    (films / "Dark").rename(films / "Archery"), (films / "Bright").rename(films / "Biking")
    assert duel(tmp_path / "run", f"--rival={tmp_path / 'run'}").code == 0
    assert last_line(tmp_path / "run")["value"] == 1


def test_a_discriminator_that_is_told_no_classes_judges_any_clip(tmp_path, duel):
    size = {"num_frames": 16, "frame_size": 64}
    save_run(tmp_path / "run", **size)
    game = MoCoGAN(num_classes=2, generator_width=2, discriminator_width=2, **size)
    about = {"game": game.describe(), "classes": ["left", "right"], "fps": 8.0}
    save_checkpoint(tmp_path / "rival", 1, game.state_dict(), {}, about, keep=1)
    result = duel(tmp_path / "run", f"--rival={tmp_path / 'rival'}", "--samples=2")
    assert result.code == 0, result.error
    details = last_line(tmp_path / "run")["details"]
    assert details["rival_threshold"] == [0] and details["threshold"] != [0]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "gam sets a run against another: give --rival RUN"),
        (["--metrics=acd", "--rival=r"], "--rival r is for --metrics gam"),
    ],
)
def test_what_is_missing_is_said(tmp_path, duel, arguments, complaint):
    save_run(tmp_path / "run")
    result = duel(tmp_path / "run", *arguments)
    assert result.code == 2 and complaint in result.error and result.error.count("\n") == 1


def test_real_clips_are_needed(tmp_path, duel):
    save_run(tmp_path / "run")
    result = duel(tmp_path / "run", f"--rival={tmp_path / 'run'}", films=False)
    assert result.code == 2 and "shows real videos to both" in result.error


def test_infinite_values_have_no_deviation():
    score = Score("gam", [math.inf, 1.0], "higher", "", 2, 2, "step", "", "", "", 0.0)
    assert score.value == math.inf and math.isnan(score.std)
    assert "inf" in score_table([score])
