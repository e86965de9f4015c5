from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.cache import prepare
from data.frames import Preparation, with_channels
from data.geometry import resized
from data.sources import DataError
from data.videos import VideoClips
from tests.data import films, trees

LOSSLESS = {
    "class_folders": trees.write_film,
    "frames": trees.write_frames,
    "strips": trees.write_strip,
    "arrays": trees.write_array,
}


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def source(root: Path, **settings) -> VideoClips:
    """Clips of 4 frames of 16x16; a folder is scanned once, because that starts processes."""
    cache = root.parent / f"{root.name}.scan.json"
    defaults = {"num_frames": 4, "size": 16, "channels": 3, "scan_cache": cache}
    return VideoClips(root, **defaults | settings)


@pytest.fixture(scope="module")
def strips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.write_classes(tmp_path_factory.mktemp("data") / "strips", trees.write_strip)


@pytest.mark.parametrize("layout", LOSSLESS)
def test_the_same_content_gives_the_same_clips_in_every_lossless_layout(tmp_path, layout):
    root = trees.write_classes(tmp_path / "root", LOSSLESS[layout])
    clips = source(root)
    assert (clips.catalog.layout, clips.classes) == (layout, ["left", "right"])
    assert len(clips) == 4
    for item in range(4):
        sample = clips.draw(item, generator(item))
        start = int(generator(item).integers(trees.NUM_FRAMES - 4 + 1))
        expected = trees.clip(item)[start : start + 4].transpose(3, 0, 1, 2)
        np.testing.assert_array_equal(sample.clip, expected)
        assert sample.clip.flags.c_contiguous
        assert sample.label == item // 2


def test_clips_spread_over_a_video_are_the_frames_that_the_sampler_names(strips, tmp_path):
    clips, store = source(strips), tmp_path / "store"
    prepare(strips, store, Preparation((16, 16)))
    for item in range(4):
        found = clips.spread(item, 3)
        np.testing.assert_array_equal(source(store).spread(item, 3), found)
        whole = trees.clip(item).transpose(3, 0, 1, 2)
        expected = np.stack([whole[:, start : start + 4] for start in (0, 3, 6)])
        np.testing.assert_array_equal(found, expected)
        assert found.flags.c_contiguous
    assert clips.labels == [0, 0, 1, 1] and clips.groups == [""] * 4


def test_ucf101_reads_from_the_right_files_by_its_lists(tmp_path):
    root = tmp_path / "UCF-101"
    for number, name in enumerate(("Archery", "Biking")):
        (root / name).mkdir(parents=True)
        for group in (1, 8):
            path = root / name / f"v_{name}_g{group:02d}_c01.avi"
            films.write_film(path, list(trees.clip(2 * number + group // 8, 12, 32, 32)))
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_bytes(b"1 Archery\r\n2 Biking\r\n")
    (lists / "testlist01.txt").write_bytes(b"Biking/v_Biking_g01_c01.avi\r\n")
    clips = source(root, num_frames=8, size=32, split="test", start="first")
    assert (len(clips), clips.classes) == (1, ["Archery", "Biking"])
    sample = clips.draw(0, generator())
    assert sample.label == 1
    # The ground's green tells the number of the clip, within the loss of the encoder.
    assert abs(float(np.median(sample.clip[1])) - (20 + 30 * 2)) < 8


def test_equal_generators_give_equal_clips_and_others_do_not(strips):
    clips = source(strips, size=8, flip=True)
    first, again = (clips.draw(1, generator(7)).clip for _ in range(2))
    np.testing.assert_array_equal(first, again)
    others = [clips.draw(1, generator(seed)).clip for seed in range(8)]
    assert len({other.tobytes() for other in others}) > 4


def test_another_process_draws_the_same(strips):
    program = (
        "import sys, hashlib, numpy; from data.videos import VideoClips;"
        "clips = VideoClips(sys.argv[1], 4, 8, 3, flip=True);"
        "draws = [clips.draw(i, numpy.random.default_rng(i)).clip.tobytes() for i in range(4)];"
        "print(hashlib.sha256(b''.join(draws)).hexdigest(), clips.fingerprint())"
    )
    clips = pickle.loads(pickle.dumps(source(strips, size=8, flip=True)))
    here = hashlib.sha256(
        b"".join(clips.draw(item, generator(item)).clip.tobytes() for item in range(4))
    ).hexdigest()
    printed = subprocess.run(
        [sys.executable, "-c", program, str(strips)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert printed == [here, clips.fingerprint()]


def test_a_flip_mirrors_every_frame_of_a_clip(strips):
    plain = source(strips, num_frames=10)
    flipping = source(strips, num_frames=10, flip=True)
    straight = plain.draw(0, generator()).clip
    mirrored = straight[..., ::-1]
    seen = {True: 0, False: 0}
    for seed in range(40):
        clip = flipping.draw(0, generator(seed)).clip
        is_mirrored = bool((clip == mirrored).all())
        assert is_mirrored or (clip == straight).all()
        seen[is_mirrored] += 1
    assert min(seen.values()) >= 10


def test_grey_clips_weigh_the_colors(strips):
    clip = source(strips, num_frames=1, channels=1).draw(0, generator()).clip
    assert clip.shape == (1, 1, 16, 16)
    # Ground (10, 20, 40): 0.299 * 10 + 0.587 * 20 + 0.114 * 40 = 19.29.
    assert clip[0, 0, 15, 15] == 19
    np.testing.assert_array_equal(with_channels(clip[0][..., None], 3)[0, 15, 15], [19] * 3)


def test_frames_are_scaled_after_the_centre_square_is_cut(tmp_path):
    frames = trees.clip(0, height=24, width=40)
    trees.write_frames(tmp_path / "video", frames)
    clip = source(tmp_path, num_frames=10, size=12).draw(0, generator()).clip
    expected = resized(frames[:, :, 8:32], (12, 12), "bicubic").transpose(3, 0, 1, 2)
    np.testing.assert_array_equal(clip, expected)


@pytest.mark.parametrize("bright_face", [False, True])
def test_the_face_is_cut_by_the_box_of_its_mask(tmp_path, bright_face):
    root = trees.write_faces(tmp_path / "faces", bright_face)
    clips = source(root, num_frames=10, size=25, preprocessing="face", start="first")
    # Marks move over rows 10 to 25 and columns 20 to 44: 16 rows grown to 25, 4 of them above.
    expected = trees.clip(0, height=48, width=64)[:, 6:31, 20:45]
    np.testing.assert_array_equal(clips.draw(0, generator()).clip, expected.transpose(3, 0, 1, 2))
    moving = source(
        root, num_frames=2, preprocessing="face", face_box="frame",
        start="centre",
    )  # fmt: skip
    frames = trees.clip(0, height=48, width=64)
    followed = np.stack([frames[4, 10:26, 24:40], frames[5, 10:26, 25:41]])
    np.testing.assert_array_equal(moving.draw(0, generator()).clip, followed.transpose(3, 0, 1, 2))


def test_broken_videos_are_left_out_named_once_and_the_others_read(tmp_path):
    root = trees.write_classes(tmp_path / "root", trees.write_film)
    whole = (root / "left" / "clip0.mkv").read_bytes()
    (root / "left" / "cut.mkv").write_bytes(whole[: len(whole) // 20])
    (root / "left" / "empty.avi").touch()
    (root / "right" / "text.mp4").write_text("no film")
    clips = source(root)
    assert len(clips) == 4
    report = clips.report()
    for name in ("left/cut.mkv", "left/empty.avi", "right/text.mp4"):
        assert sum(name in line for line in report) == 1, name
    assert "layout class_folders, 4 videos in 2 classes" in report[0]
    assert report[1] == "videos of each class: left 2, right 2"


def test_a_file_that_changes_or_goes_after_the_scan_is_named(tmp_path):
    root = trees.write_classes(tmp_path / "root", trees.write_strip)
    clips = source(root)
    (root / "left" / "clip0.png").unlink()
    with pytest.raises(DataError, match=r"left/clip0\.png' cannot be read: .*No such file"):
        clips.draw(0, generator())
    trees.write_strip(root / "left" / "clip1", trees.clip(1, num_frames=3))
    with pytest.raises(DataError, match=r"left/clip1\.png'.*changed since the scan"):
        clips.draw(1, generator())
    status = os.stat(root / "right" / "clip2.png")
    (root / "right" / "clip2.png").write_bytes(b"x" * status.st_size)
    os.utime(root / "right" / "clip2.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DataError, match=r"right/clip2\.png' cannot be read"):
        clips.draw(2, generator())
    assert clips.draw(3, generator()).label == 1


def test_wanted_classes_are_labelled_in_the_order_given(strips):
    clips = source(strips, classes=["right", "left"])
    assert [clips.draw(item, generator()).label for item in range(4)] == [1, 1, 0, 0]
    one = source(strips, classes=["right"])
    assert (len(one), one.draw(0, generator()).label) == (2, 0)
    with pytest.raises(DataError, match=r"no class 'up' in .*left, right"):
        source(strips, classes=["up"])


def test_limits_draw_videos_by_the_seed(tmp_path):
    for number in range(20):
        (tmp_path / f"class{number % 2}").mkdir(exist_ok=True)
        trees.write_strip(tmp_path / f"class{number % 2}" / f"{number:02d}", trees.clip(0))

    def chosen(**limits) -> list[str]:
        clips = source(tmp_path, **limits)
        return [record.found.path for record in clips._records]

    three = chosen(per_class=3)
    assert [path[:6] for path in three] == ["class0"] * 3 + ["class1"] * 3
    assert three == sorted(three) == chosen(per_class=3)
    assert three != chosen(per_class=3, seed=1)
    assert len(chosen(max_videos=5)) == 5
    assert len(chosen(per_class=100, max_videos=100)) == 20


def test_short_videos_are_looped_left_out_or_refused(tmp_path):
    trees.write_strip(tmp_path / "long", trees.clip(0, 12))
    trees.write_strip(tmp_path / "short", trees.clip(1, 5))
    looped = source(tmp_path, num_frames=8)
    times = looped.draw(1, generator()).clip[0, :, 0, 0]
    np.testing.assert_array_equal(times, [0, 1, 2, 3, 4, 0, 1, 2])
    skipping = source(tmp_path, num_frames=8, short="skip")
    assert len(skipping) == 1
    assert "1 more not used" in skipping.report()[0]
    with pytest.raises(DataError, match=r"'short\.png' has 5 frames, fewer than the 8"):
        source(tmp_path, num_frames=8, short="error")
    with pytest.raises(DataError, match=r"none of the 2 videos.*as long as .* 40 frames.*has 12"):
        source(tmp_path, num_frames=40, short="skip")


def test_clips_keep_time_by_the_rate_of_the_files(strips):
    assert source(strips).fps == 25
    slow = source(strips, stride=2, start="first")
    assert slow.fps == 12.5
    np.testing.assert_array_equal(slow.draw(0, generator()).clip[0, :, 0, 0], [0, 2, 4, 6])
    assert source(strips, fps=10.0).fps == 10


def test_fingerprint_is_of_the_content_not_of_the_place(strips, tmp_path):
    fingerprint = source(strips).fingerprint()
    copy = trees.write_classes(tmp_path / "copy", trees.write_strip)
    assert source(copy).fingerprint() == fingerprint
    assert len(fingerprint) == 64
    for other in (
        {"num_frames": 5},
        {"size": 8},
        {"channels": 1},
        {"stride": 2},
        {"flip": True},
        {"start": "first"},
        {"classes": ["left"]},
        {"preprocessing": "whole"},
    ):
        assert source(strips, **other).fingerprint() != fingerprint, other
    trees.write_strip(copy / "left" / "clip0", trees.clip(0, num_frames=9))
    assert source(copy).fingerprint() != fingerprint


@pytest.mark.parametrize("name", ["num_frames", "size", "channels"])
def test_what_the_game_should_have_filled_in_is_asked_for_by_name(strips, name):
    with pytest.raises(DataError, match=rf"{name} is not set: give data\.{name}"):
        source(strips, **{name: None})


def test_the_scan_is_remembered(tmp_path, monkeypatch):
    root = trees.write_classes(tmp_path / "root", trees.write_strip)
    first = source(root)
    monkeypatch.setattr("data.scan.ProbePool", None)
    assert source(root).fingerprint() == first.fingerprint()


def test_pictures_with_transparency_lose_only_that(tmp_path):
    frames = trees.clip(0)
    strip = np.concatenate(list(frames), axis=1)
    alpha = np.full((*strip.shape[:2], 1), 100, np.uint8)
    Image.fromarray(np.concatenate([strip, alpha], axis=2)).save(tmp_path / "1.png")
    clip = source(tmp_path, num_frames=10).draw(0, generator()).clip
    np.testing.assert_array_equal(clip, frames.transpose(3, 0, 1, 2))
