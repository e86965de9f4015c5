"""The best checkpoint by each metric, kept while others are forgotten."""

from __future__ import annotations

import math

import pytest

from tests.tiny import tiny_game
from vidgen.adversarial.best import Judgement, point_to_best
from vidgen.adversarial.checkpoints import find_checkpoint, read_config, save_checkpoint


def judged(run, step, keep=1, **scores):
    game = tiny_game()
    ways = {name: "higher" if name == "is" else "lower" for name in scores}
    about = {"game": game.describe(), **Judgement(scores, ways).as_json()}
    save_checkpoint(run, step, game.state_dict(), {}, about, keep)
    point_to_best(run, step)


def test_the_best_by_each_metric_stays_however_few_are_kept(tmp_path):
    for step, (fid, score) in enumerate([(5.0, 1.0), (3.0, 2.0), (4.0, 9.0), (3.0, 1.0)], 1):
        judged(tmp_path, step, fid=fid, **{"is": score})
    judged(tmp_path, 5)
    assert find_checkpoint(tmp_path, "best-fid").name == "step-000000002"
    assert find_checkpoint(tmp_path, "best-is").name == "step-000000003"
    there = sorted(path.name[-1] for path in (tmp_path / "checkpoints").glob("step-*"))
    assert there == ["2", "3", "5"]
    assert read_config(find_checkpoint(tmp_path, "best-fid"))["scores"] == {"fid": 3.0, "is": 2.0}


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_no_number_is_never_the_best(tmp_path, number):
    judged(tmp_path, 1, fid=number)
    assert not (tmp_path / "checkpoints/best-fid").exists()
    judged(tmp_path, 2, fid=7.0)
    judged(tmp_path, 3, fid=number)
    assert find_checkpoint(tmp_path, "best-fid").name == "step-000000002"


def test_a_best_one_that_is_damaged_is_followed_by_the_next(tmp_path):
    judged(tmp_path, 1, fid=1.0)
    (find_checkpoint(tmp_path, "best-fid") / "config.json").write_text("{")
    judged(tmp_path, 2, fid=2.0)
    assert find_checkpoint(tmp_path, "best-fid").name == "step-000000002"
