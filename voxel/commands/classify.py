"""Train classifiers on a discriminator's features, on ever more labelled shapes.

python -m voxel classify runs/furniture --data.root furniture --data.up y --out accuracy
python -m voxel classify runs/shapenet --data.root ModelNet10 --C 0.01 --counts 1,5,25,all
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidgen.commands.arguments import check_range
from vidgen.errors import UserError
from voxel.commands.arguments import ShapeOptions
from voxel.commands.data_arguments import run_with_data

FEATURES = ("gan", "random", "voxels")


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_with_data(classify, arguments, frozenset({"split", "rotations", "flip", "max_shift"}))


def classify(
    run: Path,
    data: dict[str, Any],
    *,
    out: Path | None = None,
    features: str = "gan,random,voxels",
    counts: str = "1,5,10,20,all",
    seeds: int = 5,
    C: float | None = None,
    checkpoint: str = "latest",
    batch_size: int = 16,
    device: str = "auto",
    allow: str = "",
) -> None:
    """Accuracy of linear SVMs on the test split against the number of training shapes of a class.

    Args:
        run: Folder of a training.
        data: Options of `data.Shapes`, but those that are decided here.
        out: Folder for accuracy.json and accuracy.png; `classify` in the run's by default.
        features: What is classified, with commas between: gan is the discriminator's maps (layers 2
            to 4, pooled), random the same of new weights, voxels the volumes at 16³.
        counts: Training shapes of each class, with commas between; all is all of them.
        seeds: Draws of the training shapes, and new weights; seeds 0, 1, 2, ...
        C: The SVM's; by default the paper's, 0.07 of more than 20 classes and 0.01 of fewer.
        checkpoint: Which one of the run: latest, best-METRIC or step-NUMBER.
        batch_size: Shapes looked at at once.
        device: Where to compute: auto, cpu, cuda, cuda:1, ...
        allow: Import paths, with commas between, of further classes that the checkpoint may name.
            Their code is run: allow only what you trust.

    Raises:
        UserError: The command cannot be done as it was given.
        DataError: The shapes cannot be used so.
    """
    check_range("seeds", seeds, 1, 1000)
    check_range("C", C, 1e-9, 1e9)
    kinds = list(dict.fromkeys(name.strip() for name in features.split(",")))
    wrong = [name for name in kinds if name not in FEATURES]
    if wrong:
        raise UserError(f"--features {features}: {wrong[0]!r} is none of {', '.join(FEATURES)}")
    options = ShapeOptions(
        out=out or run / "classify",
        checkpoint=checkpoint,
        batch_size=batch_size,
        device=device,
        allow=allow,
    )
    chosen = parse_counts(counts)

    from voxel.commands.classifiers import write_accuracies  # brings torch

    write_accuracies(run, data, options, kinds, chosen, seeds, C)


def parse_counts(text: str) -> list[int | None]:
    """Numbers of shapes, ascending, `None` for all.

    Raises:
        UserError: They are not such.
    """
    parts = {part.strip() for part in text.split(",")}
    numbers = {part for part in parts if part.isdecimal() and 0 < len(part) < 10 and int(part)}
    if not parts or parts - numbers - {"all"}:
        raise UserError(f"--counts {text}: give numbers from 1 on, or all, such as 1,5,25,all")
    return [*sorted(map(int, numbers)), *([None] if "all" in parts else [])]
