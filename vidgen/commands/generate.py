"""Write clips of a trained model.

python -m vidgen generate runs/weizmann --count 16 --out clips --grid
python -m vidgen generate runs/ucf --seeds 3,5,9-12 --label Archery --out clips --format gif
python -m vidgen generate runs/vgan --streams --out streams
python -m vidgen generate runs/mocogan --frames 96 --label 0,3,1 --change_every 8 --out changing
python -m vidgen generate runs/tganv2 --levels --out levels
python -m vidgen generate runs/tgan_ode --fps 100 --before 4 --out smooth
"""

from __future__ import annotations

from math import ceil, sqrt
from pathlib import Path

from vidgen.commands.arguments import ClipOptions, check_range, chosen_seeds, run_on_arguments
from vidgen.errors import UserError


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
    before: int = 0,
    streams: bool = False,
    levels: bool = False,
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
        before: Frames before the first one, for models moved by an ordinary differential equation.
            In time, models moved by any equation have a frame at any rate: --fps 100 shows the
            motion at its own speed in more frames than the model was trained on.
        streams: Show foreground, background, mask and result side by side, for models that have
            them.
        levels: Show all resolutions side by side, for models that have several.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    chosen = chosen_seeds(count, seeds)
    check_range("frames", frames, 1, 100_000)
    check_range("change_every", change_every, 1, 100_000)
    check_range("before", before, 0, 100_000)
    if streams and levels:
        raise UserError("--streams and --levels: give one of them")

    from vidgen.commands import outputs  # brings torch: only when the command line is right
    from vidgen.commands.clip_makers import clip_maker
    from vidgen.commands.labels import clip_label

    loaded = outputs.open_game(run, options)
    label = clip_label(loaded, options.label, change_every, frames)
    make = clip_maker(loaded, options, label, frames, before, streams, levels)
    folder = outputs.ClipFolder(options, options.fps or loaded.fps)
    ending = "-streams" if streams else "-levels" if levels else ""
    for batch in outputs.batches(chosen, options.batch_size):
        with outputs.enough_memory(len(batch)):
            pixels = make(batch)
        folder.write([f"seed-{outputs.seed_name(seed)}{ending}" for seed in batch], pixels)
    if options.grid:
        # Four pictures a clip: half the columns keep the grid about as wide as high.
        shown = min(len(chosen), outputs.GRID_CLIPS)
        folder.write_grid(columns=ceil(sqrt(shown) / 2) if ending else None)
