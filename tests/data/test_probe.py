from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from data.containers import container_format
from data.inspection import inspect
from data.limits import Limits
from data.probe import ProbePool, probe
from data.readers import open_reader
from data.records import Found, Reject, VideoRecord
from data.sources import DataError
from tests.data import films

MISBEHAVING = """
import os, signal, time
from data.records import VideoRecord

def inspect(root, found, limits, progress):
    what = found.path
    (root / f"{what}.pid").write_text(str(os.getpid()))
    if what == "hang" or (what == "hang_in_decord" and limits.decoder == "decord"):
        time.sleep(600)
    if what == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "leave":
        os._exit(3)
    if what == "eat":
        return bytearray(1 << 40)
    if what == "grow":
        rows = []
        while True:
            rows.append(bytearray(1 << 24))
    if what == "odd":
        raise UnboundLocalError("local variable\\nused before")
    if what == "slow":
        for _ in range(12):
            time.sleep(0.25)
            progress()
    if what == "print":
        print("noise on every channel", flush=True)
        os.write(2, b"noise")
    return VideoRecord(found, "pyav", 7, 25.0, 4, 6)
"""


@pytest.fixture
def misbehaving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an inspecting function that does to its process what a path asks for."""
    (tmp_path / "misbehaving.py").write_text(MISBEHAVING)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "misbehaving:inspect"


def outcomes(root: Path, function: str, paths: list[str], **limits) -> dict[str, object]:
    founds = [Found(path, "video") for path in paths]
    with ProbePool(Limits(**limits), num_workers=2, function=function) as pool:
        return {paths[at]: outcome for at, outcome in pool.run(root, founds)}


def test_files_that_hang_or_kill_the_decoder_cost_one_line_each(tmp_path, misbehaving):
    paths = ["good1", "hang", "crash", "good2", "leave", "eat", "odd", "slow", "print", "good3"]
    begun = time.monotonic()
    seen = outcomes(
        tmp_path, misbehaving, paths, stall_seconds=1.5, total_seconds=20.0, memory_bytes=1 << 29
    )
    assert time.monotonic() - begun < 150
    reasons = {path: seen[path].reason for path in paths if isinstance(seen[path], Reject)}
    assert reasons == {
        "hang": "the decoder did not answer within 1.5 s",
        "crash": "the decoder was killed (signal 11)",
        "leave": "the decoder ended by itself (code 3)",
        "eat": "needs more than 0.5 GiB of memory; raise memory_bytes to read it",
        "odd": "cannot be decoded (UnboundLocalError: local variable used before)",
    }
    for path in ("good1", "good2", "good3", "slow", "print"):
        assert seen[path] == VideoRecord(Found(path, "video"), "pyav", 7, 25.0, 4, 6)


def test_memory_is_limited_while_it_grows(tmp_path, misbehaving):
    seen = outcomes(tmp_path, misbehaving, ["grow", "good"], memory_bytes=1 << 29)
    assert "memory" in seen["grow"].reason
    assert isinstance(seen["good"], VideoRecord)


def test_slow_files_end_at_the_total_limit(tmp_path, misbehaving):
    seen = outcomes(tmp_path, misbehaving, ["slow"], stall_seconds=5.0, total_seconds=1.0)
    assert seen["slow"].reason == "takes the decoder more than 1 s"


def test_a_child_serves_many_files_and_is_gone_after(tmp_path, misbehaving):
    with ProbePool(Limits(), 1, misbehaving) as pool:
        list(pool.run(tmp_path, [Found("a", "video"), Found("b", "video")]))
        list(pool.run(tmp_path, [Found("c", "video")]))
    pids = {int((tmp_path / f"{name}.pid").read_text()) for name in "abc"}
    assert len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids.pop(), 0)


def test_a_run_left_early_does_not_leak_into_the_next(tmp_path, misbehaving):
    with ProbePool(Limits(), 2, misbehaving) as pool:
        first = pool.run(tmp_path, [Found("good", "video"), Found("slow", "video")])
        assert next(first)[0] == 0
        seen = [outcome.found.path for _, outcome in pool.run(tmp_path, [Found("b", "video")])]
    assert seen == ["b"]


def test_a_file_that_hangs_decord_is_read_by_pyav(tmp_path, misbehaving):
    seen = outcomes(tmp_path, misbehaving, ["hang_in_decord"], stall_seconds=1.0, decoder="decord")
    record = seen["hang_in_decord"]
    assert isinstance(record, VideoRecord)
    assert record.note == "with decord, the decoder did not answer within 1 s"


def test_a_child_that_cannot_start_says_why(tmp_path):
    with pytest.raises(DataError, match=r"cannot start: .*no_such_module"):
        outcomes(tmp_path, "no_such_module:inspect", ["a"])


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux' parent death signal")
def test_hanging_children_die_with_their_parent(tmp_path, misbehaving):
    (tmp_path / "misbehaving.py").write_text(
        MISBEHAVING.replace(
            "time.sleep(600)", "(root/'hang.pid').write_text(str(os.getpid())); time.sleep(600)"
        )
    )
    script = f"""
        from pathlib import Path
        from data.limits import Limits
        from data.probe import ProbePool
        from data.records import Found
        pool = ProbePool(Limits(), 1, "misbehaving:inspect")
        list(pool.run(Path({str(tmp_path)!r}), [Found("hang", "video")]))
    """
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], env={**os.environ, "PYTHONPATH": path}
    )
    pid_file = tmp_path / "hang.pid"
    assert soon(lambda: pid_file.is_file() and pid_file.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert soon(lambda: is_gone(int(pid_file.read_text())))


def soon(condition) -> bool:
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture(scope="module")
def broken_folder(film_folder, tmp_path_factory) -> Path:
    """Files that are no videos, or hold too little of one."""
    folder = tmp_path_factory.mktemp("broken")
    good = (film_folder / "h264.mp4").read_bytes()
    (folder / "empty.avi").write_bytes(b"")
    (folder / "text.mp4").write_text("this is no video\n" * 50)
    (folder / "playlist.mp4").write_text(
        f"#EXTM3U\n#EXTINF:1,\nfile://{film_folder / 'h264.ts'}\n#EXT-X-ENDLIST\n"
    )
    (folder / "script.mp4").write_text(f"ffconcat version 1.0\nfile '{film_folder}/h264.ts'\n")
    (folder / "cut.mp4").write_bytes(good[: len(good) // 2])
    (folder / "header.avi").write_bytes((film_folder / "xvid.avi").read_bytes()[:300])
    films.write_sound(folder / "sound.mp4")
    os.mkfifo(folder / "pipe.avi")
    (folder / "folder.avi").mkdir()
    (folder / "loop.avi").symlink_to(folder / "loop.avi")
    (folder / "inside.mp4").symlink_to(folder / "whole.mp4")
    (folder / "whole.mp4").write_bytes(good)
    xvid = (film_folder / "xvid_b.avi").read_bytes()
    (folder / "half.avi").write_bytes(xvid[: len(xvid) // 2])
    return folder


def test_each_broken_file_is_named_with_its_reason(broken_folder):
    complaints = {
        "missing.avi": "cannot be found: No such file",
        "empty.avi": "the file is empty",
        "text.mp4": "not a video: its first bytes",
        "playlist.mp4": "not a video: its first bytes",
        "script.mp4": "not a video: its first bytes",
        "cut.mp4": "cannot be decoded (Invalid data found when processing input)",
        "header.avi": "",
        "sound.mp4": "holds no picture",
        "pipe.avi": "not a regular file but a named pipe",
        "folder.avi": "not a regular file but a folder",
        "loop.avi": "cannot be found",
    }
    paths = list(complaints)
    seen = outcomes(broken_folder, "data.inspection:inspect", paths, stall_seconds=10.0)
    for path, complaint in complaints.items():
        outcome = seen[path]
        assert isinstance(outcome, Reject), path
        assert outcome.path == path
        assert outcome.reason.startswith(complaint)
        assert outcome.reason and "\n" not in outcome.reason


def test_a_cut_avi_is_used_up_to_its_last_whole_frame(broken_folder, film_folder):
    record = probe(broken_folder, Found("half.avi", "video"), Limits(decoder="pyav"))
    assert isinstance(record, VideoRecord)
    assert 20 < record.num_frames < 60
    last = record.num_frames - 1
    assert record.note == f"damaged after frame {last} (a broken frame); used up to there"
    with open_reader(broken_folder, record) as reader:
        frames = reader.get(range(len(reader)))
    assert np.array_equal(frames, films.decoded(film_folder / "xvid_b.avi")[: len(frames)])


def test_frames_after_damage_are_left_out(film_folder, tmp_path):
    data = bytearray((film_folder / "xvid.avi").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    (tmp_path / "damaged.avi").write_bytes(data)
    record = inspected(tmp_path, "damaged.avi")
    assert 20 < record.num_frames < 60
    assert record.note.startswith(f"damaged after frame {record.num_frames - 1}")
    with open_reader(tmp_path, record) as reader:
        frames = reader.get(range(len(reader)))
    assert np.array_equal(frames, films.decoded(film_folder / "xvid.avi")[: len(frames)])


def test_links_inside_the_folder_are_followed(broken_folder):
    record = probe(broken_folder, Found("inside.mp4", "video", label=3), Limits())
    assert isinstance(record, VideoRecord)
    assert (record.num_frames, record.found.label) == (80, 3)
    status = (broken_folder / "whole.mp4").stat()
    assert (record.num_bytes, record.modified_ns) == (status.st_size, status.st_mtime_ns)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_are_named(tmp_path, film_folder):
    (tmp_path / "locked.mp4").write_bytes((film_folder / "h264.mp4").read_bytes())
    (tmp_path / "locked.mp4").chmod(0)
    outcome = probe(tmp_path, Found("locked.mp4", "video"), Limits())
    assert isinstance(outcome, Reject)
    assert "permission" in outcome.reason


def inspected(folder: Path, name: str, **limits) -> VideoRecord:
    return inspect(folder, Found(name, "video"), Limits(**limits), lambda: None)


def test_films_too_large_or_too_long_are_refused(film_folder):
    with pytest.raises(DataError, match="320 x 240 pixels are more than the 76,799 allowed"):
        inspected(film_folder, "xvid.avi", max_pixels=320 * 240 - 1)
    with pytest.raises(DataError, match="more than 79 frames"):
        inspected(film_folder, "h264.mp4", max_frames=79)
    assert inspected(film_folder, "h264.mp4", max_frames=80).num_frames == 80


def test_one_frame_is_a_video(film_folder):
    record = inspected(film_folder, "one_frame.mp4")
    assert (record.num_frames, record.entries) == (1, ())


def test_uneven_films_keep_their_count_and_average_rate(film_folder):
    record = inspected(film_folder, "uneven.mp4")
    assert record.num_frames == 40
    # 40 frames over the 229 + 1 twenty-fifths of a second that the last one stands at.
    assert record.fps == pytest.approx(40 / (230 / 25), rel=0.1)


def test_containers_are_told_by_their_first_bytes(film_folder, tmp_path):
    names = {
        "xvid.avi": "avi",
        "h264.mp4": "mov",
        "h264.ts": "mpegts",
        "mpeg2.mpg": "mpeg",
        "lossless.mkv": "matroska",
        "animated.gif": "gif",
    }
    for name, expected in names.items():
        (tmp_path / "renamed.txt").write_bytes((film_folder / name).read_bytes())
        assert container_format(tmp_path / "renamed.txt") == expected
    (tmp_path / "renamed.txt").write_bytes(b"\xff\xd8\xff\xe0" + bytes(600))
    with pytest.raises(DataError, match="not a video"):
        container_format(tmp_path / "renamed.txt")


@pytest.mark.parametrize(
    "settings", [{"stall_seconds": 0.0}, {"max_frames": -1}, {"decoder": "opencv"}]
)
def test_limits_without_meaning_are_refused(unchecked, settings):
    with pytest.raises(DataError, match=next(iter(settings))):
        Limits(**settings)
