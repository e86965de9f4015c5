from __future__ import annotations

import pytest

from data.progress import shown_progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("data.progress.time", clock)
    return clock


def test_quick_work_shows_nothing(clock, capsys):
    with shown_progress("Scanning") as progress:
        for done in range(10):
            progress(done, 10)
        clock.now += 1.9
        progress(10, 10)
    assert capsys.readouterr() == ("", "")


def test_long_work_shows_a_line_every_ten_seconds(clock, capsys):
    with shown_progress("Scanning") as progress:
        for done in range(25):
            clock.now += 1
            progress(done, 25)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["Scanning: 2 of 25", "Scanning: 13 of 25", "Scanning: 24 of 25"]
