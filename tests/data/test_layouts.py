from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from data.layouts import Layout, recognise
from data.layouts.tree import natural_key
from data.sources import DataError
from tests.data import trees
from tests.data.trees import touch

UCF = [
    f"{name}/v_{name}_g{group:02d}_c0{clip}.avi"
    for name in ("Archery", "Bowling", "Biking")
    for group in (1, 8, 25)
    for clip in (1, 2)
]


def paths(layout: Layout) -> list[str]:
    return [found.path for found in layout.found]


def labels(layout: Layout) -> dict[str, int]:
    return {found.path: found.label for found in layout.found}


def write_lists(folder: Path, newline: str = "\n") -> None:
    """Group 1 tests, the others train; classes are not in alphabetical order."""
    folder.mkdir(parents=True)
    numbers = {"Bowling": 1, "Archery": 2, "Biking": 3}
    train = [f"{path} {numbers[path.split('/')[0]]}" for path in UCF if "_g01_" not in path]
    test = [path for path in UCF if "_g01_" in path]
    indices = [f"{number} {name}" for name, number in numbers.items()]
    for name, lines in (("classInd", indices), ("trainlist01", train), ("testlist01", test)):
        (folder / f"{name}.txt").write_bytes((newline.join(lines) + newline).encode())


def test_natural_order_counts_numbers_and_ignores_case():
    names = ["b2", "B10", "a", "b1", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "a", "b1", "b2", "B10"]


def test_ucf101_without_lists_takes_sorted_folders_as_classes(tmp_path):
    layout = recognise(touch(tmp_path, *UCF))
    assert (layout.name, layout.classes) == ("ucf101", ["Archery", "Biking", "Bowling"])
    assert len(layout.found) == 18
    assert labels(layout)["Biking/v_Biking_g08_c02.avi"] == 1
    assert {found.group for found in layout.found} == {"g01", "g08", "g25"}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "place", ["videos/ucfTrainTestlist", "ucfTrainTestlist", "splits", "videos/splits"]
)
def test_ucf101_lists_in_or_beside_the_root_give_parts_and_labels(tmp_path, newline, place):
    root = touch(tmp_path / "videos", *UCF)
    write_lists(tmp_path / place, newline)
    train, test = recognise(root, split="train"), recognise(root, split="test")
    assert train.classes == test.classes == ["Bowling", "Archery", "Biking"]
    assert (len(train.found), len(test.found)) == (12, 6)
    assert labels(train)["Archery/v_Archery_g25_c01.avi"] == 1
    assert labels(test)["Bowling/v_Bowling_g01_c02.avi"] == 0
    assert {found.group for found in test.found} == {"g01"}
    assert not {found.group for found in train.found} & {"g01"}


def test_ucf101_lists_are_taken_from_a_given_folder(tmp_path):
    root = touch(tmp_path / "videos", *UCF)
    write_lists(tmp_path / "elsewhere" / "lists")
    layout = recognise(root, split="test", split_lists=tmp_path / "elsewhere" / "lists")
    assert len(layout.found) == 6


def test_ucf101_class_is_the_folder_not_the_spelling_of_the_file(tmp_path):
    name = "HandstandPushups/v_HandStandPushups_g01_c01.avi"
    touch(tmp_path / "videos", name, "Archery/v_Archery_g01_c01.avi")
    touch(tmp_path, "ucfTrainTestlist/classInd.txt").joinpath(
        "ucfTrainTestlist/classInd.txt"
    ).write_text("1 Archery\n2 HandstandPushups\n")
    layout = recognise(tmp_path / "videos")
    assert layout.classes == ["Archery", "HandstandPushups"]
    assert labels(layout)[name] == 1


def test_flat_ucf101_takes_the_class_from_the_name_whatever_its_case(tmp_path):
    root = touch(tmp_path / "videos", *(path.split("/")[1] for path in UCF))
    touch(root, "v_ARCHERY_g09_c01.avi")
    write_lists(tmp_path / "ucfTrainTestlist")
    layout = recognise(root)
    assert layout.classes == ["Bowling", "Archery", "Biking"]
    assert labels(layout)["v_ARCHERY_g09_c01.avi"] == 1
    assert labels(layout)["v_Archery_g01_c01.avi"] == 1
    assert len(recognise(root, split="test").found) == 6


def test_ucf101_names_listed_videos_that_are_missing(tmp_path):
    root = touch(tmp_path / "videos", *UCF[1:])
    write_lists(tmp_path / "ucfTrainTestlist")
    notes = recognise(root, split="test").notes
    assert notes == ["1 missing, listed in testlist01.txt: v_archery_g01_c01"]


def test_ucf101_refuses_a_part_that_it_cannot_know(tmp_path):
    root = touch(tmp_path / "videos", *UCF)
    with pytest.raises(DataError, match="no split lists in or beside"):
        recognise(root, split="train")
    write_lists(tmp_path / "ucfTrainTestlist")
    with pytest.raises(DataError, match=r"trainlist02\.txt.*another fold than 2"):
        recognise(root, split="train", fold=2)
    with pytest.raises(DataError, match="no split 'val'"):
        recognise(root, split="val")
    with pytest.raises(DataError, match=r"no split files in '.*nowhere'"):
        recognise(root, split="train", split_lists=tmp_path / "nowhere")


def test_faceforensics_pairs_each_clip_with_its_mask(tmp_path):
    names = ["abc_efghi-k_0_lmnopqrstuv_1.avi", "zbcdefghijk_0_lmnopqrstuv_1.avi"]
    places = [
        f"{split}/{kind}/{name}"
        for split in ("train", "val", "test")
        for kind in ("original", "altered", "mask")
        for name in names
    ]
    places.remove(f"val/mask/{names[1]}")
    root = touch(tmp_path, *places)
    layout = recognise(root)
    assert (layout.name, layout.classes, len(layout.found)) == ("faceforensics", [], 6)
    assert layout.found[0].mask == f"train/mask/{names[0]}"
    assert layout.found[0].group == "abc_efghi-k"
    assert layout.notes == [f"1 without a mask of the same name: val/{names[1]}"]
    assert paths(recognise(root, split="test", source="altered")) == [
        f"test/altered/{name}" for name in names
    ]
    with pytest.raises(DataError, match="no source 'Deepfakes'"):
        recognise(root, source="Deepfakes")


@pytest.mark.parametrize("level", ["youtube/", ""])
def test_faceforensics_plus_takes_originals_and_borrows_their_masks(tmp_path, level):
    methods = tmp_path / "manipulated_sequences"
    touch(tmp_path / "original_sequences", *(f"{level}c23/videos/{n:03d}.mp4" for n in (0, 1, 2)))
    touch(tmp_path / "original_sequences", f"{level}c40/videos/000.mp4")
    touch(methods / "Face2Face", "c23/videos/000_003.mp4", "masks/videos/000_003.mp4")
    touch(methods / "Face2Face", "masks/videos/001_002.mp4")
    touch(methods / "Deepfakes", "c23/videos/000_007.mp4", "masks/videos/000_007.mp4")
    layout = recognise(tmp_path)
    assert layout.name == "faceforensics++"
    assert [found.mask for found in layout.found] == [
        "manipulated_sequences/Deepfakes/masks/videos/000_007.mp4",
        "manipulated_sequences/Face2Face/masks/videos/001_002.mp4",
        "",
    ]
    assert len(recognise(tmp_path, compression="c40").found) == 1
    swapped = recognise(tmp_path, source="Face2Face").found
    assert [(found.path.split("/")[-1], found.group) for found in swapped] == [
        ("000_003.mp4", "000")
    ]
    assert swapped[0].mask.endswith("Face2Face/masks/videos/000_003.mp4")
    with pytest.raises(DataError, match="source 'original' with compression 'raw'"):
        recognise(tmp_path, compression="raw")


def test_faceforensics_plus_splits_by_pairs_of_videos(tmp_path):
    root = tmp_path / "data"
    touch(root / "original_sequences/youtube/c23/videos", *(f"{n:03d}.mp4" for n in range(5)))
    touch(root / "manipulated_sequences/Deepfakes/c23/videos", "000_003.mp4", "000_001.mp4")
    (root / "splits").mkdir()
    (root / "splits/train.json").write_text(json.dumps([["000", "003"], ["004", "009"]]))
    originals = recognise(root, split="train")
    assert [path[-7:] for path in paths(originals)] == ["000.mp4", "003.mp4", "004.mp4"]
    fakes = recognise(root, split="train", source="Deepfakes")
    assert [path[-11:] for path in paths(fakes)] == ["000_003.mp4"]


def test_plain_folders_of_faceforensics_plus_give_the_originals(tmp_path):
    touch(tmp_path, "original/000.mp4", "Deepfakes/000_001.mp4", "original/001.mp4")
    layout = recognise(tmp_path)
    assert (layout.name, paths(layout)) == (
        "faceforensics++",
        ["original/000.mp4", "original/001.mp4"],
    )


def test_arrays_list_every_video_with_labels_from_the_file(tmp_path):
    np.savez(tmp_path / "clips.npz", videos=np.zeros((3, 4, 8, 8, 3), np.uint8), labels=[5, 2, 5])
    layout = recognise(tmp_path)
    assert (layout.name, layout.classes) == ("arrays", ["2", "5"])
    assert [(found.item, found.label) for found in layout.found] == [(0, 1), (1, 0), (2, 1)]


def test_time_first_digits_are_one_video_a_column(tmp_path):
    np.save(tmp_path / "mnist.npy", np.zeros((20, 100, 8, 8), np.uint8))
    layout = recognise(tmp_path)
    assert len(layout.found) == 100
    assert (layout.found[99].item, layout.found[99].label) == (99, -1)


def test_hdf5_categories_of_the_list_beside_it_are_classes(tmp_path):
    with h5py.File(tmp_path / "ucf.h5", "w") as file:
        file["image"] = np.zeros((30, 3, 8, 8), np.uint8)
    rows = [(0, 10, "run"), (10, 20, "jump"), (20, 30, "run")]
    listed = [{"start": start, "end": end, "category": name} for start, end, name in rows]
    (tmp_path / "ucf.json").write_text(json.dumps(listed))
    layout = recognise(tmp_path)
    assert layout.classes == ["jump", "run"]
    assert [found.label for found in layout.found] == [1, 0, 1]


def test_frame_folders_have_a_class_at_two_levels_and_none_at_one(tmp_path):
    names = [f"{number}.jpg" for number in (1, 2, 3)]
    classed = touch(tmp_path / "a", *(f"{c}/{v}/{n}" for c in "xy" for v in "pq" for n in names))
    layout = recognise(classed)
    assert (layout.name, layout.classes) == ("frames", ["x", "y"])
    assert labels(layout) == {"x/p": 0, "x/q": 0, "y/p": 1, "y/q": 1}
    plain = recognise(touch(tmp_path / "b", *(f"{video}/{n}" for video in "pq" for n in names)))
    assert (plain.name, plain.classes, labels(plain)) == ("frames", [], {"p": -1, "q": -1})
    assert paths(recognise(touch(tmp_path / "c", *names))) == ["."]


def test_gaps_in_frame_numbers_are_noted(tmp_path):
    touch(tmp_path, "p/1.png", "p/2.png", "p/4.png", "q/1.png", "q/2.png")
    assert recognise(tmp_path).notes == ["1 with gaps in the numbers of its frames: p"]


@pytest.mark.parametrize("write", [trees.write_strip, trees.write_tall_strip])
def test_long_pictures_are_strips_though_their_names_are_numbers(tmp_path, write):
    for number in range(4):
        (tmp_path / str(number // 2)).mkdir(exist_ok=True)
        write(tmp_path / str(number // 2) / f"{number:08d}", trees.clip(number))
    layout = recognise(tmp_path)
    assert (layout.name, layout.classes) == ("strips", ["0", "1"])
    assert labels(layout)["1/00000002.png"] == 1


def test_class_folders_sort_naturally_and_label_by_the_top_folder(tmp_path):
    touch(tmp_path, "c10/a.mp4", "c2/b.webm", "c2/more/c.MP4")
    layout = recognise(tmp_path)
    assert (layout.name, layout.classes) == ("class_folders", ["c2", "c10"])
    assert labels(layout) == {"c2/b.webm": 0, "c2/more/c.MP4": 0, "c10/a.mp4": 1}
    assert layout.notes == ["1 in a folder within its class folder: c2/more/c.MP4"]


def test_class_folders_below_train_and_test_share_their_labels(tmp_path):
    touch(tmp_path, "train/b/1.mp4", "train/c/2.mp4", "test/c/3.mp4")
    assert labels(recognise(tmp_path, split="train")) == {"train/b/1.mp4": 0, "train/c/2.mp4": 1}
    assert recognise(tmp_path).classes == ["b", "c"]
    with pytest.raises(DataError, match="no folder of split 'val', it has test, train"):
        recognise(tmp_path, split="val")


def test_the_test_part_keeps_the_labels_of_the_training_part(tmp_path):
    touch(tmp_path, "train/b/1.mp4", "train/c/2.mp4", "test/c/3.mp4")
    layout = recognise(tmp_path, split="test")
    assert layout.classes == ["b", "c"]
    assert labels(layout) == {"test/c/3.mp4": 1}


def test_wrapping_folders_are_no_classes(tmp_path):
    touch(tmp_path, "download/set/run/1.mp4", "download/set/walk/2.mp4")
    assert recognise(tmp_path).classes == ["run", "walk"]


def test_one_flat_folder_has_no_labels(tmp_path):
    layout = recognise(touch(tmp_path, "b10.mp4", "b9.mp4", "a.gif"))
    assert (layout.name, layout.classes) == ("flat", [])
    assert labels(layout) == {"a.gif": -1, "b9.mp4": -1, "b10.mp4": -1}


def test_a_named_layout_overrules_the_recognised_one(tmp_path):
    touch(tmp_path, *UCF)
    assert recognise(tmp_path, "flat").classes == []
    assert recognise(tmp_path, "class_folders").classes == ["Archery", "Biking", "Bowling"]
    with pytest.raises(DataError, match="no 'strips' data"):
        recognise(tmp_path, "strips")


def test_thumbnails_and_arrays_beside_videos_do_not_hide_them(tmp_path):
    touch(tmp_path, "a/1.mp4", "a/1.jpg", "a/2.jpg", "b/3.mp4", "b/4.mp4")
    np.save(tmp_path / "clips.npy", np.zeros((4, 8, 8, 3), np.uint8))
    layout = recognise(tmp_path)
    assert (layout.name, len(layout.found)) == ("class_folders", 3)
    assert "2 left out, image beside class_folders: a/1.jpg, a/2.jpg" in layout.notes


def test_hidden_files_and_other_files_are_counted_and_named(tmp_path):
    touch(tmp_path, "a.mp4", ".b.mp4", "._a.mp4", ".git/c.mp4", "readme.txt")
    touch(tmp_path, *(f"log{number}.txt" for number in range(6)))
    os.mkfifo(tmp_path / "pipe.mp4")
    layout = recognise(tmp_path)
    assert paths(layout) == ["a.mp4"]
    assert layout.notes == [
        "3 left out, hidden: ._a.mp4, .b.mp4, .git",
        "7 left out, no video by its name: log0.txt, log1.txt, log2.txt, log3.txt and 3 more",
        "1 left out, neither file nor folder: pipe.mp4",
    ]


def test_links_are_followed_out_of_the_folder_only_when_asked(tmp_path):
    outside = touch(tmp_path / "outside", "x.mp4", "deep/y.mp4")
    root = touch(tmp_path / "root", "a.mp4", "sub/b.mp4")
    (root / "out.mp4").symlink_to(outside / "x.mp4")
    (root / "linked").symlink_to(outside / "deep")
    (root / "gone.mp4").symlink_to(tmp_path / "nothing")
    (root / "sub" / "round").symlink_to(root)
    layout = recognise(root, "flat")
    assert paths(layout) == ["a.mp4", "sub/b.mp4"]
    assert layout.notes == [
        "1 left out, broken link: gone.mp4",
        "2 left out, link out of the folder (follow_links reads it): linked, out.mp4",
        "1 left out, link to a folder that is read anyway: sub/round",
    ]
    followed = recognise(root, "flat", follow_links=True)
    assert paths(followed) == ["a.mp4", "out.mp4", "linked/y.mp4", "sub/b.mp4"]


def test_names_that_no_terminal_shows_fit_on_one_line(tmp_path):
    touch(tmp_path, "a.mp4", "odd\nname.txt", os.fsdecode(b"\xe9.txt"))
    notes = recognise(tmp_path).notes
    assert notes == ["2 left out, no video by its name: odd\\nname.txt, \\udce9.txt"]


def test_a_folder_that_cannot_be_used_is_refused_in_one_line(tmp_path):
    with pytest.raises(DataError, match=f"no folder '.*/no/such'.*as far as '{tmp_path}'"):
        recognise(tmp_path / "no" / "such")
    (tmp_path / "file.mp4").touch()
    with pytest.raises(DataError, match=r"file\.mp4' is a file: give the folder"):
        recognise(tmp_path / "file.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty' is empty"):
        recognise(tmp_path / "empty")
    touch(tmp_path / "texts", "a.txt", "b.txt", "c.json")
    with pytest.raises(DataError, match=r"no video in .*saw only files 2 \.txt, 1 \.json"):
        recognise(tmp_path / "texts")
    with pytest.raises(DataError, match="no layout 'ucf11': did you mean ucf101"):
        recognise(tmp_path, "ucf11")


def test_every_entry_is_looked_at_once_without_asking_for_its_status(tmp_path, monkeypatch):
    touch(tmp_path, *(f"{number}.mp4" for number in range(50)))
    asked = []
    status = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: asked.append(path) or status(path, **more))
    assert len(recognise(tmp_path).found) == 50
    assert not [path for path in asked if str(path).endswith(".mp4")]
