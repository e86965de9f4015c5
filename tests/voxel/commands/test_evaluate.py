"""evaluate.py on games of shapes: values in closed form, resuming, dispatch, refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.tiny_voxels import tiny_gan
from tests.vidgen.commands.judged_runs import save_run
from tests.voxel.commands.known_shapes import (
    ALLOWED,
    box,
    furniture,
    save_boxes,
    scores,
    write_volumes,
)
from vidgen.adversarial.checkpoints import save_checkpoint
from vidgen.commands.clip_sets import GeneratedClips
from vidgen.commands.columns import Columns
from vidgen.commands.run_kind import makes_shapes
from voxel.commands import distances

ROOT = Path(__file__).parents[3]


def test_statistics_of_boxes_are_theirs_beside_those_of_real_ones(tmp_path, evaluate):
    save_boxes(tmp_path / "run")
    real = box(4)
    real[12:14, 12:14, 12:14] = 1
    root = furniture(tmp_path / "real", [box(3)], [real])
    names = ("occupancy", "components", "largest_share", "mirror_overlap", "undecided", "empty")
    result = evaluate(
        tmp_path / "run",
        ALLOWED,
        f"--metrics={','.join(names)}",
        "--samples=4",
        "--repeats=2",
        root,
    )
    assert result.code == 0, result.error
    assert "real shapes: 1 of the test split" in result.out and "2 x 4" in result.out
    occupancy, components, share, mirror, undecided, empty = scores(tmp_path / "run", *names)
    # Seeds 0 ... 3 are 2 ... 5 cells long; repeat 1 begins at seed 10^9, a multiple of 8.
    expected = np.mean([2, 3, 4, 5]) * 4 * 6 / 16**3
    assert occupancy["values"] == pytest.approx([expected, expected])
    assert occupancy["real"] == pytest.approx((4 * 4 * 6 + 8) / 16**3)
    assert components["value"] == 1 and components["real"] == 2
    assert share["value"] == 1 and share["real"] == pytest.approx(96 / 104)
    # Cells 2 ... 1 + n and their mirror images 14 - n ... 13 share none.
    assert mirror["value"] == 0 and undecided["value"] == 0 and empty["value"] == 0
    assert occupancy["num_generated"] == 4 and occupancy["num_real"] == 1
    assert occupancy["checkpoint"] == "step-000000007" and len(occupancy["checkpoint_sha256"]) == 64
    assert "size 16; 4 generated" in occupancy["protocol"] and occupancy["std"] == 0


def test_copies_of_the_training_set_are_recognised_as_such(tmp_path, evaluate):
    save_boxes(tmp_path / "run")
    lengths = (2, 3, 4, 5)
    root = furniture(tmp_path / "real", map(box, lengths), [box(n, 4, 9) for n in lengths])
    result = evaluate(tmp_path / "run", ALLOWED, "--metrics=memorisation", "--samples=4", root)
    assert result.code == 0, result.error
    line = scores(tmp_path / "run", "memorisation")
    assert line["value"] == 0 and line["details"]["median_distance"] == [0]
    # The nearest of a test box of 9 cells of height is the training box of its length.
    assert line["details"]["median_distance_of_test"] == pytest.approx([1 - 6 / 9])
    every = "mmd,cov,1nna,jsd"
    result = evaluate(
        tmp_path / "run", ALLOWED, f"--metrics={every}", root, "--data.split=train", "--points=256"
    )
    assert result.code == 0, result.error
    names = ("mmd_cd", "mmd_iou", "cov_cd", "cov_iou", "1nna_cd", "1nna_iou", "jsd")
    assert [line["value"] for line in scores(tmp_path / "run", *names)] == [0, 0, 1, 1, 0, 0, 0]
    assert scores(tmp_path / "run", "mmd_cd")["num_real"] == 4


def test_sets_are_compared_by_overlap_as_by_hand(tmp_path, evaluate):
    save_boxes(tmp_path / "run")
    root = furniture(tmp_path / "real", [box(9)], [box(n) for n in (2, 4, 8)])
    result = evaluate(tmp_path / "run", ALLOWED, "--metrics=mmd,cov,1nna", root, "--points=64")
    assert result.code == 0, result.error
    mmd, cov, nna = scores(tmp_path / "run", "mmd_iou", "cov_iou", "1nna_iou")
    # Boxes of 2, 3 and 4 cells against 2, 4 and 8: 0, 0, and 1 - 4/8 from 8 to 4.
    assert mmd["value"] == pytest.approx((0 + 0 + 1 / 2) / 3)
    # 3 is nearer to 4 (1/4) than to 2 (1/3): 2 and 4 are covered.
    assert cov["value"] == pytest.approx(2 / 3)
    # 2 and 4 have copies in the other set; 3 is 1/4 from both 4s and 8 is 1/2 from both: ties count
    # as the other set.
    assert nna["value"] == 0
    assert mmd["num_generated"] == mmd["num_real"] == 3
    assert "distance iou" in mmd["protocol"] and "3 reference of " in mmd["protocol"]


def test_features_that_tell_the_classes_are_worth_all(tmp_path, evaluate):
    save_boxes(tmp_path / "run")
    for name, width in (("narrow", 2), ("wide", 9)):
        write_volumes(tmp_path / f"real/{name}/train", [box(n, width) for n in (2, 3, 6, 7)])
        write_volumes(tmp_path / f"real/{name}/test", [box(n, width) for n in (4, 5)])
    root = f"--data.root={tmp_path / 'real'}"
    assert evaluate(tmp_path / "run", ALLOWED, "--metrics=svm", root, "--C=1").code == 0
    line = scores(tmp_path / "run", "svm")
    assert line["value"] == 1 and line["details"] == {"overall": [1.0], "C": [1.0]}
    assert line["num_generated"] == 0 and line["num_real"] == 12
    save_boxes(tmp_path / "told", num_classes=2, classes=["narrow", "wide"])
    result = evaluate(tmp_path / "told", ALLOWED, "--metrics=svm", root)
    assert result.code == 2 and "is told the class" in result.error
    result = evaluate(tmp_path / "run", ALLOWED, "--metrics=svm", root, "--data.split=train")
    assert result.code == 2 and "not trained on" in result.error
    narrow = '--data.classes=["narrow"]'
    result = evaluate(tmp_path / "run", ALLOWED, "--metrics=svm", root, narrow)
    assert result.code == 2 and "svm: the shapes are of one class or none" in result.error


def test_neither_shapes_nor_distances_are_made_again(tmp_path, evaluate, monkeypatch):
    save_boxes(tmp_path / "run")
    root = furniture(tmp_path / "real", [box(9)], [box(n) for n in (2, 4, 8)])
    asked, between = [], []
    original, chamfer = GeneratedClips.clips, distances.chamfer_distances

    def watched(self, numbers):
        asked.extend(numbers)
        return original(self, numbers)

    def counted(ones, others):
        between.append((len(ones), len(others)))
        return chamfer(ones, others)

    monkeypatch.setattr(GeneratedClips, "clips", watched)
    monkeypatch.setattr(distances, "chamfer_distances", counted)
    for again in range(2):
        arguments = ["--metrics=mmd_cd,1nna_cd", root, "--points=64", f"--batch_size={1 + again}"]
        assert evaluate(tmp_path / "run", ALLOWED, *arguments).code == 0
        assert asked == [0, 1, 2] and between == [(3, 3)] * 3


def test_rows_of_distances_are_shared_and_half_of_them_say_all(tmp_path, monkeypatch):
    monkeypatch.setattr("vidgen.commands.columns.CHUNK", 2)
    random = np.random.default_rng(0)
    clouds = {"one": random.random((5, 9, 3)), "other": random.random((3, 9, 3))}

    class Known(Columns):
        """Points in memory."""

        @property
        def key(self):
            return str(self._folder)

        def all(self, name):
            return clouds[self.key]

    def known(name):
        return Known(Path(name), len(clouds[name]))

    def apart(ones, others):
        return np.array(
            [[distances.chamfer_distances([a], [b])[0, 0] for b in others] for a in ones]
        )

    for first, second in (("one", "one"), ("one", "other")):
        pairing = distances.Pairing("cd", known(first), known(second))
        files = []
        for rank in range(2):
            store = distances.DistanceStore(tmp_path / first / second, rank, 2)
            store.fill(pairing, lambda done, total: None)
            files.append(len(list((tmp_path / first / second).glob("*/*"))))
        assert files == [2, 3]
        expected = apart(clouds[first], clouds[second])
        assert store.matrix(pairing) == pytest.approx(expected)


def test_an_empty_shape_is_far_from_all_but_not_infinitely(tmp_path, evaluate):
    save_boxes(tmp_path / "run")
    root = furniture(tmp_path / "real", [box(9)], [box(4), box(6)])
    arguments = ["--metrics=mmd_cd,cov_cd,1nna_cd,empty", root, "--threshold=0.97", "--points=32"]
    result = evaluate(tmp_path / "run", ALLOWED, *arguments)
    assert result.code == 0, result.error
    mmd, nna, empty = scores(tmp_path / "run", "mmd_cd", "1nna_cd", "empty")
    assert empty["value"] == 1 and 0.01 < mmd["value"] < 1 and nna["value"] == 1


def test_the_script_knows_runs_of_shapes_from_runs_of_clips(tmp_path):
    game = tiny_gan()
    about = {"game": game.describe(), "classes": [], "fps": 24.0}
    save_checkpoint(tmp_path / "shapes", 1, game.state_dict(), {}, about, keep=1)
    save_run(tmp_path / "clips")
    assert makes_shapes([str(tmp_path / "shapes"), "--metrics", "mmd"])
    assert makes_shapes(["--metrics", "mmd", str(tmp_path / "shapes")])
    assert not makes_shapes([str(tmp_path / "clips"), "--metrics", "acd"])
    assert not makes_shapes(["--compare", str(tmp_path / "shapes"), str(tmp_path / "clips")])
    assert not makes_shapes(["--help"]) and not makes_shapes([str(tmp_path)])
    command = ["evaluate.py", str(tmp_path / "shapes"), "--samples=2", "--metrics=occupancy"]
    result = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stderr
    with torch.inference_mode():
        solid = game.eval().sample([0, 1]) >= 0.5
    assert scores(tmp_path / "shapes", "occupancy")["value"] == pytest.approx(
        float(solid.double().mean())
    )


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path):
    game = tiny_gan()
    about = {"game": game.describe(), "classes": [], "fps": 24.0}
    save_checkpoint(tmp_path / "run", 1, game.state_dict(), {}, about, keep=1)
    root = furniture(tmp_path / "real", [box(9)], [box(2 + n % 8, 2 + n // 8) for n in range(40)])
    names = ("mmd_cd", "1nna_iou", "occupancy", "memorisation")
    options = [f"--metrics={','.join(names)}", root, "--points=32", "--accelerator=cpu"]
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    for start, out in (([], "one"), (launcher, "two")):
        command = [*start, "evaluate.py", str(tmp_path / "run"), *options]
        finished = subprocess.run(
            [sys.executable, *command, f"--out={tmp_path / out / 'metrics'}"],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=140,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr[-2000:]
        assert finished.stdout.count("written to") == 1
    one, two = (scores(tmp_path / out, *names) for out in ("one", "two"))
    assert [line["value"] for line in one] == [line["value"] for line in two]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--metrics=acd"], "of shapes 'acd' is none of mmd, cov, 1nna, occupancy"),
        (["--metrics=mmd"], "mmd_cd, mmd_iou need real shapes; give --data.root DIR"),
        (["--metrics=fid"], "fid need a classifier of shapes; give --extractor FILE"),
        (["--metrics=accuracy", "--extractor=x"], "--extractor x"),
        (["--samples=1"], "--samples 1 is outside"),
        (["--points=1"], "--points 1 is outside"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path, evaluate, arguments, complaint):
    save_boxes(tmp_path / "run")
    result = evaluate(tmp_path / "run", ALLOWED, *arguments)
    assert result.code == 2 and complaint in result.error
    assert result.error.startswith("evaluate.py: ") and result.error.count("\n") == 1
