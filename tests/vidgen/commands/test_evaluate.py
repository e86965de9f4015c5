"""evaluate.py on tiny runs and folders: values, labels, resuming, refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.data import films
from tests.recipes import ucf_tree
from tests.vidgen.commands.judged_runs import save_run, save_small_classifier, shaded_films
from vidgen.commands import columns
from vidgen.commands.clip_sets import GeneratedClips
from vidgen.commands.evaluate import main
from vidgen.commands.running import run_command
from vidgen.metrics.content import average_content_distance, shape_colors
from vidgen.metrics.frechet import Moments, frechet_distance
from vidgen.metrics.inception import accuracy, inception_score

ROOT = Path(__file__).parents[3]


@pytest.fixture
def evaluate(capsys):
    """Runs the command line: exit code, text of stdout and stderr."""

    def run(*arguments):
        code = run_command("evaluate.py", main, [str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, error=err)

    return run


def last_line(folder, name):
    return json.loads((folder / f"{name}.jsonl").read_text().splitlines()[-1])


def test_content_distance_of_a_run_is_that_of_its_samples(tmp_path, evaluate):
    game = save_run(tmp_path / "run")
    result = evaluate(tmp_path / "run", "--metrics=acd", "--samples=5", "--repeats=2")
    assert result.code == 0 and "acd" in result.out, result.error
    line = last_line(tmp_path / "run/metrics", "acd")
    expected = []
    assert line["value"] > 1, "a clip in which something happens"
    for repeat in range(2):
        clips = game.sample([repeat * 10**9 + number for number in range(5)])
        expected.append(float(average_content_distance(shape_colors(clips)[0]).mean()))
    assert line["values"] == pytest.approx(expected, rel=1e-4)
    assert line["value"] == pytest.approx(sum(expected) / 2, rel=1e-4)
    assert line["std"] == pytest.approx(abs(expected[0] - expected[1]) / 2, rel=1e-3)
    assert line["metric"] == "acd" and line["num_generated"] == 5 and line["num_real"] == 0
    assert line["checkpoint"] == "step-000000007" and len(line["checkpoint_sha256"]) == 64


def test_scores_of_an_own_classifier_carry_its_name(tmp_path, evaluate):
    game = save_run(tmp_path / "run")
    network = save_small_classifier(tmp_path / "small.safetensors")
    ucf_tree(tmp_path / "videos")
    every = "is,fid,fvd,kvd,precision,recall,change,unevenness,freeze,flicker,ms_ssim,neighbours"
    result = evaluate(
        tmp_path / "run",
        f"--metrics={every}",
        "--samples=8",
        f"--extractor={tmp_path / 'small.safetensors'}",
        f"--data.root={tmp_path / 'videos'}",
    )
    assert result.code == 0, result.error
    folder = tmp_path / "run/metrics"
    lines = {name: last_line(folder, name) for name in every.split(",")}
    for name in ("is", "fid", "fvd", "kvd", "precision", "recall"):
        assert lines[name]["metric"] == f"{name}[small]"
        assert lines[name]["extractor"] == "small" and lines[name]["extractor_sha256"]
        assert f"{name}[small]" in result.out
    with torch.inference_mode():
        judged = network(game.sample(range(8)))
    expected = inception_score(judged.logits)
    assert lines["is"]["value"] == pytest.approx(expected, rel=1e-5)
    # What was kept of the real clips gives the distance.
    real = torch.cat([torch.from_numpy(c["features"]) for c in kept_columns(folder, real=True)])
    moments = [Moments(features.shape[1]) for features in (judged.features, real)]
    for moment, features in zip(moments, (judged.features, real), strict=True):
        moment.update(features)
    distance = frechet_distance(*moments)
    assert lines["fid"]["value"] == pytest.approx(distance, rel=1e-4)
    assert lines["fid"]["num_real"] == 8 and "8 real clips" in lines["fid"]["protocol"]
    assert lines["neighbours"]["num_real"] == 4
    assert (folder / "neighbours-step-000000007.png").stat().st_size > 0


def kept_columns(folder, real):
    """The features of real clips have labels; those of this unconditional game have none."""
    from safetensors.numpy import load_file

    for path in sorted((folder / "cache").glob("*/*.safetensors")):
        chunk = load_file(path)
        if "features" in chunk and (chunk["label"] >= 0).all() == real:
            yield chunk


def test_each_class_is_asked_for_equally_often_and_found_by_its_name(tmp_path, evaluate):
    game = save_run(tmp_path / "run", num_classes=2)
    network = save_small_classifier(tmp_path / "small.safetensors", ("Biking", "Archery"))
    result = evaluate(
        tmp_path / "run",
        "--metrics=mcs,accuracy,intra_is",
        "--samples=6",
        f"--extractor={tmp_path / 'small.safetensors'}",
    )
    assert result.code == 0, result.error
    with torch.inference_mode():
        logits = network(game.sample(range(6), [0, 1, 0, 1, 0, 1])).logits
    expected = accuracy(logits, torch.tensor([1, 0, 1, 0, 1, 0]))
    line = last_line(tmp_path / "run/metrics", "mcs")
    assert line["value"] == expected and line["metric"] == "mcs[small]"
    assert len(line["details"]["each_category"][0]) == 2
    assert last_line(tmp_path / "run/metrics", "accuracy")["value"] == expected
    save_small_classifier(tmp_path / "other.safetensors", ("Biking", "Bowling"))
    other = f"--extractor={tmp_path / 'other.safetensors'}"
    result = evaluate(tmp_path / "run", "--metrics=mcs", "--samples=6", other)
    assert result.code == 2 and "other does not know the class 'Archery'" in result.error


def test_what_was_measured_is_not_made_again(tmp_path, evaluate, monkeypatch):
    save_run(tmp_path / "run")
    monkeypatch.setattr(columns, "CHUNK", 4)
    asked, original = [], GeneratedClips.clips

    def watched(self, numbers):
        asked.extend(numbers)
        return original(self, numbers)

    monkeypatch.setattr(GeneratedClips, "clips", watched)
    evaluate(tmp_path / "run", "--metrics=acd", "--samples=8")
    first = last_line(tmp_path / "run/metrics", "acd")["value"]
    assert asked == list(range(8))
    asked.clear()
    evaluate(tmp_path / "run", "--metrics=acd", "--samples=8", "--batch_size=3")
    assert asked == [] and last_line(tmp_path / "run/metrics", "acd")["value"] == first
    evaluate(tmp_path / "run", "--metrics=acd", "--samples=10")
    assert asked == [8, 9]
    asked.clear()
    damaged = next((tmp_path / "run/metrics/cache").glob("*/000000004-04.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    evaluate(tmp_path / "run", "--metrics=acd", "--samples=8")
    assert asked == [4, 5, 6, 7] and last_line(tmp_path / "run/metrics", "acd")["value"] == first


def test_the_batch_size_changes_no_more_than_the_rounding(tmp_path, evaluate):
    save_run(tmp_path / "run")
    save_small_classifier(tmp_path / "small.safetensors")
    values = []
    for size in (1, 3, 16):
        out = tmp_path / f"of-{size}"
        result = evaluate(
            tmp_path / "run",
            "--metrics=is,acd",
            "--samples=7",
            f"--batch_size={size}",
            f"--out={out}",
            f"--extractor={tmp_path / 'small.safetensors'}",
        )
        assert result.code == 0, result.error
        values.append([last_line(out, name)["value"] for name in ("is", "acd")])
    assert values[1] == pytest.approx(values[0], rel=1e-5)
    assert values[2] == pytest.approx(values[0], rel=1e-5)


class Counted:
    """A measure that gives the mean of each clip."""

    key = "mean"

    def __call__(self, made):
        return {"mean": made.clips.mean(dim=(1, 2, 3, 4))}


def test_two_processes_share_the_chunks_and_see_the_same(tmp_path, tiny_game, monkeypatch):
    monkeypatch.setattr(columns, "CHUNK", 3)
    clips = GeneratedClips(tiny_game.eval(), "same")
    whole = columns.ColumnStore(tmp_path / "one")
    whole.fill(clips, [Counted()], 10, 2, lambda done, total: None)
    shares = []
    for rank in range(2):
        store = columns.ColumnStore(tmp_path / "two", rank, 2)
        store.fill(clips, [Counted()], 10, 2, lambda done, total: None)
        shares.append(len(list((tmp_path / "two").glob("*/*"))))
    assert shares == [2, 4]
    expected = whole.columns(clips, Counted(), 10).all("mean")
    found = store.columns(clips, Counted(), 10).all("mean")
    assert len(found) == 10 and (found == expected).all()


@pytest.mark.slow
def test_torchrun_gives_what_one_process_gives(tmp_path):
    save_run(tmp_path / "run")
    save_small_classifier(tmp_path / "small.safetensors")
    shaded_films(tmp_path / "films", 4)
    options = [
        "--metrics=acd,change,is,fid,kvd",
        "--samples=70",
        "--accelerator=cpu",
        f"--extractor={tmp_path / 'small.safetensors'}",
        f"--data.root={tmp_path / 'films'}",
    ]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    for start, out in (([], "one"), (launcher, "two")):
        command = [*start, "evaluate.py", str(tmp_path / "run"), *options]
        finished = subprocess.run(
            [sys.executable, *command, f"--out={tmp_path / out}"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr[-2000:]
        assert finished.stdout.count("written to") == 1
    for name in ("acd", "change", "is", "fid", "kvd"):
        one, two = (last_line(tmp_path / out, name)["value"] for out in ("one", "two"))
        assert one == two


def test_a_folder_of_anybodys_clips_is_judged_against_real_ones(tmp_path, evaluate):
    shaded_films(tmp_path / "made", 6)
    grid = np.zeros((8, 32, 32, 3), np.uint8)
    films.write_film(tmp_path / "made/Dark/grid.avi", list(grid), films.LOSSLESS)
    shaded_films(tmp_path / "real", 8)
    result = evaluate(
        f"--generated={tmp_path / 'made'}",
        f"--data.root={tmp_path / 'real'}",
        "--metrics=change,swd,freeze",
    )
    assert result.code == 0, result.error
    assert "left out, Dark/grid.avi: it is not 16 x 16 as most are" in result.out
    line = last_line(tmp_path / "made-metrics", "change")
    assert line["num_generated"] == 6 and line["checkpoint"] == "made"
    # Independent uniform levels of a span of 40 differ by a third of it.
    assert line["value"] == pytest.approx(40 / 3, rel=0.05)
    assert line["real"] == pytest.approx(40 / 3, rel=0.05)
    assert last_line(tmp_path / "made-metrics", "freeze")["value"] == 0
    assert last_line(tmp_path / "made-metrics", "swd")["num_real"] == 6


def test_every_checkpoint_and_the_best_can_be_judged(tmp_path, evaluate):
    save_run(tmp_path / "run", steps=(3, 7))
    assert evaluate(tmp_path / "run", "--samples=3", "--checkpoint=all").code == 0
    lines = [
        json.loads(line) for line in (tmp_path / "run/metrics/acd.jsonl").read_text().splitlines()
    ]
    assert [line["checkpoint"] for line in lines] == ["step-000000003", "step-000000007"]
    assert lines[0]["value"] != lines[1]["value"]
    result = evaluate(tmp_path / "run", "--checkpoint=best")
    assert result.code == 2 and "0 best checkpoints: none" in result.error
    (tmp_path / "run/checkpoints/best-acd").write_text("step-000000003\n")
    assert evaluate(tmp_path / "run", "--samples=3", "--checkpoint=best").code == 0
    assert last_line(tmp_path / "run/metrics", "acd")["checkpoint"] == "step-000000003"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--metrics=is"], "needs a network: give --extractor c3d --weights FILE"),
        (["--metrics=is", "--extractor=c3d"], "--weights FILE; it is the npz of C3D"),
        (["--metrics=fvd", "--extractor=i3d"], "i3d_torchscript.pt, to which"),
        (["--metrics=is", "--extractor=none.safetensors"], "python -m vidgen fit_classifier"),
        (["--metrics=is", "--extractor=c4d"], "--extractor c4d: give c3d, i3d, r3d_18"),
        (["--metrics=swd"], "swd compare with real videos; give --data.root"),
        (["--metrics=acd,beauty"], "'beauty' is none of is, intra_is"),
        (["--protocol=mine"], "there are default, tgan, tganv2"),
        (["--samples=1"], "--samples 1 is outside"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path, evaluate, arguments, complaint):
    save_run(tmp_path / "run")
    result = evaluate(tmp_path / "run", *arguments)
    assert result.code == 2 and complaint in result.error
    assert result.error.startswith("evaluate.py: ") and result.error.count("\n") == 1


def test_something_must_be_judged(evaluate):
    result = evaluate("--metrics=acd")
    assert result.code == 2 and "the folder of a training, or --generated DIR" in result.error


def test_classes_that_are_not_known_are_said(tmp_path, evaluate):
    save_run(tmp_path / "run")
    save_small_classifier(tmp_path / "small.safetensors")
    result = evaluate(
        tmp_path / "run", "--metrics=mcs", f"--extractor={tmp_path / 'small.safetensors'}"
    )
    assert result.code == 2 and "without classes" in result.error


def test_help_lists_the_options_without_torch():
    script = (
        "import sys\n"
        "from vidgen.commands.evaluate import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "assert 'torch' not in sys.modules\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "--shape_threshold" in result.stdout and "--data.root" in result.stdout
