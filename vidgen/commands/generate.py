"""Write clips of a trained model.

python -m vidgen generate runs/weizmann --count 16 --out clips --grid
python -m vidgen generate runs/ucf --seeds 3,5,9-12 --label Archery --out clips --format gif
python -m vidgen generate runs/vgan --streams --out streams
python -m vidgen generate runs/mocogan --frames 96 --label 0,3,1 --change_every 8 --out changing
"""

from __future__ import annotations

from math import ceil, sqrt
from pathlib import Path
from typing import Any

from vidgen.commands.arguments import ClipOptions, check_range, chosen_seeds, run_on_arguments


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_on_arguments(generate, arguments)


def generate(
    run: Path,
    options: ClipOptions,
    *,
    count: int | None = None,
    seeds: str | None = None,
    frames: int | None = None,
    change_every: int | None = None,
    streams: bool = False,
) -> None:
    """Write clips of a trained model, one file a seed; the same seed gives the same clip.

    Args:
        run: Folder of a training.
        options: Which model makes clips, how, and what becomes of them.
        count: Number of clips, of seeds 0, 1, 2, ...; 16 by default.
        seeds: Their seeds instead, such as 0-15 or 3,5,9-12.
        frames: Frames of a clip; those of the training by default.
        change_every: Frames after which the next class of --label Walk,Run comes, round and round;
            without --label all classes take turns.
        streams: Show foreground, background, mask and result side by side, for models that have
            them.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    chosen = chosen_seeds(count, seeds)
    check_range("frames", frames, 1, 100_000)
    check_range("change_every", change_every, 1, 100_000)

    from vidgen.commands import outputs  # brings torch: only when the command line is right
    from vidgen.commands.labels import clip_label
    from vidgen.commands.stream_views import side_by_side

    loaded = outputs.open_game(run, options)
    game, truncation = loaded.game, options.truncation
    label = clip_label(loaded, options.label, change_every, frames)
    if streams:
        parts = outputs.ability(loaded, "streams", "show foreground, background and mask")
    else:
        parts = None
    folder = outputs.ClipFolder(options, options.fps or loaded.fps)
    for batch in outputs.batches(chosen, options.batch_size):
        with outputs.enough_memory(len(batch)):
            if parts:
                pixels = side_by_side(game, parts(batch, frames, truncation))
            else:
                labels: Any = None if label is None else [label] * len(batch)
                pixels = game.to_pixels(game.sample(batch, labels, frames, truncation)).cpu()
        ending = "-streams" if streams else ""
        folder.write([f"seed-{outputs.seed_name(seed)}{ending}" for seed in batch], pixels)
    if options.grid:
        # Four pictures a clip: half the columns keep the grid about as wide as high.
        shown = min(len(chosen), outputs.GRID_CLIPS)
        folder.write_grid(columns=ceil(sqrt(shown) / 2) if streams else None)
