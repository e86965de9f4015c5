from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from data import stabilizing
from data.__main__ import main
from data.layouts import recognise
from data.mp4 import mp4_file
from tests.data import camera, films

NUM_FRAMES = 22
SETTINGS = ["--num_workers", "0", "--model", "similarity", "--min_frames", "5"]


def write(path: Path, frames: list[np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    films.write_film(path, frames, films.LOSSLESS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three videos named as UCF-101's: of a shaken camera, of noise, and a broken one."""
    folder = tmp_path / "root"
    views = camera.shaken_views(NUM_FRAMES, "similarity")
    write(folder / "Archery/v_Archery_g01_c01.avi", [camera.frame(view) for view in views])
    noise = np.random.default_rng(0).integers(0, 256, (8, 48, 64, 3), np.uint8)
    write(folder / "Biking/v_Biking_g02_c01.avi", list(noise))
    (folder / "Biking/v_Biking_g02_c02.avi").write_bytes(b"nothing")
    return folder


def lines_of(destination: Path) -> dict[str, dict]:
    lines = (destination / "stabilized.jsonl").read_text().splitlines()
    return {json.loads(line)["path"]: json.loads(line) for line in lines}


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file())


def test_a_folder_becomes_the_same_tree_of_still_videos(root, tmp_path, capsys):
    steady = tmp_path / "steady"
    command = ["stabilize", str(root), str(steady), *SETTINGS]
    assert main([*command, "--max_frames", "12"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 4
    assert printed[0].startswith(
        "rejected: Biking/v_Biking_g02_c01.avi: from frame 2 on, 1 frames were followed: "
    )
    assert printed[0].endswith("; 5 later pieces failed too")
    assert printed[1].startswith("rejected: Biking/v_Biking_g02_c02.avi: not a video")
    assert printed[2] == f"{steady}: 2 pieces of 1 videos, 6 pieces and 2 videos rejected"
    kept = lines_of(steady)["Archery/v_Archery_g01_c01.avi"]["files"]
    assert [(one["first_frame"], one["num_frames"]) for one in kept] == [(2, 12), (14, 8)]
    names = ["Archery/v_Archery_g01_c01.mp4", "Archery/v_Archery_g01_c01_piece2.mp4"]
    assert files_in(steady) == [".scan.json", *names, "stabilized.jsonl"]

    # The camera stands where it stood in the third frame; x264 costs a little more.
    frames = films.decoded(root / "Archery/v_Archery_g01_c01.avi").astype(float)
    still = films.decoded(steady / names[0]).astype(float)
    assert still.shape == (12, *frames.shape[1:])
    assert abs(frames[3:14] - frames[2]).mean() > 40
    assert abs(still - frames[2]).mean() < 12

    # Both pieces are the clip of group 1 that split lists name.
    (tmp_path / "trainlist01.txt").write_text("Archery/v_Archery_g01_c01.avi 1\n")
    layout = recognise(steady, split="train")
    assert layout.name == "ucf101"
    assert [(one.path, one.group) for one in layout.found] == [(name, "g01") for name in names]

    # Again: nothing is made anew, not even after a line was cut off. Other settings: all is.
    made = os.stat(steady / names[0]).st_mtime_ns
    before = lines_of(steady)
    with open(steady / "stabilized.jsonl", "a") as report:
        report.write('{"path": "Arch')
    assert main([*command, "--max_frames", "12"]) == 0
    assert "2 videos rejected, 2 videos done before" in capsys.readouterr().out
    assert os.stat(steady / names[0]).st_mtime_ns == made
    assert lines_of(steady) == before
    assert main(command) == 0
    assert "1 pieces of 1 videos, 6 pieces" in capsys.readouterr().out
    assert files_in(steady) == [".scan.json", names[0], "stabilized.jsonl"]
    assert len(films.decoded(steady / names[0])) == NUM_FRAMES - 2


def test_an_interrupted_run_goes_on_behind_the_last_finished_video(
    root, tmp_path, capsys, monkeypatch
):
    views = camera.shaken_views(NUM_FRAMES, "similarity", seed=2)
    write(root / "Biking/v_Biking_g02_c01.avi", [camera.frame(view) for view in views])
    steady = tmp_path / "steady"
    command = ["stabilize", str(root), str(steady), *SETTINGS]
    pieces = []

    class Interrupted(stabilizing.Piece):
        def add(self, frame):
            pieces.append(self)
            if len(set(map(id, pieces))) == 2 and self.num_frames == 4:
                raise KeyboardInterrupt
            return super().add(frame)

    with monkeypatch.context() as patch:
        patch.setattr(stabilizing, "Piece", Interrupted)
        assert main(command) == 130
    first = "Archery/v_Archery_g01_c01.mp4"
    assert files_in(steady) == [".scan.json", first, "stabilized.jsonl"]
    assert list(lines_of(steady)) == ["Archery/v_Archery_g01_c01.avi"]
    assert main(command) == 0
    assert "2 pieces of 2 videos, 0 pieces and 1 videos rejected, 1 videos done before" in (
        capsys.readouterr().out
    )
    assert (steady / "Biking/v_Biking_g02_c01.mp4").is_file()


def test_nothing_kept_is_told_by_the_exit_code(tmp_path, capsys):
    write(tmp_path / "root/flat.avi", [np.full((48, 48, 3), 90, np.uint8)] * 4)
    assert main(["stabilize", str(tmp_path / "root"), str(tmp_path / "steady"), *SETTINGS]) == 1
    assert "flat.avi: from frame 2 on, 1 frames were followed: 0 key points" in (
        capsys.readouterr().out
    )


def test_places_that_would_be_spoilt_are_refused(root, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    for destination, line in (
        (root, "lie within each other"),
        (root / "steady", "lie within each other"),
        (tmp_path, "lie within each other"),
        (tmp_path / "mine", "holds other files: choose a new folder"),
        (tmp_path / "mine" / "thesis.txt", "cannot be made"),
    ):
        assert main(["stabilize", str(root), str(destination), *SETTINGS]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert line in error
        assert error.count("\n") == 1
    assert main(["stabilize", str(root), str(tmp_path / "new"), "--min_inliers", "2"]) == 2
    assert capsys.readouterr().err == "error: min_inliers is 2: give 4 or more\n"


def test_an_mp4_holds_the_frames_given_at_their_rate(tmp_path):
    frames = [camera.frame(camera.shift(5 * time, 0))[:45, :63] for time in range(6)]
    with mp4_file(tmp_path / "a.mp4", fps=30000 / 1001) as add:
        for frame in frames:
            add(frame)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)
    decoded = films.decoded(tmp_path / "a.mp4").astype(float)
    assert decoded.shape == (6, 46, 64, 3)
    # Colors are halved in resolution, so brightness is what comes back.
    luma = [0.299, 0.587, 0.114]
    assert abs(decoded[:, :45, :63] @ luma - np.stack(frames) @ luma).mean() < 2
    assert abs(decoded[:, 45] - decoded[:, 44]).mean() < 3
    assert abs(decoded[:, :, 63] - decoded[:, :, 62]).mean() < 3
