from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from tests.vidgen.commands.conftest import StillGame


class GoingOn(StillGame):
    """Each frame is the image, brighter by 8 levels a frame, from 2 in frame 0 on."""

    def animate(self, images, num_frames=None):
        self.batches.append(list(images.shape))
        steps = 2 + 8 * torch.arange(num_frames or 4.0)
        return images.unsqueeze(2) + steps[:, None, None] / 127.5


class DrawnMotion(GoingOn):
    """As above, and brighter by the seed and by 20 levels for the label of each frame."""

    num_classes = num_categories = 2

    def animate(self, images, num_frames=None, seeds=None, labels=None, truncation=1.0):
        clips = super().animate(images, num_frames)
        labels = torch.tensor(labels or [[0] * clips.shape[2]] * len(images))
        labels = labels.view(len(images), 1, -1, 1, 1)
        seeds = torch.tensor(seeds).view(-1, 1, 1, 1, 1)
        return clips + truncation * (seeds + 20 * labels) / 127.5


def square_game(kind=GoingOn):
    game = kind()
    game.example_shape = (3, 4, 8, 8)
    return game


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)
    return path


def shade(path, level):
    return save(path, np.full((8, 8, 3), level))


def frames_of(path, count=4):
    strip = np.asarray(Image.open(path)).astype(int)
    return strip.reshape(8, count, 8, 3).transpose(1, 0, 2, 3)


def test_a_clip_begins_with_the_image_and_its_closeness_is_said(tmp_path, trained_game, vidgen):
    trained_game(square_game())
    pixels = np.random.default_rng(0).integers(0, 200, (8, 8, 3), np.uint8)
    image = save(tmp_path / "photo.png", pixels)
    out = tmp_path / "out"
    result = vidgen("animate", "r", image, "--format", "png", "--frames", 5, "--out", out)
    assert result.code == 0, result.error
    assert names(out) == ["photo.png"]
    frames = frames_of(out / "photo.png", 5)
    assert np.array_equal(frames, pixels + 2 + 8 * np.arange(5)[:, None, None, None])
    # 10 log10(255^2 / 2^2) of frames that are 2 levels brighter.
    assert result.lines[1] == f"photo: PSNR of the first frame to {image} 42.11 dB"


def test_every_image_of_a_folder_gives_a_clip_and_bad_files_cost_a_line_each(
    tmp_path, trained_game, vidgen
):
    game = trained_game(square_game())
    folder = tmp_path / "images"
    for number, name in enumerate(["b.png", "a.png", "c.bmp", "same.png", "same.bmp", "grid.png"]):
        shade(folder / name, 10 * number)
    (folder / "notes.txt").write_text("no image")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:40])
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "deeper").mkdir()
    out = tmp_path / "out"
    result = vidgen("animate", "r", folder, "--out", out, "--batch_size", 4, "--grid")
    assert result.code == 0, result.error
    clips = ["a", "b", "c", "grid.png", "same.bmp", "same.png"]
    assert names(out) == sorted(["grid.mp4", "grid.png", *(f"{clip}.mp4" for clip in clips)])
    assert [batch[0] for batch in game.batches] == [4, 2]
    left_out = [line for line in result.lines if line.startswith("left out")]
    assert len(left_out) == 2 and all("cannot be read" in line for line in left_out)
    assert f"{folder / 'notes.txt'} cannot be read: it is no image of a known kind" in left_out[1]
    assert sum("PSNR of the first frame" in line for line in result.lines) == 6


def test_the_first_column_of_the_sheet_is_the_images(tmp_path, trained_game, vidgen):
    trained_game(square_game())
    for name, level in (("a.png", 100), ("b.png", 40)):
        shade(tmp_path / "images" / name, level)
    vidgen("animate", "r", tmp_path / "images", "--out", tmp_path / "out", "--grid")
    sheet = np.asarray(Image.open(tmp_path / "out" / "grid.png"))
    factor = 768 // (5 * 10 + 2)
    assert sheet.shape == (22 * factor, 52 * factor, 3)
    for row, level in enumerate((100, 40)):
        middles = [
            sheet[(6 + 10 * row) * factor, (6 + 10 * place) * factor, 0] for place in range(5)
        ]
        assert middles == [level, level + 2, level + 10, level + 18, level + 26]


def test_each_seed_gives_its_own_clip_of_an_image_and_0_is_the_default(
    tmp_path, trained_game, vidgen
):
    trained_game(square_game(DrawnMotion))
    shade(tmp_path / "a.png", 50)
    options = ["--format", "png", "--truncation", 2, "--out", tmp_path / "out"]
    assert vidgen("animate", "r", tmp_path / "a.png", *options).code == 0
    assert frames_of(tmp_path / "out" / "a.png")[0, 0, 0, 0] == 52
    assert vidgen("animate", "r", tmp_path / "a.png", "--seeds", "3,5", *options).code == 0
    assert names(tmp_path / "out") == ["a-seed-000003.png", "a-seed-000005.png", "a.png"]
    assert frames_of(tmp_path / "out" / "a-seed-000005.png")[0, 0, 0, 0] == 52 + 2 * 5


def test_classes_take_turns_here_too(tmp_path, trained_game, vidgen):
    trained_game(square_game(DrawnMotion), classes=["run", "walk"])
    shade(tmp_path / "a.png", 50)
    code = vidgen(
        "animate", "r", tmp_path / "a.png", "--label", "walk,run", "--change_every", 3,
        "--format", "png", "--out", tmp_path / "out",
    ).code  # fmt: skip
    assert code == 0
    levels = frames_of(tmp_path / "out" / "a.png")[:, 0, 0, 0]
    assert levels.tolist() == [72, 80, 88, 76]


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--seeds", "0-1"], "--seeds: this GoingOn draws nothing, an image has one clip"),
        (["--truncation", "0.5"], "--truncation: this GoingOn draws nothing"),
        (["--frames", "0"], "--frames 0 is outside 1 ..."),
        (["--label", "0"], "trained without classes"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    tmp_path, trained_game, vidgen, arguments, complaint
):
    trained_game(square_game())
    shade(tmp_path / "a.png", 50)
    result = vidgen("animate", "r", tmp_path / "a.png", "--out", tmp_path / "out", *arguments)
    assert result.code == 2 and result.error.count("\n") == 1
    assert complaint in result.error
    assert not (tmp_path / "out").exists()


def test_places_without_an_image_are_one_line(tmp_path, trained_game, vidgen):
    trained_game(square_game())
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "bad" / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    for place, complaint in [
        ("none", "is neither an image nor a folder of images"),
        ("empty", "is empty; give an image"),
        ("bad", "could be read as an image"),
        ("bad/a.png", "bad/a.png cannot be read"),
    ]:
        result = vidgen("animate", "r", tmp_path / place, "--out", tmp_path / "out")
        assert result.code == 2 and result.error.count("\n") == 1
        assert complaint in result.error


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("a.png", ["--format", "png"]),
        ("a-seed-000002.png", ["--format", "png", "--seeds", "1-2"]),
        ("grid.png", ["--grid"]),
    ],
)
def test_an_image_is_never_overwritten(tmp_path, trained_game, vidgen, name, arguments):
    trained_game(square_game(DrawnMotion))
    paths = [shade(tmp_path / "a.png", 50), shade(tmp_path / name, 60)]
    before = [path.read_bytes() for path in paths]
    result = vidgen("animate", "r", tmp_path, "--out", tmp_path, *arguments)
    assert result.code == 2 and f"{tmp_path / name} would be overwritten" in result.error
    assert [path.read_bytes() for path in paths] == before


def test_models_that_begin_with_no_image_say_so(tmp_path, trained, vidgen):
    trained()
    image = shade(tmp_path / "a.png", 50)
    result = vidgen("animate", "r", image, "--out", tmp_path / "out")
    assert result.code == 2 and "a ShadeGame cannot go on from an image" in result.error


@pytest.mark.parametrize("name", ["ImageVGAN", "ImageToVideoMoCoGAN"])
def test_the_games_of_both_papers_go_on_from_an_image(tmp_path, trained_game, vidgen, name):
    import vidgen as package

    torch.manual_seed(0)
    small = {"frame_size": 16, "num_frames": 16}
    widths = {
        "ImageVGAN": {"width": 2},
        "ImageToVideoMoCoGAN": {"generator_width": 2, "discriminator_width": 2, "encoder_width": 2},
    }
    game = trained_game(getattr(package, name)(**small, **widths[name]))
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    image = save(tmp_path / "photo.png", pixels)
    for out in ("one", "two"):
        code = vidgen("animate", "r", image, "--format", "png", "--out", tmp_path / out).code
        assert code == 0
    strip = np.asarray(Image.open(tmp_path / "one" / "photo.png"))
    images = game.from_pixels(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    clip = game.to_pixels(game.animate(images))[0].permute(2, 1, 3, 0).flatten(1, 2)
    assert np.array_equal(strip, clip.numpy())
    assert np.array_equal(strip, np.asarray(Image.open(tmp_path / "two" / "photo.png")))
