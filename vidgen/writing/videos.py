"""Clips as video files that browsers play: H.264 in MP4 and VP9 in WebM."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)
from jaxtyping import UInt8
from torch import Tensor

from vidgen.writing.encoding import Encoding, encode
from vidgen.writing.pixels import Rate, exact_rate, rgb_frames

H264 = Encoding(
    container="mp4",
    codec="libx264",
    container_options={"movflags": "+faststart"},
    # No B-frames: then no file needs an edit list, which some readers take for missing frames.
    # No macroblock tree: at 63 x 31 pixels it gave other bytes in 6 of 120 files.
    codec_options={"crf": "12", "preset": "slow", "bf": "0", "mbtree": "0"},
)
VP9 = Encoding(
    container="webm",
    codec="libvpx-vp9",
    codec_options={"crf": "10", "b": "0", "deadline": "good", "cpu-used": "2"},
)
# The mean of 2 x 2 pixels for the halved color planes: 2 dB closer than the default when read back.
SCALING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


def write_mp4(
    path: Path,
    pixels: UInt8[np.ndarray | Tensor, "channel time height width"],
    fps: Rate,
) -> None:
    """Writes a clip as H.264 (yuv420p) in MP4, ready to play before it is wholly loaded.

    Odd sizes grow by one repeated row or column: H.264 in yuv420p has even sizes only.

    Args:
        path: The file; replaced when it exists.
        pixels: The clip, grey or RGB.
        fps: Frames a second; fractions such as 30000/1001 are kept.

    Raises:
        UserError: The file cannot be written.
        ValueError: The pixels or the rate are not what is described above.
    """
    rate = exact_rate(fps)
    encode(path, yuv_pictures(even(rgb_frames(pixels)), rate), H264, rate)


def write_webm(
    path: Path,
    pixels: UInt8[np.ndarray | Tensor, "channel time height width"],
    fps: Rate,
) -> None:
    """Writes a clip as VP9 (yuv420p) in WebM; arguments, sizes and errors as for `write_mp4`."""
    rate = exact_rate(fps)
    encode(path, yuv_pictures(even(rgb_frames(pixels)), rate), VP9, rate)


def even(
    frames: UInt8[np.ndarray, "time height width 3"],
) -> UInt8[np.ndarray, "time even_height even_width 3"]:
    """The frames with their last row or column repeated where the height or width is odd."""
    height, width = frames.shape[1:3]
    return np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def yuv_pictures(
    frames: UInt8[np.ndarray, "time height width 3"], rate: Fraction
) -> Iterator[av.VideoFrame]:
    """The frames as yuv420p pictures labelled with how to turn them back into colors.

    Without the labels a player guesses by the size, and small clips change color.
    """
    reformatter = VideoReformatter()
    for index, frame in enumerate(frames):
        picture = reformatter.reformat(
            av.VideoFrame.from_ndarray(frame, format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            # The pixels are sRGB: its own curve, and BT.709's primaries.
            dst_color_trc=ColorTrc.IEC61966_2_1,
            dst_color_primaries=ColorPrimaries.BT709,
            interpolation=SCALING,
            threads=1,
        )
        picture.colorspace, picture.color_range = Colorspace.ITU709, ColorRange.MPEG
        picture.pts, picture.time_base = index, 1 / rate
        yield picture
