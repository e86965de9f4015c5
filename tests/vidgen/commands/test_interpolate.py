from __future__ import annotations

import av
import numpy as np
import pytest


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def rate_and_length(path):
    with av.open(str(path)) as video:
        return video.streams.video[0].average_rate, len(list(video.decode(video=0)))


def test_new_frames_lie_between_the_models_frames(tmp_path, trained, vidgen, shades, strip_levels):
    trained()
    result = vidgen(
        "interpolate", "r", "--out", tmp_path, "--seeds", "2,7", "--factor", 2, "--format", "png"
    )
    assert result.code == 0, result.error
    assert names(tmp_path) == ["seed-000002-x2.png", "seed-000007-x2.png"]
    for seed in (2, 7):
        levels = strip_levels(tmp_path / f"seed-{seed:06d}-x2.png", 7)
        assert np.array_equal(levels, shades(seed, np.arange(7) / 2))


def test_the_rate_grows_with_the_frames_so_that_the_motion_keeps_its_speed(
    tmp_path, trained, vidgen
):
    trained(fps=8.0)
    vidgen("interpolate", "r", "--out", tmp_path / "a")
    assert rate_and_length(tmp_path / "a" / "seed-000000-x8.mp4") == (64, 25)
    vidgen("interpolate", "r", "--out", tmp_path / "b", "--factor", 3, "--fps", 10)
    assert rate_and_length(tmp_path / "b" / "seed-000000-x3.mp4") == (30, 10)
    vidgen("interpolate", "r", "--out", tmp_path / "c", "--slow_motion")
    assert rate_and_length(tmp_path / "c" / "seed-000000-x8.mp4") == (8, 25)


def test_between_keeps_the_frames_from_one_to_the_other_with_both_ends(
    tmp_path, trained, vidgen, shades, strip_levels
):
    trained()
    code = vidgen(
        "interpolate", "r", "--out", tmp_path, "--factor", 2, "--between", "1,3", "--format", "png"
    ).code
    assert code == 0
    assert names(tmp_path) == ["seed-000000-x2-frames-1-3.png"]
    levels = strip_levels(tmp_path / "seed-000000-x2-frames-1-3.png", 5)
    assert np.array_equal(levels, shades(0, [1, 1.5, 2, 2.5, 3]))


def test_label_truncation_and_smaller_batches_reach_the_model(
    tmp_path, trained, vidgen, strip_levels
):
    game = trained(num_classes=3)
    code = vidgen(
        "interpolate", "r", "--out", tmp_path, "--seeds", "0-4", "--factor", 2, "--label", 2,
        "--truncation", 0.5, "--batch_size", 4, "--format", "png", "--grid",
    ).code  # fmt: skip
    assert code == 0
    assert game.batches == [[0, 1], [2, 3], [4]], "half the clips at once for twice the frames"
    levels = strip_levels(tmp_path / "seed-000001-x2.png", 7)
    assert levels[1, ::2].tolist() == [47, 48, 49, 50], "half of 94, 96, 98, 100"
    assert {"grid.mp4", "grid.png"} <= set(names(tmp_path))


def test_a_walk_is_clips_from_one_seed_to_the_other_and_a_grid_with_a_row_a_walk(
    tmp_path, trained, vidgen, shades, strip_levels
):
    trained()
    result = vidgen(
        "interpolate", "r", "--out", tmp_path, "--seeds", "0,4", "--walk", 8, "--stages", 3,
        "--format", "png",
    )  # fmt: skip
    assert result.code == 0, result.error
    walks = {"walk-000000-000008": [0, 4, 8], "walk-000004-000008": [4, 6, 8]}
    files = [f"{walk}-stage-{stage}.png" for walk in walks for stage in range(3)]
    assert names(tmp_path) == ["grid.mp4", "grid.png", *files]
    for walk, seeds in walks.items():
        for stage, seed in enumerate(seeds):
            levels = strip_levels(tmp_path / f"{walk}-stage-{stage}.png", 4)
            assert np.array_equal(levels, shades(seed, range(4)))
    with av.open(str(tmp_path / "grid.mp4")) as video:
        frame = next(video.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    factor = 768 // (3 * 8 + 2)
    assert frame.shape == (22 * factor, 26 * factor, 3), "two rows of three"
    for row, seeds in enumerate(walks.values()):
        for column, seed in enumerate(seeds):
            pixel = frame[(2 + 10 * row + 4) * factor, (2 + 8 * column + 3) * factor]
            assert np.abs(pixel - shades(seed, [0])[:, 0]).max() <= 3


def test_a_walk_has_its_label_and_its_own_rate(tmp_path, trained, vidgen, shades):
    trained(num_classes=3, classes=["run", "walk", "wave"], fps=5.0)
    vidgen("interpolate", "r", "--out", tmp_path, "--walk", 1, "--stages", 2, "--label", "walk")
    path = tmp_path / "walk-000000-000001-stage-1.mp4"
    assert rate_and_length(path) == (5, 4)
    with av.open(str(path)) as video:
        frame = next(video.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert np.abs(frame[4, 3] - shades(1, [0], label=1)[:, 0]).max() <= 3


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--between", "5"], "--between 5: give two frames, the earlier first, such as 5,6"),
        (["--between", "2,1"], "--between 2,1: give two frames"),
        (["--between", "1," + "9" * 5000], "give two frames"),
        (["--between", "1,4"], "--between 1,4: the frames of a clip are 0 to 3"),
        (["--factor", "0"], "--factor 0 is outside 1 ... 1,000"),
        (["--seeds", "5-1"], "run backwards; write 1-5"),
        (["--label", "run"], "trained without classes"),
        (["--format", "gif"], "a GIF shows at most 50 frames a second, not 64"),
        (["--walk", "1", "--between", "0,1"], "no --between, --slow_motion"),
        (["--walk", "1", "--slow_motion"], "no --between, --slow_motion"),
        (["--walk", "1", "--truncation", "0.5"], "leave --truncation out"),
        (["--walk", "1", "--stages", "1"], "--stages 1 is outside 2 ... 1,000"),
        (["--walk", "1,2"], "--walk 1,2: a way leads to one seed"),
        (["--walk", "x"], "'x' is not a list of seeds"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(tmp_path, trained, vidgen, arguments, complaint):
    trained()
    result = vidgen("interpolate", "r", "--out", tmp_path, *arguments)
    assert result.code == 2
    assert result.error.startswith("vidgen: ") and result.error.count("\n") == 1
    assert complaint in result.error
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "arguments, deed", [([], "make frames between its frames"), (["--walk", 3], "walk from clip")]
)
def test_models_that_cannot_do_it_say_so(tmp_path, trained, vidgen, arguments, deed):
    trained(only_samples=True)
    result = vidgen("interpolate", "r", "--out", tmp_path, *arguments)
    assert result.code == 2 and result.error.count("\n") == 1
    assert f"a StillGame cannot {deed}" in result.error
