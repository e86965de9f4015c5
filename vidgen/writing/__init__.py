"""Clips and pictures as files: MP4, WebM, GIF, PNG strips, grids.

Everything here takes uint8 pixels, a clip being `(channel, time, height, width)`, grey or RGB, and
turns them to the files' own order at this border.
"""

from vidgen.writing.clips import write_clip
from vidgen.writing.files import remove_leftovers, replacing
from vidgen.writing.grids import enlarged, frame_sheet, grid
from vidgen.writing.images import write_gif, write_png_strip
from vidgen.writing.videos import write_mp4, write_webm

__all__ = [
    "enlarged",
    "frame_sheet",
    "grid",
    "remove_leftovers",
    "replacing",
    "write_clip",
    "write_gif",
    "write_mp4",
    "write_png_strip",
    "write_webm",
]
