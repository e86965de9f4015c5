from __future__ import annotations

import av
import numpy as np
import pytest
import torch
from PIL import Image

from vidgen.mocogan import MoCoGAN


def tiny_mocogan(**options):
    torch.manual_seed(2)
    small = {"frame_size": 16, "generator_width": 2, "discriminator_width": 2}
    game = MoCoGAN(**(small | {"num_classes": 3} | options))
    with torch.no_grad():
        for weight in game.generator.parameters():
            weight.mul_(3)
    return game


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def strip(path, num_frames=16):
    """Pixels (channel, time, height, width) of a strip of frames of 16 x 16."""
    return np.asarray(Image.open(path)).reshape(16, num_frames, 16, 3).transpose(3, 1, 0, 2)


def made(game, *arguments):
    return game.to_pixels(game.sample(*arguments)).numpy()


def test_rows_share_the_content_and_columns_the_motion(tmp_path, trained_game, vidgen):
    game = trained_game(tiny_mocogan())
    result = vidgen(
        "recombine", "r", "--content_seeds", "4,9", "--motion_seeds", "9,2,4", "--clips",
        "--format", "png", "--batch_size", 2, "--out", tmp_path,
    )  # fmt: skip
    assert result.code == 0, result.error
    expected = game.to_pixels(game.recombine([4, 9], [9, 2, 4])).numpy()
    for row, content in enumerate([4, 9]):
        for column, motion in enumerate([9, 2, 4]):
            path = tmp_path / f"content-{content:06d}-motion-{motion:06d}.png"
            assert np.array_equal(strip(path), expected[row, column])
    same = strip(tmp_path / "content-000009-motion-000009.png")
    assert np.array_equal(same, made(game, [9])[0]), "where seeds agree, it is that of generate"
    assert len(names(tmp_path)) == 6 + 2


def test_the_grid_is_a_content_a_row_and_a_motion_a_column(tmp_path, trained_game, vidgen):
    game = trained_game(tiny_mocogan())
    result = vidgen(
        "recombine", "r", "--contents", 2, "--motions", 3, "--label", 1, "--frames", 20,
        "--out", tmp_path,
    )  # fmt: skip
    assert result.code == 0, result.error
    assert names(tmp_path) == ["grid.mp4", "grid.png"]
    with av.open(str(tmp_path / "grid.mp4")) as film:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in film.decode(video=0)]
    factor = 768 // (3 * 18 + 2)
    assert len(frames) == 20 and frames[0].shape == (38 * factor, 56 * factor, 3)
    expected = game.to_pixels(game.recombine([0, 1], [0, 1, 2], 20, [1, 1, 1])).numpy()
    luma = np.array([0.299, 0.587, 0.114])
    drawn = np.einsum("rkctyx,c->rktyx", expected, luma)[:, :, 19]
    for row in range(2):
        for column in range(3):
            top, left = (2 + 18 * row) * factor, (2 + 18 * column) * factor
            place = frames[19][top : top + 16 * factor, left : left + 16 * factor]
            # Colors are stored at half the size and blur; the brightness is that of the pixels.
            shown = (place @ luma)[factor // 2 :: factor, factor // 2 :: factor]
            distance = np.abs(drawn - shown).mean(axis=(2, 3))
            assert distance.argmin() == 3 * row + column
            assert 2 * distance[row, column] < np.partition(distance.flatten(), 1)[1]


def test_the_sheet_has_a_row_for_every_clip(tmp_path, trained_game, vidgen):
    trained_game(tiny_mocogan())
    result = vidgen("recombine", "r", "--out", tmp_path)
    assert result.lines[-1].endswith("a row of frames for each of 24 clips")
    assert result.lines[0].endswith("grid.mp4: 24 clips side by side")
    with Image.open(tmp_path / "grid.png") as sheet:
        assert sheet.size == (16 * 18 + 2, 24 * 18 + 2)


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--contents", 0], "--contents 0 is outside 1 ..."),
        (["--motions", 2, "--motion_seeds", "0-2"], "--motion_seeds 0-2 names 3 clips, --motions"),
        (["--content_seeds", "a"], "'a' is not a list of seeds"),
        (["--contents", 33, "--motions", 32], "33 contents in 32 motions are more than the 1,024"),
        (["--label", "7"], "--label 7: the classes are 0 to 2"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    tmp_path, trained_game, vidgen, arguments, complaint
):
    trained_game(tiny_mocogan())
    result = vidgen("recombine", "r", "--out", tmp_path, *arguments)
    assert result.code == 2 and result.error.count("\n") == 1
    assert complaint in result.error
    assert names(tmp_path) == []


def test_models_that_cannot_recombine_say_so(tmp_path, trained, vidgen):
    trained()
    result = vidgen("recombine", "r", "--out", tmp_path)
    assert result.code == 2 and "a ShadeGame cannot show one content in several" in result.error


# The classes of generate, which change in time here only.


@pytest.mark.parametrize("mode", ["supervised", "infogan"])
def test_classes_take_turns_within_a_clip_of_any_length(tmp_path, trained_game, vidgen, mode):
    game = trained_game(tiny_mocogan(category_mode=mode))
    result = vidgen(
        "generate", "r", "--label", "2, 0", "--change_every", 8, "--frames", 20, "--seeds", "5-6",
        "--format", "png", "--out", tmp_path,
    )  # fmt: skip
    assert result.code == 0, result.error
    turns = [2] * 8 + [0] * 8 + [2] * 4
    expected = made(game, [5, 6], [turns, turns], 20)
    assert np.array_equal(strip(tmp_path / "seed-000006.png", 20), expected[1])
    assert not np.array_equal(expected[1], made(game, [6], [2], 20)[0])


def test_without_a_label_all_classes_take_turns(tmp_path, trained_game, vidgen):
    game = trained_game(tiny_mocogan())
    arguments = ["--change_every", 6, "--count", 1, "--format", "png"]
    assert vidgen("generate", "r", *arguments, "--out", tmp_path).code == 0
    turns = [0] * 6 + [1] * 6 + [2] * 4
    assert np.array_equal(strip(tmp_path / "seed-000000.png"), made(game, [0], [turns])[0])


def test_classes_that_change_have_names_too_and_a_comma_may_be_in_one(
    tmp_path, trained_game, vidgen
):
    game = trained_game(tiny_mocogan(), classes=["run", "walk", "stop, wave"])
    arguments = ["--count", 1, "--format", "png"]
    assert vidgen("generate", "r", "--label", "stop, wave", *arguments, "--out", tmp_path).code == 0
    assert np.array_equal(strip(tmp_path / "seed-000000.png"), made(game, [0], [2])[0])
    arguments += ["--label", "walk,0", "--change_every", 15]
    assert vidgen("generate", "r", *arguments, "--out", tmp_path).code == 0
    expected = made(game, [0], [[1] * 15 + [0]])[0]
    assert np.array_equal(strip(tmp_path / "seed-000000.png"), expected)


def test_ninety_six_frames_begin_with_the_trained_sixteen(tmp_path, trained_game, vidgen):
    game = trained_game(tiny_mocogan(category_mode="infogan"))
    arguments = ["--frames", 96, "--label", 1, "--count", 1, "--format", "png"]
    assert vidgen("generate", "r", *arguments, "--out", tmp_path).code == 0
    long = strip(tmp_path / "seed-000000.png", 96)
    assert np.array_equal(long[:, :16], made(game, [0], [1])[0])
    assert not np.array_equal(long[:, 80:], long[:, :16])


@pytest.mark.parametrize(
    "mode, arguments, complaint",
    [
        ("infogan", ["--label", "run"], "--label run: the classes are 0 to 2\n"),
        ("infogan", ["--label", "9" * 5000], "the classes are 0 to 2\n"),
        ("supervised", ["--label", "0,1"], "names 2 classes; say after how many frames"),
        ("supervised", ["--label", "run,swim", "--change_every", 2], "--label swim: the classes"),
        ("supervised", ["--label", "1", "--change_every", 2], "needs several classes"),
        ("supervised", ["--change_every", 0], "--change_every 0 is outside 1 ..."),
    ],
)
def test_classes_that_are_not_there_are_one_line(
    tmp_path, trained_game, vidgen, mode, arguments, complaint
):
    trained_game(tiny_mocogan(category_mode=mode), classes=["run", "walk", "wave"])
    result = vidgen("generate", "r", "--out", tmp_path, *arguments)
    assert result.code == 2 and result.error.count("\n") == 1
    assert complaint in result.error
    assert names(tmp_path) == []


def test_models_of_one_class_a_clip_refuse_a_change(tmp_path, trained, vidgen):
    trained(num_classes=3)
    result = vidgen("generate", "r", "--out", tmp_path, "--label", "0,1", "--change_every", 2)
    assert result.code == 2 and "this ShadeGame has no category a frame" in result.error
