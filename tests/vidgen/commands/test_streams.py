from __future__ import annotations

import av
import numpy as np
import torch
from PIL import Image

from vidgen.commands import stream_views
from vidgen.vgan import VGAN


def tiny_vgan(**options):
    torch.manual_seed(1)
    small = {"num_frames": 4, "frame_size": 16, "width": 2, "discriminator_width": 2}
    game = VGAN(**(small | options))
    with torch.no_grad():
        for weight in game.parameters():
            weight.mul_(6)  # so that streams differ by more than a level
    return game


def test_foreground_background_mask_and_result_stand_from_left_to_right():
    game = tiny_vgan()
    levels = {"foreground": -1.0, "background": 0.6, "mask": 0.2, "video": 1.0}
    streams = {
        name: torch.full((2, 1 if name == "mask" else 3, 4, 16, 16), level)
        for name, level in levels.items()
    }
    view = stream_views.side_by_side(game, streams)
    assert view.shape == (2, 3, 4, 20, 74)  # four of 16 pixels in frames of 2
    for place, level in enumerate([0, 204, 51, 255]):
        left = 2 + 18 * place
        assert (view[..., 2:18, left : left + 16] == level).all()


def test_every_clip_of_streams_is_that_of_its_seed(tmp_path, trained_game, vidgen):
    game = trained_game(tiny_vgan())
    result = vidgen(
        "generate", "r", "--streams", "--seeds", "3,8", "--frames", 3, "--format", "png",
        "--truncation", 0.5, "--out", tmp_path,
    )  # fmt: skip
    assert result.code == 0, result.error
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "seed-000003-streams.png",
        "seed-000008-streams.png",
    ]
    strip = np.asarray(Image.open(tmp_path / "seed-000008-streams.png"))
    frames = strip.reshape(20, 3, 74, 3)
    streams = game.streams([3, 8], 3, 0.5)
    for place, name in enumerate(["foreground", "background", "mask", "video"]):
        stream = streams[name][1] * 2 - 1 if name == "mask" else streams[name][1]
        expected = game.to_pixels(stream.expand(3, -1, -1, -1)).permute(2, 1, 3, 0).numpy()
        left = 2 + 18 * place
        assert np.array_equal(frames[2:18, :, left : left + 16], expected), name
    assert np.ptp(frames[2:18, :, 2:18]) > 20, "the foreground shows something"


def test_one_stream_is_the_result_alone(tmp_path, trained_game, vidgen):
    trained_game(tiny_vgan(two_streams=False))
    code = vidgen(
        "generate", "r", "--streams", "--count", 1, "--format", "png", "--out", tmp_path
    ).code
    assert code == 0
    assert Image.open(tmp_path / "seed-000000-streams.png").size == (4 * 16, 16)


def test_the_grid_of_streams_is_about_as_wide_as_high(tmp_path, trained_game, vidgen):
    trained_game(tiny_vgan())
    vidgen("generate", "r", "--streams", "--count", 4, "--grid", "--out", tmp_path)
    # One column of four, each 20 x 74; the sheet has 16 * 20 // 74 = 4 frames a row.
    factor = 768 // (4 * 22 + 2)
    with Image.open(tmp_path / "grid.png") as sheet:
        assert sheet.size == (2 * (4 * 76 + 2), 2 * (4 * 22 + 2))
    with av.open(str(tmp_path / "grid.mp4")) as film:
        frame = next(film.decode(video=0))
    assert (frame.width, frame.height) == (78 * factor, 90 * factor)


def test_more_frames_than_there_are_is_one_line(tmp_path, trained_game, vidgen):
    trained_game(tiny_vgan())
    result = vidgen("generate", "r", "--streams", "--frames", 5, "--out", tmp_path)
    assert result.code == 2 and result.error.count("\n") == 1
    assert "this model makes 1 to 4 frames, not 5" in result.error


def test_models_without_streams_say_so(tmp_path, trained, vidgen):
    trained()
    result = vidgen("generate", "r", "--streams", "--out", tmp_path)
    assert result.code == 2 and result.error.count("\n") == 1
    assert "a ShadeGame cannot show foreground, background and mask" in result.error
    assert not list(tmp_path.iterdir())
