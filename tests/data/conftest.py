from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import pytest

from tests.data import films
from tests.data.films import Encoding

NUM_FRAMES = 80


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Wrong types reach the code, as they do outside of tests."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def film_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Readable films of many kinds: XviD's of 320 x 240, the others of 160 x 96, at 25 fps."""
    folder = tmp_path_factory.mktemp("films")
    large = films.pictures(NUM_FRAMES)
    films.write_film(folder / "xvid.avi", large, films.XVID)
    films.write_film(folder / "xvid_b.avi", large, films.XVID_B)
    films.write_packed_avi(folder / "xvid_packed.avi", large)
    pictures = films.pictures(NUM_FRAMES, height=96, width=160)
    small = pictures[:40]
    films.write_film(folder / "h264.mp4", pictures, films.H264)
    films.write_film(folder / "h264.ts", pictures, films.H264)
    films.write_film(folder / "mpeg2.mpg", pictures, Encoding("mpeg2video", b_frames=2))
    films.write_film(folder / "lossless.mkv", small, films.LOSSLESS)
    films.write_film(folder / "animated.gif", small, Encoding("gif", pixels="rgb8"))
    films.write_film(folder / "one_frame.mp4", pictures[:1], films.H264)
    films.write_film(folder / "turned.mp4", small, films.H264)
    films.turn(folder / "turned.mp4")
    uneven = [number * number // 8 + number for number in range(len(small))]
    films.write_film(folder / "uneven.mp4", small, films.H264, times=uneven)
    films.write_film(folder / "still.mp4", [pictures[0]] * 40 + pictures[:20], films.H264)
    films.copy_cut(folder / "h264.mp4", folder / "cut_out.mp4", first_frame=10, ticks_a_frame=512)
    return folder
