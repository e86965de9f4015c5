"""Show the shapes, and the parts of them, that single neurons answer to.

python -m voxel neurons runs/chairs --data.root ModelNet10 --neurons 0-7 --out neurons
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidgen.commands.arguments import check_range, parse_seeds
from voxel.commands.arguments import ShapeOptions
from voxel.commands.data_arguments import run_with_data


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_with_data(neurons, arguments)


def neurons(
    run: Path,
    data: dict[str, Any],
    *,
    out: Path,
    neurons: str | None = None,
    top: int = 5,
    checkpoint: str = "latest",
    batch_size: int = 16,
    device: str = "auto",
    allow: str = "",
) -> None:
    """Write neurons.png: a row a neuron of the discriminator's last maps, the shapes it likes best.

    What it answers to in them is red, by guided back-propagation.

    Args:
        run: Folder of a training.
        data: Options of `data.Shapes`, but those that the model decides.
        out: Folder for neurons.png and neurons.json, the names of the shapes.
        neurons: Which ones, such as 0-7 or 3,90; by default the eight with the widest range of
            answers.
        top: Shapes of each.
        checkpoint: Which one of the run: latest, best-METRIC or step-NUMBER.
        batch_size: Shapes looked at at once.
        device: Where to compute: auto, cpu, cuda, cuda:1, ...
        allow: Import paths, with commas between, of further classes that the checkpoint may name.
            Their code is run: allow only what you trust.

    Raises:
        UserError: The command cannot be done as it was given.
        DataError: The shapes cannot be used so.
    """
    options = ShapeOptions(
        out=out, checkpoint=checkpoint, batch_size=batch_size, device=device, allow=allow
    )
    check_range("top", top, 1, 100)
    chosen = None if neurons is None else parse_seeds(neurons)

    from voxel.commands.answers import write_answers  # brings torch

    write_answers(run, data, options, chosen, top)
