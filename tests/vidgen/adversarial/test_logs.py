"""log.jsonl, TensorBoard and the lines of progress."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vidgen.adversarial import logs
from vidgen.adversarial.logs import NoLog, RunLog, StepProgress


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_figures_go_to_both_logs(tmp_path: Path):
    log = RunLog(tmp_path, 0)
    log.write(10, {"critic/adversarial": 0.5, "seconds": 2.0})
    log.write(20, {"critic/adversarial": -0.25, "seconds": 3.0})
    assert len(lines(tmp_path)) == 2, "a line is there at once"
    log.close()
    assert lines(tmp_path) == [
        {"step": 10, "critic/adversarial": 0.5, "seconds": 2.0},
        {"step": 20, "critic/adversarial": -0.25, "seconds": 3.0},
    ]
    board = EventAccumulator(str(tmp_path)).Reload()
    events = board.Scalars("critic/adversarial")
    assert [(event.step, event.value) for event in events] == [(10, 0.5), (20, -0.25)]


def test_lines_of_steps_that_are_made_again_and_broken_ones_are_dropped(tmp_path: Path):
    kept = [{"step": 1, "a": 1.5}, {"step": 4, "a": float("inf")}]
    text = "".join(json.dumps(line) + "\n" for line in [*kept, {"step": 5, "a": 2.0}])
    path = tmp_path / "log.jsonl"
    path.write_text(text + '[3]\n{"a": 1}\n"x"\n{"step": 3, "a"')
    RunLog(tmp_path, 4).close()
    assert lines(tmp_path) == kept
    log = RunLog(tmp_path, 4)
    log.write(5, {"a": 3.0})
    log.close()
    assert lines(tmp_path) == [*kept, {"step": 5, "a": 3.0}]
    assert not list(tmp_path.glob("*.partial"))


def test_a_full_disk_costs_lines_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = RunLog(tmp_path, 0)

    def no_space(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(log, "_file", full)
        monkeypatch.setattr(log._board, "add_scalar", no_space)
        log.write(1, {"a": 1.0})
        log.write(2, {"a": 1.0})
        log.close()
        assert full.closed


def test_processes_but_the_first_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    log = NoLog()
    log.write(1, {"a": 1.0})
    log.close()
    assert not list(tmp_path.iterdir())


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_progress_speaks_now_and_then_with_an_estimate(monkeypatch, capsys):
    clock = _Clock()
    monkeypatch.setattr(logs, "time", clock)
    progress = StepProgress(done=100, total=400, seconds_between=15.0)
    for step in range(101, 401):
        clock.now += 2
        progress.update(step, {"critic/adversarial": step / 3, "seconds": 2.0})
    progress.close()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "step 108/400 · 2.00 s a step · about 9:44 left · critic/adversarial 36"
    assert said[1].startswith("step 116/400 · 2.00 s a step · about 9:28 left")
    assert said[-1].startswith("step 400/400 · 2.00 s a step · about 0:00 left")
    assert len(said) == 300 // 8 + 1


def test_progress_waits_for_figures_and_hours_are_told(monkeypatch, capsys):
    clock = _Clock()
    monkeypatch.setattr(logs, "time", clock)
    progress = StepProgress(done=0, total=5000)
    clock.now += 30
    progress.update(10)
    assert capsys.readouterr().out == ""
    progress.update(10, {"a/b": 1.0})
    assert "about 4:09:30 left" in capsys.readouterr().out


def test_progress_of_other_processes_is_silent(capsys):
    progress = StepProgress(0, 1, shown=False)
    progress.say("word")
    progress.update(1, {"a/b": 1.0})
    progress.close()
    assert capsys.readouterr().out == ""


def test_on_a_terminal_there_is_a_bar_and_words_above_it(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    progress = StepProgress(3, 9)
    progress.update(5, {"critic/adversarial": 0.125})
    progress.update(6)
    progress.say("resumed from [step] 3")
    progress.close()
    out = capsys.readouterr().out
    assert "6/9" in out
    assert "critic/adversarial 0.125" in out
    assert "resumed from [step] 3" in out
