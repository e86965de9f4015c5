"""Train GANs for video, and make and keep what they make.

usage: vidgen COMMAND ...

  train           train a model on a folder of videos, or resume a run
  generate        write clips of a trained model as MP4, GIF, WebM or PNG strips
  interpolate     write clips in slow motion, or the way from one clip to another
  recombine       write a table of clips: a content a row, a motion a column
  animate         write clips that begin with given images
  fit_mixture     fit the mixture of codes that an autoencoder generates from
  finetune        train classifiers of actions from a VGAN, on ever more labelled videos
  fit_classifier  train a small classifier of clips on labelled videos, to judge others with
  demo            from nothing to generated clips in a few minutes

vidgen COMMAND --help lists the options of a command.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from vidgen.commands.running import run_program

COMMANDS = {
    "train": "vidgen.commands.train:main",
    "generate": "vidgen.commands.generate:main",
    "interpolate": "vidgen.commands.interpolate:main",
    "fit_classifier": "vidgen.commands.fit_classifier:main",
    "finetune": "vidgen.commands.finetune:main",
    "recombine": "vidgen.commands.recombine:main",
    "animate": "vidgen.commands.animate:main",
    "fit_mixture": "vidgen.commands.fit_mixture:main",
    "demo": "vidgen.commands.demo:main",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `vidgen`; its exit code."""
    return run_program("vidgen", __doc__ or "", COMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
