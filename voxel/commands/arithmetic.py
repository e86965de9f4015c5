"""Write what A - B + C makes, from seeds.

python -m voxel arithmetic runs/chairs --a 3,8,21 --b 4,9,13 --c 5 --out with_arms --largest
"""

from __future__ import annotations

from pathlib import Path

from vidgen.commands.arguments import check_range, parse_seeds
from voxel.commands.arguments import ShapeOptions, run_on_arguments


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_on_arguments(arithmetic, arguments)


def arithmetic(
    run: Path,
    options: ShapeOptions,
    *,
    a: str,
    b: str,
    c: str,
    scale: float = 1.0,
    clamp: bool = False,
) -> None:
    """Write the shapes of A, B, C and A - B + C, and arithmetic.png with the four side by side.

    Args:
        run: Folder of a training.
        options: Which model makes shapes, and what becomes of them.
        a: Seeds of shapes with a trait, such as 3,8,21; their latents are averaged, and three are
            steadier than one.
        b: Seeds of shapes without it.
        c: Seeds of the shapes that shall get it.
        scale: How much of the trait: A - B times this is added to C.
        clamp: Keep the result within the latents' range, for models with uniform latents.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    groups = {"a": parse_seeds(a), "b": parse_seeds(b), "c": parse_seeds(c)}
    check_range("scale", scale, -100, 100)

    import torch

    from vidgen.commands import outputs
    from voxel.commands.shapes import ShapeFolder, decoded, starting_points
    from voxel.pictures import write_table

    loaded = outputs.open_game(run, options)
    folder = ShapeFolder(options)
    found = {name: starting_points(loaded, options, seeds) for name, seeds in groups.items()}
    mean = {name: latents.mean(dim=0) for name, (latents, _) in found.items()}
    result = mean["c"] + scale * (mean["a"] - mean["b"])
    if getattr(loaded.game, "prior", None) == "uniform":
        outside = int(((result < 0) | (result > 1)).sum())
        if clamp:
            result = result.clamp(0, 1)
        outputs.say(
            f"{outside} of {len(result)} numbers of the latent "
            + ("were outside 0 ... 1" if clamp else "are outside 0 ... 1, --clamp keeps them in")
        )
    latents = torch.stack([*mean.values(), result])
    of_class = {name: labels for name, (_, labels) in found.items()}
    # The result is of C's class.
    classes = [of_class[name] for name in "abcc"]
    labels = [own[0] for own in classes if own] if of_class["c"] else None
    occupancies = decoded(loaded, latents, labels, options.batch_size)
    names = ["a", "b", "c", "result"]
    meshes = [folder.write(n, shape) for n, shape in zip(names, occupancies, strict=True)]
    folder.refuse_if_empty()
    picture = options.out / "arithmetic.png"
    write_table(picture, [meshes])
    outputs.say(f"{picture}: A, B, C and A - B + C")
