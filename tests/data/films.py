"""Small video files, made here: what tests and benchmarks read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import ThreadType

VOP_START = b"\x00\x00\x01\xb6"
USER_DATA_START = b"\x00\x00\x01\xb2"
PACKED_MARK = USER_DATA_START + b"DivX503b1393p"


def picture_at(seconds: float, height: int = 240, width: int = 320) -> np.ndarray:
    """A patterned ground that slides and a square that crosses it; no two moments look alike."""
    rows, columns = np.mgrid[:height, :width]
    slid = rows // 16 * 37 + (columns + int(100 * seconds)) // 16 * 91
    picture = np.stack([slid * 3, slid * 5, slid * 7], axis=-1) % 200
    left = int(50 * seconds) % max(1, width - width // 8)
    color = (int(75 * seconds) % 256, 255 - int(25 * seconds) % 256, 128)
    picture[height // 3 : height // 2, left : left + width // 8] = color
    return picture.astype(np.uint8)


def pictures(
    num_frames: int, fps: float = 25, height: int = 240, width: int = 320
) -> list[np.ndarray]:
    return [picture_at(number / fps, height, width) for number in range(num_frames)]


@dataclass(frozen=True)
class Encoding:
    """How a film is written."""

    codec: str = "mpeg4"
    fps: int = 25
    key_distance: int = 30
    b_frames: int = 0
    pixels: str = "yuv420p"
    tag: str = ""
    container: str | None = None
    options: tuple[tuple[str, str], ...] = ()


XVID = Encoding(tag="XVID")
XVID_B = Encoding(tag="XVID", b_frames=2)
H264 = Encoding(codec="libx264", b_frames=3, options=(("preset", "veryfast"),))
LOSSLESS = Encoding(codec="ffv1", pixels="bgr0", key_distance=1)


def packets_of(
    stream: av.VideoStream, frames: Iterable[np.ndarray], times: Iterable[int] | None
) -> Iterator[av.Packet]:
    moments = iter(times) if times is not None else None
    for frame in frames:
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
        if moments is not None:
            picture.pts = next(moments)
            picture.time_base = 1 / Fraction(stream.codec_context.framerate)
        yield from stream.encode(picture)
    yield from stream.encode(None)


def write_film(
    path: Path,
    frames: list[np.ndarray],
    encoding: Encoding = H264,
    times: Iterable[int] | None = None,
) -> list[tuple[bytes, bool]]:
    """Encodes a film; gives the data of each packet and whether it is a key frame.

    `times` are time stamps in frames, for films whose frames are not evenly spaced.
    """
    with av.open(str(path), "w", format=encoding.container) as container:
        stream = add_stream(container, frames[0], encoding)
        packets = list(packets_of(stream, frames, times))
        written = [(bytes(packet), packet.is_keyframe) for packet in packets]
        for packet in packets:
            container.mux(packet)
    return written


def add_stream(container, frame: np.ndarray, encoding: Encoding) -> av.VideoStream:
    stream = container.add_stream(encoding.codec, rate=encoding.fps)
    stream.height, stream.width = frame.shape[:2]
    stream.pix_fmt = encoding.pixels
    stream.bit_rate = 800_000
    codec = stream.codec_context
    codec.gop_size = encoding.key_distance
    codec.max_b_frames = encoding.b_frames
    codec.thread_count = 1
    codec.thread_type = ThreadType.NONE
    codec.options = dict(encoding.options)
    if encoding.tag:
        codec.codec_tag = encoding.tag
    return stream


def write_packed_avi(path: Path, frames: list[np.ndarray], encoding: Encoding = XVID_B) -> None:
    """An AVI as XviD writes it with B-frames: "packed bitstream".

    AVI has one time per chunk, so XviD puts a B-frame into the chunk of the later frame that it
    needs, and fills the chunk that is then left over with an empty frame.
    """
    chunks: list[tuple[bytes, bool]] = []
    empty = None
    is_first = False
    for data, is_key in write_film(path, frames, encoding):
        if picture_type(data) != "B":
            if empty is not None:
                chunks.append((empty, False))
            empty = None
            is_first = True
            chunks.append((marked_as_packed(data) if is_key else data, is_key))
        elif is_first:
            reference, is_key_chunk = chunks[-1]
            chunks[-1] = (reference + data, is_key_chunk)
            empty = empty_frame(reference)
            is_first = False
        else:
            chunks.append((data, False))
    if empty is not None:
        chunks.append((empty, False))
    with av.open(str(path), "w") as container:
        stream = add_stream(container, frames[0], encoding)
        for number, (data, is_key) in enumerate(chunks):
            packet = av.Packet(data)
            packet.stream = stream
            packet.pts = packet.dts = number
            packet.time_base = Fraction(1, encoding.fps)
            packet.is_keyframe = is_key
            container.mux(packet)


def picture_type(data: bytes) -> str:
    """I, P, B or S: the two bits after an MPEG-4 picture's start code."""
    return "IPBS"[data[data.index(VOP_START) + 4] >> 6]


def marked_as_packed(data: bytes) -> bytes:
    """The encoder's name in a key frame's header replaced by DivX's mark for packed streams."""
    begin = data.index(USER_DATA_START)
    end = data.index(b"\x00\x00\x01", begin + 4)
    return data[:begin] + PACKED_MARK + data[end:]


def empty_frame(data: bytes, time_bits: int = 5) -> bytes:
    """A picture of the same time that says only "not coded". Five bits count to 25 a second."""
    begin = data.index(VOP_START) + 4
    bits = "".join(f"{byte:08b}" for byte in data[begin : begin + 16])
    # Type (2), seconds passed (ones, then a zero), marker, time, marker; then coded or not.
    seconds_end = bits.index("0", 2) + 1
    header = bits[: seconds_end + 1 + time_bits + 1] + "0"
    padded = header + "0" + "1" * (-(len(header) + 1) % 8)
    return VOP_START + int(padded, 2).to_bytes(len(padded) // 8, "big")


def turn(path: Path) -> None:
    """Marks an mp4 as filmed with the camera on its side: shown turned clockwise by 90 degrees."""
    data = bytearray(path.read_bytes())
    # The matrix lies 44 bytes into the track header (version 0), counted from its name.
    at = data.index(b"tkhd") + 4 + 40
    one = 1 << 16
    matrix = [0, one, 0, -one, 0, 0, 0, 0, 1 << 30]
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    path.write_bytes(data)


def copy_cut(source: Path, target: Path, first_frame: int, ticks_a_frame: int) -> None:
    """Cuts without encoding, in between key frames: an edit list hides the frames before."""
    with (
        av.open(str(source)) as old,
        av.open(
            str(target), "w", options={"avoid_negative_ts": "disabled", "use_editlist": "1"}
        ) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is None or packet.pts is None:
                continue
            packet.pts -= first_frame * ticks_a_frame
            packet.dts -= first_frame * ticks_a_frame
            packet.stream = stream
            new.mux(packet)


def write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        wave = np.sin(np.arange(16000) / 10).astype(np.float32)[None]
        sound = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        sound.sample_rate = 16000
        for packet in [*stream.encode(sound), *stream.encode(None)]:
            container.mux(packet)


def decoded(path: Path) -> np.ndarray:
    """The whole film by plain PyAV, from its first frame to its last."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
