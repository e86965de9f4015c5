"""Write clips of a trained model.

python -m vidgen generate runs/weizmann --count 16 --out clips --grid
python -m vidgen generate runs/ucf --seeds 3,5,9-12 --label Archery --out clips --format gif
"""

from __future__ import annotations

from pathlib import Path

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
) -> None:
    """Write clips of a trained model, one file a seed; the same seed gives the same clip.

    Args:
        run: Folder of a training.
        options: Which model makes clips, how, and what becomes of them.
        count: Number of clips, of seeds 0, 1, 2, ...; 16 by default.
        seeds: Their seeds instead, such as 0-15 or 3,5,9-12.
        frames: Frames of a clip; those of the training by default.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    chosen = chosen_seeds(count, seeds)
    check_range("frames", frames, 1, 100_000)

    from vidgen.commands import outputs  # brings torch: only when the command line is right

    loaded = outputs.open_game(run, options)
    label = outputs.label_number(loaded, options.label)
    folder = outputs.ClipFolder(options, options.fps or loaded.fps)
    for batch in outputs.batches(chosen, options.batch_size):
        labels = None if label is None else [label] * len(batch)
        with outputs.enough_memory(len(batch)):
            clips = loaded.game.sample(batch, labels, frames, options.truncation)
            pixels = loaded.game.to_pixels(clips).cpu()
        folder.write([f"seed-{outputs.seed_name(seed)}" for seed in batch], pixels)
    if options.grid:
        folder.write_grid()
