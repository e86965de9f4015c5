"""Make shapes of trained models, look into the models, and draw shapes.

usage: voxel COMMAND ...

  generate        write shapes of a trained model as GLB, OBJ, STL, PLY, binvox or NPZ
  interpolate     write the shapes on the way from one seed to another
  arithmetic      write what A - B + C makes, from seeds
  dimensions      show what single dimensions of the latent change
  reconstruct     write the shape seen in an image
  neighbours      show the training shapes nearest to generated ones
  classify        train classifiers on a discriminator's features, on ever more labelled shapes
  evaluate        score what a model makes; python evaluate.py RUN does the same
  fit_classifier  train a small classifier of shapes, to judge sets of them with
  neurons         show the shapes, and the parts of them, that single neurons answer to
  render          draw meshes from all around, one turntable film an object

voxel COMMAND --help lists the options of a command.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from vidgen.commands.running import run_command
from vidgen.errors import UserError

# Only the chosen one is imported: torch alone takes seconds.
COMMANDS = {
    "generate": "voxel.commands.generate:main",
    "interpolate": "voxel.commands.interpolate:main",
    "arithmetic": "voxel.commands.arithmetic:main",
    "dimensions": "voxel.commands.dimensions:main",
    "reconstruct": "voxel.commands.reconstruct:main",
    "neighbours": "voxel.commands.neighbours:main",
    "classify": "voxel.commands.classify:main",
    "evaluate": "voxel.commands.evaluate:main",
    "fit_classifier": "voxel.commands.fit_classifier:main",
    "neurons": "voxel.commands.neurons:main",
    "render": "voxel.commands.render:main",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `voxel`; its exit code."""
    return run_command("voxel", _choose, sys.argv[1:] if arguments is None else arguments)


def _choose(arguments: list[str]) -> int | None:
    if not arguments:
        sys.stderr.write(__doc__ or "")
        return 2
    name, *rest = arguments
    if name in ("-h", "--help"):
        sys.stdout.write(__doc__ or "")
        return 0
    if name not in COMMANDS:
        raise UserError(f"there is no command {name!r}; there are {', '.join(COMMANDS)}")
    module, _, function = COMMANDS[name].partition(":")
    return getattr(import_module(module), function)(rest)


if __name__ == "__main__":
    sys.exit(main())
