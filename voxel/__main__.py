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

from vidgen.commands.running import run_program

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
    return run_program("voxel", __doc__ or "", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
