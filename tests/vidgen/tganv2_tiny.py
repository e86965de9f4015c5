"""A TGANv2 small enough for tests, batches for it, and what its judges saw."""

import torch

from vidgen import TGANv2
from vidgen.adversarial.game import Batch

TINY = {"num_frames": 8, "frame_size": 64, "widths": (4,) * 7, "discriminator_width": 2}


def make_game(**options):
    torch.manual_seed(0)
    return TGANv2(**(TINY | options))


def make_batch(count=3, classes=3):
    generator = torch.Generator().manual_seed(1)
    real = torch.rand(count, 3, 8, 64, 64, generator=generator) * 2 - 1
    return Batch(real, torch.arange(count) % classes)


class Witness:
    """Remembers what a module was given and gave, call by call."""

    def __init__(self, module):
        self.inputs, self.outputs = [], []
        module.register_forward_hook(self._see)

    def _see(self, module, given, output):
        self.inputs.append(given[0])
        self.outputs.append(output)


def witnesses(game):
    return [Witness(judge) for judge in game.discriminators]
