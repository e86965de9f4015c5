"""A picture of generated clips, each above the real clip that is nearest to it."""

from __future__ import annotations

from pathlib import Path

import torch

from vidgen.commands.clip_sets import ClipSet
from vidgen.commands.columns import Columns
from vidgen.commands.outputs import say
from vidgen.metrics.neighbours import nearest, side_by_side
from vidgen.writing import enlarged, frame_sheet, write_clip

_SHOWN = 8


def write_neighbours(
    path: Path, generated: tuple[ClipSet, Columns], real: tuple[ClipSet, Columns]
) -> None:
    """Writes the picture: the first clips, rows in pairs, generated above and real below.

    Args:
        path: A .png.
        generated: Clips and their thumbnails.
        real: The clips in which neighbours are looked for, and theirs.

    Raises:
        UserError: It cannot be written.
    """
    count = min(_SHOWN, generated[1].count)
    queries, known = (
        torch.from_numpy(columns.all("thumbnail")) for columns in (generated[1], real[1])
    )
    rows, _ = nearest(queries[:count], known)
    pairs = [
        ((clips.clips(numbers).clips.cpu() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        for clips, numbers in ((generated[0], range(count)), (real[0], rows.tolist()))
    ]
    write_clip(path, enlarged(frame_sheet(side_by_side(*pairs))), 1)
    say(f"{path}: generated clips, each above its nearest real one")
