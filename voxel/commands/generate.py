"""Write shapes of a trained model.

python -m voxel generate runs/chairs --count 8 --out chairs --format glb --largest --smooth
python -m voxel generate runs/furniture --label sofa --seeds 3,5 --out sofas --format stl
"""

from __future__ import annotations

from pathlib import Path

from vidgen.commands.arguments import check_range, chosen_seeds
from voxel.commands.arguments import ShapeOptions, run_on_arguments


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_on_arguments(generate, arguments)


def generate(
    run: Path,
    options: ShapeOptions,
    *,
    count: int | None = None,
    seeds: str | None = None,
    truncation: float = 1.0,
) -> None:
    """Write shapes of a trained model, one file a seed, with sheet.png and turntable.mp4.

    Args:
        run: Folder of a training.
        options: Which model makes shapes, and what becomes of them.
        count: Number of shapes, of seeds 0, 1, 2, ...; 8 by default.
        seeds: Their seeds instead, such as 0-15 or 3,5,9-12.
        truncation: Below 1, shapes nearer to the typical one: less variety, fewer failures.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    chosen = chosen_seeds(count, seeds, default=8)
    check_range("truncation", truncation, 0, 10)

    import torch

    from vidgen.commands import outputs
    from voxel.commands.shapes import ShapeFolder, labels_of, volumes

    loaded = outputs.open_game(run, options)
    folder = ShapeFolder(options)
    for batch in outputs.batches(chosen, options.batch_size):
        labels = labels_of(loaded, options, len(batch))
        with outputs.enough_memory(len(batch)), torch.no_grad():
            occupancies = volumes(loaded.game.sample(batch, labels, truncation=truncation))
        for seed, occupancy in zip(batch, occupancies, strict=True):
            folder.write(f"seed-{outputs.seed_name(seed)}", occupancy)
    folder.write_pictures()
