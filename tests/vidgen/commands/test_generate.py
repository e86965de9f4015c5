from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from vidgen.commands.arguments import parse_seeds
from vidgen.errors import UserError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def read_video(path):
    with av.open(str(path)) as video:
        rate = video.streams.video[0].average_rate
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    return np.stack(frames).astype(int), rate


@pytest.mark.parametrize(
    "text, seeds",
    [
        ("0-3", [0, 1, 2, 3]),
        ("3,5,9-12", [3, 5, 9, 10, 11, 12]),
        ("7", [7]),
        ("9, 2 - 4", [9, 2, 3, 4]),
        ("4,3-5,4", [4, 3, 5]),
        (str(2**63 - 1), [2**63 - 1]),
    ],
)
def test_lists_of_seeds_keep_their_order_and_name_each_once(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("", "is not a list of seeds such as 0-15"),
        ("a", "'a' is not a list"),
        ("1,,2", "is not a list"),
        ("-3", "is not a list"),
        ("1.5", "is not a list"),
        ("1-2-3", "is not a list"),
        ("9" * 5000, "is not a list"),
        ("5-2", "run backwards; write 2-5"),
        (str(2**63), "seed 9223372036854775808 is too large"),
        ("0-1000000", "more than 1,000,000 seeds"),
        ("0-600000,700000-1200000", "more than 1,000,000 seeds"),
    ],
)
def test_what_is_no_list_of_seeds_is_said(text, complaint):
    with pytest.raises(UserError, match=complaint):
        parse_seeds(text)


def test_sixteen_mp4_files_of_the_first_seeds_are_the_default(tmp_path, trained, vidgen, shades):
    game = trained()
    result = vidgen("generate", "runs/one", "--out", tmp_path / "new" / "clips")
    assert result.code == 0, result.error
    folder = tmp_path / "new" / "clips"
    assert names(folder) == [f"seed-{seed:06d}.mp4" for seed in range(16)]
    assert game.asked == [(Path("runs/one"), "latest", [])]
    frames, rate = read_video(folder / "seed-000005.mp4")
    assert frames.shape == (4, 8, 6, 3) and rate == 8
    assert np.abs(frames[:, 4, 3].T - shades(5, range(4))).max() <= 3
    assert result.lines == [
        f"{folder}/seed-000000.mp4 ... seed-000015.mp4: 4 frames of 6 x 8 at 8 frames a second"
    ]


def test_seeds_choose_the_clips_whatever_the_batch_size(
    tmp_path, trained, vidgen, shades, strip_levels
):
    game = trained()
    for size in (1, 2, 16):
        out = tmp_path / str(size)
        code = vidgen(
            "generate", "r", "--out", out, "--seeds", "3,5,9-11", "--format", "png",
            "--batch_size", size,
        ).code  # fmt: skip
        assert code == 0
        assert names(out) == [f"seed-{seed:06d}.png" for seed in (3, 5, 9, 10, 11)]
        for seed in (3, 5, 9, 10, 11):
            levels = strip_levels(out / f"seed-{seed:06d}.png", 4)
            assert np.array_equal(levels, shades(seed, range(4)))
    assert game.batches == [
        [3], [5], [9], [10], [11],
        [3, 5], [9, 10], [11],
        [3, 5, 9, 10, 11],
    ]  # fmt: skip


def test_frames_truncation_and_checkpoint_reach_the_model(tmp_path, trained, vidgen, strip_levels):
    game = trained()
    result = vidgen(
        "generate", "r", "--out", tmp_path, "--count", 1, "--frames", 6, "--truncation", 0.5,
        "--checkpoint", "step-000000070", "--allow", "my.Game, your.Game", "--format", "png",
    )  # fmt: skip
    assert result.code == 0, result.error
    assert game.asked == [(Path("r"), "step-000000070", ["my.Game", "your.Game"])]
    levels = strip_levels(tmp_path / "seed-000000.png", 6)
    assert levels[0].tolist() == [5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("format", ["mp4", "webm", "gif"])
def test_fps_and_format_reach_the_files(tmp_path, trained, vidgen, format):
    trained()
    code = vidgen(
        "generate", "r", "--out", tmp_path, "--count", 1, "--fps", 12.5, "--format", format
    ).code
    assert code == 0
    frames, rate = read_video(tmp_path / f"seed-000000.{format}")
    assert len(frames) == 4 and rate == 12.5


def test_grid_shows_every_clip_over_time_and_the_table_every_frame(
    tmp_path, trained, vidgen, shades
):
    trained()
    result = vidgen("generate", "r", "--out", tmp_path, "--count", 4, "--grid")
    assert names(tmp_path) == ["grid.mp4", "grid.png"] + [f"seed-00000{i}.mp4" for i in range(4)]
    # Two rows of two clips of 8 x 6 in frames of 2 pixels, every pixel 34 times.
    frames, rate = read_video(tmp_path / "grid.mp4")
    factor = 768 // (2 * 10 + 2)
    assert frames.shape == (4, 22 * factor, 18 * factor, 3) and rate == 8
    for seed, (top, left) in enumerate([(2, 2), (2, 10), (12, 2), (12, 10)]):
        middle = frames[:, (top + 4) * factor, (left + 3) * factor].T
        assert np.abs(middle - shades(seed, range(4))).max() <= 3
    with av.open(str(tmp_path / "grid.png")) as picture:
        table = next(picture.decode(video=0)).to_ndarray(format="rgb24")
    # Four rows of 8 pixels, four columns of 6, and their frames of 2.
    factor = 768 // (4 * 10 + 2)
    assert table.shape == (42 * factor, 34 * factor, 3)
    for seed in range(4):
        row = table[(2 + 10 * seed + 4) * factor, [(2 + 8 * t + 3) * factor for t in range(4)]]
        assert np.array_equal(row.T, shades(seed, range(4)))
    assert [line.split(": ", 1)[1] for line in result.lines[1:]] == [
        "4 clips side by side",
        "a row of frames for each of 4 clips",
    ]


def test_a_long_list_shows_its_first_clips_only(tmp_path, trained, vidgen):
    trained()
    result = vidgen("generate", "r", "--out", tmp_path, "--count", 70, "--format", "png", "--grid")
    assert len(names(tmp_path)) == 72
    assert result.lines[-2].endswith("grid.mp4: 64 clips side by side")
    assert result.lines[-1].endswith("a row of frames for each of 16 clips")
    factor = 768 // (16 * 10 + 2)
    assert Image.open(tmp_path / "grid.png").size == (34 * factor, 162 * factor)


@pytest.mark.parametrize("label, number", [("walk", 1), ("2", 2), ("0", 1)])
def test_a_label_is_a_name_or_a_number_and_names_go_first(
    tmp_path, trained, vidgen, strip_levels, shades, label, number
):
    classes = ["run", "0" if label == "0" else "walk", "wave"]
    trained(num_classes=3, classes=classes)
    arguments = ["--count", 1, "--format", "png", "--label", label]
    assert vidgen("generate", "r", "--out", tmp_path, *arguments).code == 0
    levels = strip_levels(tmp_path / "seed-000000.png", 4)
    assert np.array_equal(levels, shades(0, range(4), label=number))


@pytest.mark.parametrize(
    "num_classes, arguments, complaint",
    [
        (3, ["--label", "swim"], "--label swim: the classes are 0 to 2: run, walk, wave"),
        (3, ["--label", "3"], "--label 3: the classes are 0 to 2: run, walk, wave"),
        (0, ["--label", "run"], "--label run: this model was trained without classes"),
        (0, ["--seeds", "x"], "'x' is not a list of seeds"),
        (0, ["--seeds", "0-3", "--count", "3"], "names 4 clips, --count asks for 3"),
        (0, ["--count", "0"], "--count 0 is outside 1 ... 1,000,000"),
        (0, ["--frames", "9"], "this model makes 1 to 6 frames, not 9"),
        (0, ["--format", "gif", "--fps", "60"], "a GIF shows at most 50 frames a second"),
        (0, ["--format", "avi"], "avi"),
        (0, ["--fps", "0"], "--fps 0.0 is outside 0.01 ... 1,000"),
        (0, ["--fps", ".nan"], "--fps nan is outside"),
        (0, ["--frames", "0"], "--frames 0 is outside 1 ..."),
        (0, ["--batch_size", "0"], "--batch_size 0 is outside 1 ..."),
        (0, ["--truncation", "-1"], "--truncation -1.0 is outside 0 ... 10"),
        (0, ["--device", "gpu7"], "--device gpu7 cannot be used"),
        (0, ["--cuont", "3"], "did you mean --count?"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    tmp_path, trained, vidgen, num_classes, arguments, complaint
):
    trained(num_classes=num_classes, classes=["run", "walk", "wave"] if num_classes else [])
    result = vidgen("generate", "r", "--out", tmp_path, *arguments)
    assert result.code == 2
    assert result.error.startswith("vidgen: ") and result.error.count("\n") == 1
    assert complaint in result.error
    assert names(tmp_path) == []


@pytest.mark.parametrize("run, complaint", [("none", "is not a folder"), (".", "not a run folder")])
def test_what_is_no_run_folder_is_said(tmp_path, vidgen, run, complaint):
    result = vidgen("generate", tmp_path / run, "--out", tmp_path / "clips")
    assert result.code == 2 and complaint in result.error and result.error.count("\n") == 1


def test_a_run_without_a_checkpoint_is_said(tmp_path, vidgen):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    result = vidgen("generate", tmp_path / "run", "--out", tmp_path / "clips")
    assert result.code == 2 and "no checkpoint" in result.error
    assert result.error.count("\n") == 1


def test_a_file_in_the_place_of_the_folder_is_refused_before_the_model_is_loaded(
    tmp_path, trained, vidgen
):
    game = trained()
    (tmp_path / "file").write_text("precious")
    result = vidgen("generate", "r", "--out", tmp_path / "file")
    assert result.code == 2 and f"--out {tmp_path / 'file'} is a file" in result.error
    assert (tmp_path / "file").read_text() == "precious"
    assert game.asked == []


def test_a_batch_too_large_for_the_device_is_one_line(tmp_path, trained, vidgen, monkeypatch):
    def overflow(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(trained(), "sample", overflow)
    result = vidgen("generate", "r", "--out", tmp_path, "--count", 4)
    assert result.code == 2
    assert "4 clips at once do not fit the device's memory; give a smaller" in result.error
