"""A game of boxes whose sides are told by seeds, so that its scores can be calculated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vidgen.adversarial.checkpoints import save_checkpoint
from voxel.shape_game import ShapeGame

SIZE = 16
ALLOWED = "--allow=tests.voxel.commands.known_shapes.KnownBoxes"


def box(length, width=4, height=6):
    """A volume (16, 16, 16) with a box from cell 2 on along each axis."""
    volume = np.zeros((SIZE,) * 3, np.float32)
    volume[2 : 2 + length, 2 : 2 + width, 2 : 2 + height] = 1
    return volume


class KnownBoxes(ShapeGame):
    """The box of seed s is 2 + s % 8 cells long and 4 + label wide, with probability 0.95.

    All around it is 0.02. A reconstruction is the shape moved by a cell along x.
    """

    def __init__(self, num_classes=0):
        super().__init__(SIZE, 3, num_classes)
        self.weight = nn.Parameter(torch.zeros(1))

    def players(self):
        return []

    def draw_latents(self, randomness, count, truncation=1.0):
        return torch.zeros(count, 3)

    @property
    def feature_network(self):
        raise NotImplementedError

    def sample(self, seeds, labels=None, num_frames=None, truncation=1.0):
        labels = [0] * len(seeds) if labels is None else labels
        volumes = [box(2 + seed % 8, 4 + label) for seed, label in zip(seeds, labels, strict=True)]
        return torch.from_numpy(np.stack(volumes))[:, None] * 0.93 + 0.02 + self.weight

    def reconstruct(self, volumes):
        return volumes.roll(1, dims=2)

    def features(self, volumes, labels=None):
        """Cells along each axis."""
        solid = volumes[:, 0] > 0.5
        return torch.stack(
            [solid.amax(dim=axes).sum(dim=1) for axes in ((2, 3), (1, 3), (1, 2))], dim=1
        ).float()


def save_boxes(run: Path, num_classes=0, classes=(), steps=(7,)):
    """A run of boxes."""
    for step in steps:
        game = KnownBoxes(num_classes)
        about = {"game": game.describe(), "classes": list(classes), "fps": 24.0}
        save_checkpoint(run, step, game.state_dict(), {}, about, keep=9)


def write_volumes(folder: Path, volumes):
    """Files folder/NUMBER.npy of volumes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, volume in enumerate(volumes):
        np.save(folder / f"{number}.npy", np.asarray(volume) >= 0.5)


def furniture(folder: Path, train, test):
    """The option for a folder of one class with a training and a test split."""
    write_volumes(folder / "box/train", train)
    write_volumes(folder / "box/test", test)
    return f"--data.root={folder}"


def scores(run: Path, *names):
    """The last line of each metric; of a single one that line itself."""
    folder = run / "metrics"
    lines = [json.loads((folder / f"{n}.jsonl").read_text().splitlines()[-1]) for n in names]
    return lines[0] if len(names) == 1 else lines
