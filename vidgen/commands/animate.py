"""Write clips that begin with given images.

python -m vidgen animate runs/act image.png --out clips
python -m vidgen animate runs/act images/ --seeds 0-3 --out clips --grid
"""

from __future__ import annotations

from pathlib import Path

from vidgen.commands.arguments import ClipOptions, check_range, parse_seeds, run_on_arguments


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_on_arguments(animate, arguments)


def animate(
    run: Path,
    options: ClipOptions,
    image: Path,
    *,
    frames: int | None = None,
    seeds: str | None = None,
    change_every: int | None = None,
) -> None:
    """Write a clip for each image, and say how close its first frame is to the image.

    Args:
        run: Folder of a training.
        options: Which model makes clips, how, and what becomes of them.
        image: An image, or a folder of images; the middle square is taken, at the model's size.
        frames: Frames of a clip; those of the training by default.
        seeds: A clip of each image for each of these seeds, such as 0-3, for models whose motion
            is drawn; 0 by default.
        change_every: Frames after which the next class of --label Walk,Run comes, round and round;
            without --label all classes take turns.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    chosen = None if seeds is None else parse_seeds(seeds)
    check_range("frames", frames, 1, 100_000)
    check_range("change_every", change_every, 1, 100_000)

    from vidgen.commands.animations import write_animations  # brings torch

    write_animations(run, options, image, frames, chosen, change_every)
