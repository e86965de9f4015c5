from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from tests.vidgen.commands.conftest import ShadeGame
from vidgen.commands.clip_makers import frame_times
from vidgen.vgan import VGAN


class TimedGame(ShadeGame):
    """A model that has a frame at any time."""

    continuous = True

    def sample_at(self, seeds, times, labels=None, truncation=1.0):
        return self.shades(seeds, torch.tensor(times), labels, truncation)


class LevelledGame(ShadeGame):
    """A model of two resolutions: each level is of its own shade."""

    def levels(self, seeds, labels=None, num_frames=None, truncation=1.0):
        clips = self.sample(seeds, labels, num_frames, truncation)
        return [clips[..., ::2, ::2] * 0, clips]


@pytest.mark.parametrize(
    ("asked", "times"),
    [
        ((4, 0, 8.0, 16.0), [0, 0.5, 1, 1.5, 2, 2.5, 3]),
        ((4, 0, 8.0, 8.0), [0, 1, 2, 3]),
        ((3, 1, 10.0, 30.0), [-1, -2 / 3, -1 / 3, 0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2]),
        ((4, 0, 25.0, 10.0), [0, 2.5]),
        ((1, 0, 25.0, 100.0), [0]),
    ],
)
def test_the_times_of_another_rate_cover_the_same_frames(asked, times):
    assert frame_times(*asked) == pytest.approx(times)


def test_a_higher_rate_shows_frames_in_between(tmp_path, trained_game, vidgen, shades):
    trained_game(TimedGame())
    result = vidgen(
        "generate", "r", "--seeds", 3, "--fps", 16, "--frames", 5, "--format", "png",
        "--out", tmp_path,
    )  # fmt: skip
    assert result.code == 0, result.error
    strip = np.asarray(Image.open(tmp_path / "seed-000003.png")).astype(int)
    drawn = strip.reshape(8, 9, 6, 3)[0, :, 0].T
    assert np.array_equal(drawn, shades(3, np.arange(9) / 2))


def test_frames_before_the_first_come_first(tmp_path, trained_game, vidgen, shades):
    trained_game(TimedGame())
    result = vidgen(
        "generate", "r", "--seeds", 3, "--before", 2, "--format", "png", "--out", tmp_path
    )
    assert result.code == 0, result.error
    strip = np.asarray(Image.open(tmp_path / "seed-000003.png")).astype(int)
    assert np.array_equal(strip.reshape(8, 6, 6, 3)[0, :, 0].T, shades(3, np.arange(-2, 4)))


def test_levels_stand_side_by_side_at_one_size(tmp_path, trained_game, vidgen, shades):
    trained_game(LevelledGame())
    result = vidgen("generate", "r", "--levels", "--seeds", 5, "--format", "png", "--out", tmp_path)
    assert result.code == 0, result.error
    strip = np.asarray(Image.open(tmp_path / "seed-000005-levels.png")).astype(int)
    frames = strip.reshape(12, 4, 18, 3)  # two of 8 x 6 in frames of 2
    assert (frames[2:10, :, 2:8] == 128).all()
    assert np.array_equal(frames[2, :, 10].T, shades(5, np.arange(4)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--before", 2], "--before 2: this ShadeGame has no frames before the first"),
        (["--levels"], "a ShadeGame cannot show its clips at several resolutions"),
        (["--levels", "--streams"], "--streams and --levels: give one of them"),
        (["--before", -1], "--before -1 is outside 0 ... 100,000"),
    ],
)
def test_what_a_model_cannot_show_costs_a_line(tmp_path, trained, vidgen, options, message):
    trained()
    result = vidgen("generate", "r", *options, "--out", tmp_path)
    assert result.code == 2
    assert message in result.error


def test_a_model_of_whole_frames_keeps_them_at_any_rate(tmp_path, trained_game, vidgen):
    torch.manual_seed(0)
    game = VGAN(num_frames=4, frame_size=16, width=2, discriminator_width=2)
    trained_game(game)
    vidgen("generate", "r", "--count", 1, "--fps", 100, "--format", "png", "--out", tmp_path)
    assert Image.open(tmp_path / "seed-000000.png").size == (4 * 16, 16)
