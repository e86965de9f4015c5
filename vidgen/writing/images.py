"""Clips as image files: animated GIF and horizontal PNG strips."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from vidgen.errors import UserError
from vidgen.writing.encoding import Encoding, encode
from vidgen.writing.files import replacing
from vidgen.writing.pixels import Rate, checked_clip, exact_rate, rgb_frames

# Browsers take a frame shown for less than 2/100 s for a mistake and show it for 10/100 s.
FASTEST_GIF = 50
HUNDREDTHS = Fraction(100)


def write_gif(
    path: Path,
    pixels: UInt8[np.ndarray | Tensor, "channel time height width"],
    fps: Rate,
) -> None:
    """Writes a clip as a GIF that loops for ever, each frame with its own 256 colors.

    A GIF counts time in 1/100 s. The rounding is spread: at 12 frames a second the frames last
    8, 9, 8, 8, 9, ... hundredths, so that the whole is right to half a hundredth.

    Args:
        path: The file; replaced when it exists.
        pixels: The clip, grey or RGB.
        fps: Frames a second, at most 50.

    Raises:
        UserError: The file cannot be written, or the rate is more than browsers show.
        ValueError: The pixels or the rate are not what is described above.
    """
    frames = rgb_frames(pixels)
    rate = exact_rate(fps)
    if rate > FASTEST_GIF:
        raise UserError(
            f"a GIF shows at most {FASTEST_GIF} frames a second, not {float(rate):g}: write mp4 or "
            "webm, or ask for a lower rate"
        )
    times = [round(index * 100 / rate) for index in range(len(frames) + 1)]
    last = {"final_delay": str(times[-1] - times[-2])}
    gif = Encoding("gif", "gif", container_options={"loop": "0", **last})
    encode(path, map(palette_picture, frames, times), gif, HUNDREDTHS)


def palette_picture(frame: UInt8[np.ndarray, "height width 3"], time: int) -> av.VideoFrame:
    """A frame in 256 colors of its own, shown at `time` hundredths of a second.

    Median cut and one round of k-means gave 36 to 38 dB on smooth color clips, one palette for the
    whole clip 25 to 32, and dithering took one dB more away.
    """
    image = Image.fromarray(frame).quantize(
        256, method=Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE
    )
    colors = np.asarray(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    palette = np.full((256, 4), 255, dtype=np.uint8)  # alpha, red, green, blue
    palette[: len(colors), 1:] = colors
    indexed = (np.asarray(image), palette)
    picture = av.VideoFrame.from_ndarray(indexed, format="pal8")  # pyright: ignore[reportArgumentType]
    picture.pts, picture.time_base = time, 1 / HUNDREDTHS
    return picture


def write_png_strip(
    path: Path, pixels: UInt8[np.ndarray | Tensor, "channel time height width"]
) -> None:
    """Writes all frames side by side in one PNG, without loss; of one frame, a plain picture.

    MoCoGAN's data sets have this form. It holds no rate, and whoever reads it back takes the frames
    for squares as wide as the strip is high.

    Args:
        path: The file; replaced when it exists.
        pixels: The clip, grey or RGB.

    Raises:
        UserError: The file cannot be written.
        ValueError: The pixels are not what is described above.
    """
    clip = checked_clip(pixels)
    channels, num_frames, height, width = clip.shape
    strip = clip.transpose(2, 1, 3, 0).reshape(height, num_frames * width, channels)
    image = Image.fromarray(strip[..., 0] if channels == 1 else strip)
    with replacing(path) as unfinished:
        image.save(unfinished, format="PNG")
