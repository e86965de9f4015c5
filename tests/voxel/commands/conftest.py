from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.adversarial.game import Game
from vidgen.commands.running import run_command
from voxel.__main__ import main
from voxel.commands.evaluate import main as evaluate_shapes

SIZE = 16
_OTHERS = ((2, 3), (1, 3), (1, 2))  # axes across x, y and z, of a batch of volumes


class BoxGame(Game):
    """A model of boxes whose sides are told by seed and label: all files can be calculated.

    The box of seed s spans 2 ... 4 + s along x, 2 ... 6 along y and 2 ... 8 + label along z, with a
    probability of 0.9. Its latent is (s, 4, 6): the sides without the class.
    """

    example_shape = (1, SIZE, SIZE, SIZE)
    prior = "normal"
    view_shape = (3, 32, 32)

    def __init__(self, num_classes=0):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.num_classes = num_classes
        self.batches: list[int] = []
        self.eval()

    def players(self):
        return []

    def latents(self, seeds, truncation=1.0):
        return torch.tensor([[truncation * seed, 4.0, 6.0] for seed in seeds])

    def draw_labels(self, seeds):
        return [seed % self.num_classes for seed in seeds]

    def decode(self, latents, labels=None):
        self.batches.append(len(latents))
        occupancy = torch.zeros(len(latents), *self.example_shape)
        for number, (x, y, z) in enumerate(latents.round().int().tolist()):
            z += labels[number] if labels is not None else 0
            occupancy[number, 0, 2 : 4 + x, 2 : 2 + y, 2 : 2 + z] = 0.9
        return occupancy + self.weight

    def sample(self, seeds, labels=None, num_frames=None, truncation=1.0):
        if labels is None and self.num_classes:
            labels = self.draw_labels(seeds)
        return self.decode(self.latents(seeds, truncation), labels)

    def reconstruct(self, images, labels=None, num_samples=0):
        """As long along x as the top left pixel is bright: white 6 cells, black 2."""
        bright = (images[:, 0, 0, 0] + 1) / 2
        return self.decode(torch.stack([4 * bright, 4 + 0 * bright, 6 + 0 * bright], dim=1), labels)

    def features(self, volumes, labels=None):
        """Cells along x, y and z."""
        solid = volumes[:, 0] > 0.5
        sides = [solid.any(dim=later).any(dim=first).sum(dim=1) for first, later in _OTHERS]
        return torch.stack(sides, dim=1).float()

    @property
    def feature_network(self):
        """Two neurons: the cells in a row along x, and along z, nine at most."""
        layer = nn.Conv3d(1, 2, 9, bias=False)
        with torch.no_grad():
            layer.weight.zero_()
            layer.weight[0, 0, :, 0, 0] = 1
            layer.weight[1, 0, 0, 0, :] = 1
        return SimpleNamespace(blocks=[nn.Sequential(layer, nn.LeakyReLU(0.2))])


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    monkeypatch.setattr("voxel.pictures.SIZE", 32)
    monkeypatch.setattr("voxel.pictures._TURN_FRAMES", 4)


@pytest.fixture
def boxes(monkeypatch):
    """Puts a BoxGame in the place of every run's."""

    def use(num_classes=0, classes=()):
        game = BoxGame(num_classes)

        def load_game(run, checkpoint="latest", allow=()):
            return LoadedGame(game, step=7, fps=8.0, classes=list(classes), folder=run)

        monkeypatch.setattr("vidgen.commands.outputs.load_game", load_game)
        return game

    return use


@pytest.fixture
def box_tree(tmp_path):
    """Writes boxes of given sides, at the place of BoxGame's, as ROOT/CLASS/SPLIT/NAME.npy."""

    def write(**sides):
        for name, (x, y, z) in sides.items():
            path = tmp_path / "data" / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            cells = np.zeros((SIZE,) * 3, bool)
            cells[2 : 2 + x, 2 : 2 + y, 2 : 2 + z] = True
            np.save(path.with_suffix(".npy"), cells)
        return tmp_path / "data"

    return write


@pytest.fixture
def voxel(capsys):
    """Runs a command line as the user would: exit code, lines of stdout, text of stderr."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, lines=out.splitlines(), error=err)

    return run


@pytest.fixture
def film():
    """Reads a film: frames (time, height, width, channel) and rate."""
    import av

    def read(path):
        with av.open(str(path)) as video:
            rate = video.streams.video[0].average_rate
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        return np.stack(frames).astype(int), rate

    return read


@pytest.fixture
def evaluate(capsys):
    """Runs evaluate.py on a run of shapes: exit code, text of stdout and stderr."""

    def run(*arguments):
        code = run_command(
            "evaluate.py", evaluate_shapes, [str(argument) for argument in arguments]
        )
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, error=err)

    return run
