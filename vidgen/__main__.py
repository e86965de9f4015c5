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
from importlib import import_module

from vidgen.commands.running import run_command
from vidgen.errors import UserError

# Only the chosen one is imported: torch alone takes seconds.
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
    return run_command("vidgen", _choose, sys.argv[1:] if arguments is None else arguments)


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
