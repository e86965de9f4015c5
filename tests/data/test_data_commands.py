from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from data.__main__ import main
from tests.data import trees


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("commands") / "root"
    trees.write_classes(folder, trees.write_strip)
    (folder / "left" / "broken.png").write_bytes(b"nothing")
    return folder


def scanned(root: Path) -> list[str]:
    return ["--scan_cache", str(root.parent / "scan.json")]


def test_check_names_every_unreadable_file_with_its_reason(root, capsys):
    assert main(["check", str(root), *scanned(root)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("unreadable: left/broken.png: ")
    assert lines[1] == f"{root}: layout strips, 4 usable, 1 unreadable"


def test_check_fails_if_no_file_is_usable(tmp_path, capsys):
    trees.touch(tmp_path / "root", "a.mp4")
    assert main(["check", str(tmp_path / "root")]) == 1
    assert "a.mp4: the file is empty" in capsys.readouterr().out


def test_statistics_count_classes_lengths_and_sizes(root, capsys):
    assert main(["statistics", str(root), *scanned(root)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "layout: strips",
        "videos: 4, and 1 unreadable",
        "frames: 10 to 10, median 10, 40 in all",
        "duration: 0.0 minutes",
        "size: 16x16 (4)",
        "fps: 25 (4)",
        "reader: strip (4)",
        "class 0 left: 2",
        "class 1 right: 2",
    ]


def test_prepare_check_and_statistics_of_a_store(root, tmp_path, capsys):
    store = str(tmp_path / "store")
    command = ["prepare", str(root), store, "--size", "8", "12", "--preprocessing", "whole"]
    assert main([*command, "--num_workers", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("unreadable: left/broken.png: ")
    assert lines[1:] == [
        f"{store}: 4 videos, 40 frames, 0.0 MB",
        f"train from it with --data.root {store}",
    ]
    assert main([*command, "--num_workers", "0"]) == 0
    assert "0.0 MB, up to date" in capsys.readouterr().out
    assert main(["check", store]) == 0
    assert capsys.readouterr().out == f"{store}: store of 4 videos, whole\n"
    assert main(["statistics", store]) == 0
    assert "class 1 right: 2" in capsys.readouterr().out
    with open(tmp_path / "store" / "frames.u8", "rb+") as file:
        file.write(b"\x01\x02\x03")
    assert main(["check", store]) == 1
    assert "damaged" in capsys.readouterr().out


def test_mistakes_cost_one_line_on_standard_error_and_exit_code_2(root, tmp_path, capsys):
    for arguments, line in (
        (["check", str(tmp_path / "none")], f"error: no folder '{tmp_path}/none'"),
        (["check", str(root), "--split", "val"], "error: "),
        (["prepare", str(root), str(root), "--size", "8"], "is no prepared store"),
        (["prepare", str(root), "x", "--size", "8", "8", "8"], "error: --size [8, 8, 8]"),
    ):
        assert main(arguments) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith("error: ")
        assert line in printed.err
        assert printed.err.count("\n") == 1


@pytest.mark.parametrize("command", [[], ["prepare"], ["stabilize"], ["check"], ["statistics"]])
def test_help_answers_without_loading_torch(command):
    program = (
        "import sys, runpy; sys.argv = ['data', *sys.argv[1:], '--help']\n"
        "try: runpy.run_module('data', run_name='__main__')\n"
        "except SystemExit: print('torch' in sys.modules, 'av' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("usage: python -m data")
    assert result.stdout.endswith("False False\n")


def test_unknown_choices_are_refused_with_the_allowed_ones(root, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["check", str(root), "--layout", "ucf11"])
    assert stop.value.code == 2
    assert "'ucf101'" in capsys.readouterr().err
