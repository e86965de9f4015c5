"""Fit the mixture of an autoencoder's codes, from which it then generates.

python -m vidgen fit_mixture runs/autoencoder
python -m vidgen fit_mixture runs/autoencoder --data.root weizmann/videos --components 64
"""

from __future__ import annotations

from pathlib import Path

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser

from vidgen.commands.arguments import check_range
from vidgen.commands.configuration import parse


def main(arguments: list[str]) -> None:
    """Runs the command."""
    parser = ArgumentParser(
        prog="vidgen fit_mixture",
        description=parse_docstring(fit_mixture.__doc__ or "").short_description,
        exit_on_error=False,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="Folder of a training.")
    parser.add_argument(
        "--data.root",
        type=Path,
        metavar="DIR",
        help="Folder of the training's videos, or their store; where they were by default.",
    )
    parser.add_function_arguments(fit_mixture, skip={"run", "root"}, as_group=False)
    chosen = parse(parser, arguments)
    root = chosen.pop("data.root")
    chosen.pop("data", None)
    fit_mixture(chosen.pop("run"), root, **chosen)


def fit_mixture(
    run: Path,
    root: Path | None = None,
    *,
    components: int | None = None,
    clips: int | None = None,
    seed: int = 0,
    batch_size: int = 16,
    device: str = "auto",
    allow: str = "",
) -> None:
    """Fit a mixture of Gaussians to the codes of the training's clips, for `generate`.

    Source: VGAN (Vondrick et al., 2016), §4.1.1. The newest checkpoint is replaced by itself with
    the mixture; the training can still go on from it. Fit again after further training.

    Args:
        run: Folder of a training.
        root: Folder of the training's videos; `None` is where they were.
        components: Gaussians; game.num_components of the training, 256, by default.
        clips: Clips that are encoded, drawn as in training; by default each video once, and more
            often until there are ten a Gaussian.
        seed: Of the clips that are drawn, and of the fit's first guess.
        batch_size: Clips encoded at once.
        device: Where to encode: auto, cpu, cuda, cuda:1, ...
        allow: Import paths, with commas between, of further classes that the run may name. Their
            code is run: allow only what you trust.

    Raises:
        UserError: The model has no mixture, or it cannot be fitted so.
    """
    check_range("components", components, 1, 100_000)
    check_range("clips", clips, 1, 10_000_000)
    check_range("seed", seed, 0, 2**32 - 1)
    check_range("batch_size", batch_size, 1, 100_000)

    from vidgen.commands.mixtures import write_mixture  # brings torch

    write_mixture(run, root, components, clips, seed, batch_size, device, allow)
