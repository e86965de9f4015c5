from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import av
import decord
import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from vidgen.errors import UserError
from vidgen.writing import (
    enlarged,
    frame_sheet,
    grid,
    remove_leftovers,
    replacing,
    write_clip,
    write_gif,
    write_mp4,
    write_png_strip,
    write_webm,
)


def color_clip(num_frames: int = 6, height: int = 32, width: int = 64) -> np.ndarray:
    """Slow ramps in all three channels, different along x, y and time."""
    frame, y, x = np.mgrid[:num_frames, :height, :width].astype(float)
    red, green = 40 + 160 * x / width, 210 - 150 * y / height
    return np.stack([red, green, 60 + 10 * frame]).round().astype(np.uint8)


def flat_clip(color: tuple[int, int, int], num_frames: int = 2) -> np.ndarray:
    return np.broadcast_to(
        np.array(color, np.uint8)[:, None, None, None], (3, num_frames, 32, 32)
    ).copy()


def read_with_pyav(path: Path) -> np.ndarray:
    with av.open(str(path)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    return np.stack(frames).transpose(3, 0, 1, 2)


def read_with_decord(path: Path) -> np.ndarray:
    reader = decord.VideoReader(str(path), num_threads=1)
    return reader.get_batch(range(len(reader))).asnumpy().transpose(3, 0, 1, 2)


def read_gif(path: Path) -> tuple[np.ndarray, list[int]]:
    with Image.open(path) as image:
        frames, durations = [], []
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")))
            durations.append(frame.info["duration"])
    return np.stack(frames).transpose(3, 0, 1, 2), durations


def psnr(clip: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((clip.astype(float) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.fixture
def unchecked():
    """As outside the tests: annotations are not checked, so that what comes through is seen."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("read", [read_with_pyav, read_with_decord])
@pytest.mark.parametrize("writer, suffix", [(write_mp4, ".mp4"), (write_webm, ".webm")])
def test_videos_read_back_with_the_same_frames_size_and_colors(tmp_path, read, writer, suffix):
    clip = color_clip()
    writer(tmp_path / f"clip{suffix}", clip, 25)
    back = read(tmp_path / f"clip{suffix}")
    assert back.shape == clip.shape
    # Measured 41.3 dB (mp4) and 41.0 dB (webm); frames off by one give 33, swapped channels 14.
    assert psnr(clip, back) > 40


def test_tensors_are_written_as_arrays_are(tmp_path):
    write_mp4(tmp_path / "array.mp4", color_clip(), 25)
    write_mp4(tmp_path / "tensor.mp4", torch.from_numpy(color_clip()), 25)
    assert (tmp_path / "array.mp4").read_bytes() == (tmp_path / "tensor.mp4").read_bytes()


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("color", [(230, 20, 20), (20, 220, 20), (20, 20, 230), (255, 255, 255)])
def test_pure_colors_come_back_within_three_levels(tmp_path, suffix, color):
    # A BT.601 matrix read as BT.709, or the full range as the narrow one, is off by 14 or more.
    path = tmp_path / f"flat{suffix}"
    write_clip(path, flat_clip(color), 8)
    for back in (read_with_pyav(path), read_with_decord(path)):
        assert np.abs(back.astype(int) - flat_clip(color)).max() <= 3


def test_mp4_tells_browsers_its_codec_pixels_and_colors(tmp_path):
    write_mp4(tmp_path / "clip.mp4", color_clip(), 25)
    with av.open(str(tmp_path / "clip.mp4")) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.format.name) == ("h264", "yuv420p")
        frame = next(video.decode(video=0))
    assert frame.colorspace == 1, "BT.709 matrix"
    assert frame.color_primaries == 1, "BT.709 primaries"
    assert frame.color_trc == 13, "sRGB curve"
    assert frame.color_range == 1, "narrow range"
    label = (tmp_path / "clip.mp4").read_bytes().partition(b"colrnclx")[2][:7]
    assert label == bytes([0, 1, 0, 13, 0, 1, 0]), "the container says the same as the stream"


@pytest.mark.parametrize("fps", [8, 25, 12.5, 30000 / 1001, Fraction(24000, 1001), 200, 0.5])
def test_mp4_keeps_the_rate_and_lasts_as_long_as_its_frames(tmp_path, fps):
    write_mp4(tmp_path / "clip.mp4", color_clip(num_frames=5), fps)
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(tmp_path / "clip.mp4")) as video:
        stream = video.streams.video[0]
        assert stream.average_rate == rate
        assert stream.frames == 5
        assert stream.duration * stream.time_base == 5 / rate
        times = [frame.pts * frame.time_base for frame in video.decode(video=0)]
    assert times == [index / rate for index in range(5)]
    reader = decord.VideoReader(str(tmp_path / "clip.mp4"))
    assert reader.get_avg_fps() == pytest.approx(float(rate))


def test_webm_keeps_the_rate(tmp_path):
    write_webm(tmp_path / "clip.webm", color_clip(), 30000 / 1001)
    with av.open(str(tmp_path / "clip.webm")) as video:
        assert video.streams.video[0].average_rate == Fraction(30000, 1001)
        assert video.streams.video[0].codec_context.name == "vp9"


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_odd_sizes_grow_by_repeating_the_last_row_and_column(tmp_path, suffix):
    clip = color_clip()[:, :, :31, :63]
    write_clip(tmp_path / f"odd{suffix}", clip, 25)
    back = read_with_pyav(tmp_path / f"odd{suffix}")
    assert back.shape == (3, 6, 32, 64)
    assert psnr(clip, back[:, :, :31, :63]) > 40
    assert np.abs(back[:, :, 31, :63].astype(int) - clip[:, :, 30]).mean() < 3
    assert np.abs(back[:, :, :31, 63].astype(int) - clip[:, :, :, 62]).mean() < 3


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_one_frame_of_one_pixel_is_a_file_that_opens(tmp_path, suffix):
    clip = np.full((3, 1, 1, 1), 90, np.uint8)
    write_clip(tmp_path / f"dot{suffix}", clip, 25)
    back = read_with_pyav(tmp_path / f"dot{suffix}")
    assert np.abs(back.astype(int) - 90).max() <= 3


def test_one_frame_reads_back_through_decord(tmp_path):
    clip = color_clip(num_frames=1)
    write_mp4(tmp_path / "one.mp4", clip, 25)
    assert psnr(clip, read_with_decord(tmp_path / "one.mp4")) > 40


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_grey_clips_stay_grey_and_keep_their_levels(tmp_path, suffix):
    clip = color_clip()[:1]
    write_clip(tmp_path / f"grey{suffix}", clip, 25)
    back = read_with_pyav(tmp_path / f"grey{suffix}").astype(int)
    assert psnr(clip, back) > 44
    assert np.abs(back - back.mean(axis=0)).max() <= 1


def test_mp4_has_its_index_before_its_pictures(tmp_path):
    write_mp4(tmp_path / "clip.mp4", color_clip(), 25)
    content = (tmp_path / "clip.mp4").read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")
    assert b"elst" not in content or b"ctts" not in content, "no reordered frames, no edit to them"


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".png"])
def test_equal_clips_are_equal_bytes(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (3, 4, 32, 32), dtype=np.uint8)
    for name in ("first", "second", "third"):
        write_clip(tmp_path / f"{name}{suffix}", noise, 25)
    assert len({file.read_bytes() for file in tmp_path.iterdir()}) == 1


def test_mp4_is_encoded_without_what_changes_its_bytes_from_time_to_time(tmp_path):
    # Too rare to wait for: the macroblock tree gave other bytes in 6 of 120 files; and threads are
    # used for large frames only.
    write_mp4(tmp_path / "clip.mp4", color_clip(num_frames=1, height=256, width=256), 25)
    settings = (
        (tmp_path / "clip.mp4").read_bytes().partition(b"options: ")[2].split(b"\0")[0].split()
    )
    assert {b"threads=1", b"mbtree=0", b"bframes=0", b"crf=12.0"} <= set(settings)


@pytest.mark.parametrize("fps", [12, 25, 30000 / 1001, 24, 50, 7.5])
def test_gif_delays_add_up_to_the_rate_with_the_rounding_spread(tmp_path, fps):
    write_gif(tmp_path / "clip.gif", color_clip(num_frames=9), fps)
    delays = read_gif(tmp_path / "clip.gif")[1]
    assert len(delays) == 9
    for count, milliseconds in enumerate(accumulate(delays), start=1):
        assert abs(milliseconds - 1000 * count / fps) <= 5.0 + 1e-2
    assert max(delays) - min(delays) <= 10


def test_gif_keeps_frames_that_equal_the_one_before_and_loops_for_ever(tmp_path):
    still = flat_clip((10, 200, 30), num_frames=4)
    write_gif(tmp_path / "still.gif", still, 10)
    back, delays = read_gif(tmp_path / "still.gif")
    assert np.array_equal(back, still)
    assert delays == [100, 100, 100, 100]
    assert Image.open(tmp_path / "still.gif").info["loop"] == 0


def test_gif_palettes_follow_the_colors_of_each_frame(tmp_path):
    clip = color_clip(num_frames=8, height=48)
    write_gif(tmp_path / "clip.gif", clip, 10)
    # Measured 40.9 dB; one palette for all frames of this clip gives 33.3.
    assert psnr(clip, read_gif(tmp_path / "clip.gif")[0]) > 39
    few = clip // 64 * 64
    write_gif(tmp_path / "few.gif", few, 10)
    assert np.array_equal(read_gif(tmp_path / "few.gif")[0], few), "few colors are kept exactly"


def test_gif_refuses_rates_that_browsers_slow_down(tmp_path):
    with pytest.raises(UserError, match=r"at most 50 frames a second, not 60: write mp4"):
        write_gif(tmp_path / "fast.gif", color_clip(), 60)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("channels, mode", [(3, "RGB"), (1, "L")])
def test_png_strip_holds_the_exact_frames_from_left_to_right(tmp_path, channels, mode):
    clip = color_clip(num_frames=5, height=32, width=32)[:channels]
    write_png_strip(tmp_path / "strip.png", clip)
    image = Image.open(tmp_path / "strip.png")
    assert (image.mode, image.size) == (mode, (5 * 32, 32))
    strip = np.asarray(image).reshape(32, 160, channels)
    for index in range(5):
        frame = strip[:, 32 * index : 32 * (index + 1)]
        assert np.array_equal(frame, clip[:, index].transpose(1, 2, 0))


@pytest.mark.parametrize(
    "suffix, beginning",
    [(".MP4", b"ftyp"), (".webm", b"\x1a\x45\xdf\xa3"), (".gif", b"GIF89a"), (".png", b"\x89PNG")],
)
def test_the_ending_of_the_name_chooses_the_kind_of_file(tmp_path, suffix, beginning):
    write_clip(tmp_path / f"clip{suffix}", color_clip(), 10)
    assert beginning in (tmp_path / f"clip{suffix}").read_bytes()[:12]


def test_other_endings_are_refused_by_name(tmp_path):
    with pytest.raises(
        ValueError, match=r"clip\.avi: it must end in \.mp4, \.webm, \.gif or \.png"
    ):
        write_clip(tmp_path / "clip.avi", color_clip(), 10)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".png"])
@pytest.mark.parametrize(
    "pixels, complaint",
    [
        (np.zeros((3, 2, 8, 8), np.float32), "uint8 in 0..255, not float32"),
        (torch.zeros(3, 2, 8, 8), "uint8 in 0..255, not float32"),
        (np.zeros((3, 8, 8), np.uint8), r"not \(3, 8, 8\)"),
        (np.zeros((2, 3, 8, 8), np.uint8), r"not \(2, 3, 8, 8\)"),
        (np.zeros((3, 0, 8, 8), np.uint8), r"not \(3, 0, 8, 8\)"),
    ],
)
def test_what_is_no_clip_of_pixels_is_refused(tmp_path, unchecked, suffix, pixels, complaint):
    with pytest.raises(ValueError, match=complaint):
        write_clip(tmp_path / f"clip{suffix}", pixels, 10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
@pytest.mark.parametrize("fps", [0, -5, float("nan"), float("inf"), 1e-9])
def test_impossible_rates_are_refused(tmp_path, suffix, fps):
    with pytest.raises(ValueError, match=r"fps must be a positive number"):
        write_clip(tmp_path / f"clip{suffix}", color_clip(), fps)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".png"])
def test_a_folder_in_the_place_of_the_file_is_one_line_and_leaves_no_trace(tmp_path, suffix):
    path = tmp_path / f"clip{suffix}"
    path.mkdir()
    with pytest.raises(UserError) as error:
        write_clip(path, color_clip(), 10)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("here first")
    with pytest.raises(UserError, match=r"cannot write .*clip\.mp4: Not a directory"):
        write_mp4(tmp_path / "file" / "clip.mp4", color_clip(), 10)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".png"])
def test_a_full_disk_is_one_line_and_keeps_the_old_file(tmp_path, suffix):
    path = tmp_path / f"clip{suffix}"
    path.write_bytes(b"the old one")
    noise = np.random.default_rng(0).integers(0, 256, (3, 4, 32, 32), dtype=np.uint8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(UserError, match=f"cannot write {path}: .*large"):
            write_clip(path, noise, 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"the old one"


def test_an_error_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "clip.mp4") as unfinished:
        unfinished.write_bytes(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path):
    with replacing(tmp_path / "clip.mp4") as unfinished:
        kept = unfinished
        (tmp_path / ".12-ab.part").touch()
        (tmp_path / "clip.part").touch()
        for name in (".12-ab.part", "clip.part"):
            os.utime(tmp_path / name, (0, time.time() - 4000))
        remove_leftovers(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([kept, tmp_path / "clip.part"])
    remove_leftovers(tmp_path / "no folder")


def test_new_files_can_be_read_by_those_whom_the_umask_lets(tmp_path):
    old = os.umask(0o022)
    try:
        write_png_strip(tmp_path / "strip.png", color_clip())
    finally:
        os.umask(old)
    assert (tmp_path / "strip.png").stat().st_mode & 0o777 == 0o644


def test_killed_at_any_moment_the_final_name_holds_a_whole_file(tmp_path):
    script = (
        "import numpy as np, sys\n"
        "from pathlib import Path\n"
        "from vidgen.writing import write_mp4\n"
        "noise = np.random.default_rng(0).integers(0, 256, (3, 8, 32, 32), dtype=np.uint8)\n"
        "while True:\n"
        "    write_mp4(Path(sys.argv[1]), noise, 25)\n"
        "    print('written', flush=True)\n"
    )
    path = tmp_path / "clip.mp4"
    sizes = set()
    writer = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "written\n"
        # What is under the name at any moment is what a kill at that moment would leave.
        for _ in range(100):
            sizes.add(path.stat().st_size)
            time.sleep(0.002)
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    assert sizes == {path.stat().st_size}
    assert read_with_pyav(path).shape == (3, 8, 32, 32)


def numbered_clips(count: int, channels: int = 3, num_frames: int = 2) -> torch.Tensor:
    """Clip i, channel c, frame t is all 10 * i + 3 * c + t; 4 pixels high and 6 wide."""
    clip, channel, frame = torch.meshgrid(
        torch.arange(count), torch.arange(channels), torch.arange(num_frames), indexing="ij"
    )
    level = (10 * clip + 3 * channel + frame).to(torch.uint8)
    return level[..., None, None].expand(-1, -1, -1, 4, 6)


@pytest.mark.parametrize("channels, num_frames", [(3, 2), (1, 2), (1, 1), (3, 1)])
def test_grid_lays_clips_out_row_by_row_at_every_time(channels, num_frames):
    picture = grid(numbered_clips(5, channels, num_frames), columns=3, padding=1)
    assert picture.shape == (channels, num_frames, 2 * 5 + 1, 3 * 7 + 1)
    assert picture.dtype == torch.uint8
    for index in range(5):
        top, left = 1 + 5 * (index // 3), 1 + 7 * (index % 3)
        cell = picture[:, :, top : top + 4, left : left + 6]
        assert torch.equal(cell, numbered_clips(5, channels, num_frames)[index])
    assert (picture[:, :, 0] == 255).all() and (picture[:, :, :, 7] == 255).all(), "white between"


@pytest.mark.parametrize("count, columns", [(16, 4), (5, 3), (2, 2), (10, 4)])
def test_grid_is_about_as_wide_as_high(count, columns):
    picture = grid(numbered_clips(count), padding=0)
    assert picture.shape[-1] == columns * 6
    assert picture.shape[-2] == -(-count // columns) * 4


def test_grid_of_one_clip_is_the_clip():
    assert torch.equal(grid(numbered_clips(1)), numbered_clips(1)[0])


@pytest.mark.parametrize(
    "clips", [torch.zeros(0, 3, 2, 4, 4, dtype=torch.uint8), torch.zeros(2, 3, 2, 4, 4)]
)
def test_grid_refuses_what_it_cannot_show(unchecked, clips):
    with pytest.raises(ValueError, match="clips must be uint8"):
        grid(clips)
    with pytest.raises(ValueError, match="columns must be at least 1, not 0"):
        grid(numbered_clips(2), columns=0)


def test_frame_sheet_has_a_row_for_each_clip_and_time_from_left_to_right():
    sheet = frame_sheet(numbered_clips(3, num_frames=9), num_frames=3, padding=1)
    assert sheet.shape == (3, 1, 3 * 5 + 1, 3 * 7 + 1)
    for row in range(3):
        for column, frame in enumerate([0, 4, 8]):
            pixel = sheet[:, 0, 2 + 5 * row, 2 + 7 * column]
            assert pixel.tolist() == [10 * row + 3 * channel + frame for channel in range(3)]


def test_enlarging_repeats_pixels_up_to_the_wanted_side():
    clip = torch.arange(3 * 2 * 4 * 6, dtype=torch.uint8).reshape(3, 2, 4, 6)
    larger = enlarged(clip, side=20)
    assert larger.shape == (3, 2, 12, 18)
    assert torch.equal(larger[:, :, 1::3, 2::3], clip)
    assert all(torch.equal(larger[..., 3 * i], larger[..., 3 * i + 1]) for i in range(6))
    assert torch.equal(enlarged(clip, side=5), clip)
