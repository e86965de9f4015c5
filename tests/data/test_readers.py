from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.clips import ClipSampler
from data.inspection import inspect
from data.limits import Limits
from data.readers import open_reader
from data.readers.arrays import axes_of, count_items
from data.records import Found, VideoRecord
from data.sources import DataError
from tests.data import films

VIDEOS = [
    "xvid.avi",
    "xvid_b.avi",
    "xvid_packed.avi",
    "h264.mp4",
    "h264.ts",
    "mpeg2.mpg",
    "lossless.mkv",
    "animated.gif",
    "one_frame.mp4",
    "turned.mp4",
    "uneven.mp4",
    "still.mp4",
    "cut_out.mp4",
]
WINDOW = 16


def recorded(folder: Path, found: Found, **limits) -> VideoRecord:
    return inspect(folder, found, Limits(**limits), lambda: None)


def read(folder: Path, record: VideoRecord, indices) -> np.ndarray:
    with open_reader(folder, record) as reader:
        return reader.get(indices)


READ_BY_DECORD = [
    "xvid.avi",
    "h264.mp4",
    "lossless.mkv",
    "still.mp4",
    "turned.mp4",
    "one_frame.mp4",
]


@pytest.mark.parametrize(
    ("name", "decoder"),
    [*((name, "pyav") for name in VIDEOS), *((name, "decord") for name in READ_BY_DECORD)],
)
def test_windows_equal_the_whole_decode(film_folder, name, decoder):
    truth = films.decoded(film_folder / name)
    if name == "turned.mp4":
        truth = np.rot90(truth, -1, axes=(1, 2))
    record = recorded(film_folder, Found(name, "video"), decoder=decoder)
    assert record.reader == decoder
    assert record.num_frames == len(truth)
    assert (record.height, record.width) == truth.shape[1:3]
    last = max(0, len(truth) - WINDOW)
    # All starts beside an entry point, where readers go astray, and every fourth of the others.
    beside = {entry.frame + near for entry in record.entries for near in (-1, 0, 1)}
    starts = {*range(0, last, 4), last, *beside} & set(range(last + 1))
    for start in sorted(starts):
        window = range(start, min(start + WINDOW, len(truth)))
        assert np.array_equal(read(film_folder, record, window), truth[window.start : window.stop])


@pytest.mark.parametrize("name", ["xvid_b.avi", "xvid_packed.avi"])
def test_decord_alone_is_wrong_after_seeks_in_xvid_files_with_b_frames(film_folder, name):
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    truth = films.decoded(film_folder / name)
    start = 40
    video = decord.VideoReader(str(film_folder / name), num_threads=1)
    window = video.get_batch(range(start, start + WINDOW)).asnumpy()
    assert not np.array_equal(window, truth[start : start + WINDOW])
    record = recorded(film_folder, Found(name, "video"), decoder="decord")
    assert record.reader == "pyav"
    assert "decord" in record.note


def test_hidden_frames_of_a_cut_are_not_counted(film_folder):
    record = recorded(film_folder, Found("cut_out.mp4", "video"), decoder="decord")
    assert record.num_frames == 70
    assert record.reader == "pyav"
    assert "promises 80 frames; 70 can be decoded" in record.note
    whole = films.decoded(film_folder / "h264.mp4")
    assert np.array_equal(read(film_folder, record, [0, 69]), whole[[10, 79]])


def test_films_shot_sideways_are_turned_upright(film_folder):
    record = recorded(film_folder, Found("turned.mp4", "video"))
    assert (record.height, record.width, record.rotation) == (160, 96, 270)
    upright = read(film_folder, record, [0])[0]
    lying = films.picture_at(0, 96, 160)
    # Clockwise: what was the bottom left corner is now the top left one.
    assert np.abs(upright[:8, :8].mean(axis=(0, 1)) - lying[-8:, :8].mean(axis=(0, 1))).max() < 12
    assert np.abs(lying[:8, :8].mean(axis=(0, 1)) - lying[-8:, :8].mean(axis=(0, 1))).max() > 24


def test_entry_points_save_most_of_the_decoding_in_a_packed_file(film_folder):
    record = recorded(film_folder, Found("xvid_packed.avi", "video"))
    frames = [entry.frame for entry in record.entries]
    assert frames == sorted(set(frames))
    assert {30, 60} <= set(frames)
    assert any(entry.fast for entry in record.entries)
    assert max(np.diff([0, *frames, record.num_frames])) <= 32


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_frames_come_in_any_order_and_repeat(film_folder, decoder):
    truth = films.decoded(film_folder / "h264.mp4")
    record = recorded(film_folder, Found("h264.mp4", "video"), decoder=decoder)
    assert record.reader == decoder
    with open_reader(film_folder, record) as reader:
        assert len(reader) == 80
        assert reader.fps == 25.0
        assert reader.size == (96, 160)
        indices = [79, 3, 3, 0, 41, 40, 79]
        assert np.array_equal(reader.get(indices), truth[indices])
        assert np.array_equal(reader.get(np.array([5, 65])), truth[[5, 65]])
        assert reader.get([]).shape == (0, 96, 160, 3)
        for outside in (-1, 80):
            with pytest.raises(DataError, match=f"frame {outside} of a video of 80"):
                reader.get([0, outside])


def test_wrong_entry_points_would_be_seen(film_folder):
    """The comparison above can fail: one dropped frame too many shifts what is read."""
    record = recorded(film_folder, Found("xvid_b.avi", "video"))
    late = tuple(replace(entry, skip=entry.skip + 1) for entry in record.entries)
    truth = films.decoded(film_folder / "xvid_b.avi")
    window = range(62, 70)
    assert np.array_equal(read(film_folder, record, window), truth[62:70])
    shifted = read(film_folder, replace(record, entries=late), window)
    assert not np.array_equal(shifted, truth[62:70])


@pytest.mark.parametrize(
    ("decoder", "complaint"),
    [("pyav", "frame 50 is no longer there"), ("decord", "decord cannot decode it any more")],
)
def test_a_file_that_changed_is_refused(film_folder, tmp_path, decoder, complaint):
    path = tmp_path / "film.mp4"
    path.write_bytes((film_folder / "h264.mp4").read_bytes())
    record = recorded(tmp_path, Found("film.mp4", "video"), decoder=decoder)
    os.utime(path, ns=(0, record.modified_ns + 1))
    with pytest.raises(DataError, match=r"film\.mp4: changed since the scan"):
        open_reader(tmp_path, record)
    path.write_bytes((film_folder / "one_frame.mp4").read_bytes())
    unsigned = replace(record, num_bytes=0)
    with pytest.raises(DataError, match=rf"film\.mp4: {complaint}"):
        read(tmp_path, replace(unsigned, entries=()), [50])
    path.unlink()
    with pytest.raises(DataError, match=r"film\.mp4: cannot be found"):
        open_reader(tmp_path, record)


def test_fifty_and_twenty_five_frames_a_second_give_the_same_motion(tmp_path):
    clips = []
    for fps in (25, 50):
        name = f"{fps}.mkv"
        moving = films.pictures(2 * fps, fps=fps, height=48, width=64)
        films.write_film(tmp_path / name, moving, films.Encoding("ffv1", fps, 1, pixels="bgr0"))
        record = recorded(tmp_path, Found(name, "video"))
        assert record.fps == fps
        sampler = ClipSampler(16, fps=12.5, start="first")
        indices = sampler.indices(record.num_frames, record.fps, np.random.default_rng(0))
        clips.append(read(tmp_path, record, indices))
    assert np.array_equal(clips[0], clips[1])
    expected = [films.picture_at(number / 12.5, 48, 64) for number in range(16)]
    assert np.array_equal(clips[0], np.stack(expected))


def test_frame_folders_are_read_in_natural_order(tmp_path):
    folder = tmp_path / "film"
    folder.mkdir()
    for number in (1, 2, 10):
        Image.new("RGB", (6, 4), (number, 0, 0)).save(folder / f"{number}.png")
    Image.new("RGBA", (12, 8), (20, 0, 0, 7)).save(folder / "20.png")
    Image.new("L", (6, 4), 30).save(folder / "30.png")
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture")
    record = recorded(tmp_path, Found("film", "frames"))
    assert (record.reader, record.num_frames, record.height, record.width) == ("frames", 5, 4, 6)
    assert record.note == "1 pictures of another size are resized to 6 x 4"
    frames = read(tmp_path, record, [3, 0, 1, 2, 4])
    assert frames.shape == (5, 4, 6, 3)
    assert frames[:, 0, 0, 0].tolist() == [20, 1, 2, 10, 30]
    assert frames[4, 0, 0].tolist() == [30, 30, 30]


@pytest.mark.parametrize("is_vertical", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_strips_are_cut_into_their_square_frames(tmp_path, is_vertical, mode):
    frames = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    if mode == "L":
        frames[...] = frames[..., :1]
    # Three pixels too many at the end: they are no frame.
    strip = np.concatenate([*frames, frames[0, :3]]) if is_vertical else None
    if strip is None:
        strip = np.concatenate([*frames, frames[0][:, :3]], axis=1)
    picture = Image.fromarray(strip)
    picture = picture.getchannel(0) if mode == "L" else picture.convert(mode)
    if mode == "RGBA":
        picture.putalpha(9)
    picture.save(tmp_path / "strip.png")
    record = recorded(tmp_path, Found("strip.png", "strip"))
    assert (record.num_frames, record.height, record.width) == (5, 8, 8)
    assert np.array_equal(read(tmp_path, record, [4, 0, 2]), frames[[4, 0, 2]])


VIDEOS_NTHWC = np.random.default_rng(1).integers(0, 256, (3, 7, 10, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("axes", "array"),
    [
        ("nthwc", VIDEOS_NTHWC),
        ("ntchw", VIDEOS_NTHWC.transpose(0, 1, 4, 2, 3)),
        ("thwc", VIDEOS_NTHWC[0]),
        ("tchw", VIDEOS_NTHWC[0].transpose(0, 3, 1, 2)),
        ("t" + "hw", VIDEOS_NTHWC[0, ..., 0]),
        ("nthw", VIDEOS_NTHWC[..., 0]),
    ],
)
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays_of_every_layout_give_their_frames(tmp_path, axes, array, suffix):
    path = tmp_path / f"videos.{suffix}"
    np.save(path, array) if suffix == "npy" else np.savez(path, videos=array)
    assert axes_of(array.shape) == axes
    num_items = 3 if "n" in axes else 1
    assert count_items(path) == num_items
    expected = VIDEOS_NTHWC[num_items - 1, [6, 1, 1]]
    if "c" not in axes:
        expected = expected[..., :1].repeat(3, axis=-1)
    record = recorded(tmp_path, Found(path.name, "array", item=num_items - 1))
    assert (record.num_frames, record.height, record.width) == (7, 10, 12)
    assert np.array_equal(read(tmp_path, record, [6, 1, 1]), expected)


def test_moving_digits_come_time_first(tmp_path):
    digits = np.random.default_rng(0).integers(0, 256, (5, 70, 8, 9), dtype=np.uint8)
    np.save(tmp_path / "digits.npy", digits)
    assert count_items(tmp_path / "digits.npy") == 70
    record = recorded(tmp_path, Found("digits.npy", "array", item=66))
    assert record.num_frames == 5
    assert np.array_equal(read(tmp_path, record, [4, 2])[..., 1], digits[[4, 2], 66])


def test_lengths_in_an_archive_end_its_videos(tmp_path):
    np.savez(tmp_path / "v.npz", videos=VIDEOS_NTHWC, lengths=np.array([7, 2, 5]))
    assert recorded(tmp_path, Found("v.npz", "array", item=1)).num_frames == 2


def test_hdf5_rows_are_cut_by_the_list_beside_them(tmp_path):
    h5py = pytest.importorskip("h5py")
    row = VIDEOS_NTHWC.reshape(21, 10, 12, 3)
    with h5py.File(tmp_path / "ucf.h5", "w") as file:
        file["image"] = row.transpose(0, 3, 1, 2)
    (tmp_path / "ucf.json").write_text(
        json.dumps([{"start": 0, "end": 4}, {"start": 4, "end": 21, "category": "Bend"}])
    )
    assert count_items(tmp_path / "ucf.h5") == 2
    record = recorded(tmp_path, Found("ucf.h5", "array", item=1))
    assert record.num_frames == 17
    assert np.array_equal(read(tmp_path, record, [16, 0, 3]), row[[20, 4, 7]])


def test_arrays_that_are_no_videos_are_refused(tmp_path):
    np.save(tmp_path / "float.npy", VIDEOS_NTHWC.astype(np.float32))
    np.save(tmp_path / "flat.npy", np.zeros((3, 4), np.uint8))
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "text.npz").write_text("no archive")
    complaints = {
        "float.npy": "float32 where uint8",
        "flat.npy": "is no video",
        "objects.npy": "no array of videos",
        "text.npz": "no array of videos",
    }
    for name, complaint in complaints.items():
        with pytest.raises(DataError, match=complaint):
            recorded(tmp_path, Found(name, "array"))
