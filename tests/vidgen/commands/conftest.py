from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from vidgen.__main__ import main
from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.adversarial.game import Game
from vidgen.errors import UserError


class StillGame(Game):
    """A model that can only sample.

    Its clips are of one shade, told by seed, label and frame: all values can be calculated.

    Pixel level of channel c in frame t: 10 + 4 * seed + 2 * t + 40 * c, plus 20 * label,
    everything times the truncation.
    """

    example_shape = (3, 4, 8, 6)
    num_frames = 4

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.batches: list[list[int]] = []
        self.asked: list[tuple] = []
        self.eval()

    def players(self):
        return []

    def shades(self, seeds, times, labels=None, truncation=1.0):
        seed = torch.as_tensor(seeds, dtype=torch.float)[:, None, None]
        channel = torch.arange(3.0)[:, None]
        label = torch.as_tensor(labels or [0] * len(seeds), dtype=torch.float)[:, None, None]
        level = 10 + 4 * seed + 2 * torch.as_tensor(times) + 40 * channel + 20 * label
        clips = (truncation * level / 127.5 - 1)[..., None, None].expand(-1, -1, -1, 8, 6)
        return clips + self.weight

    def sample(self, seeds, labels=None, num_frames=None, truncation=1.0):
        if num_frames is not None and num_frames > 6:
            raise UserError(f"this model makes 1 to 6 frames, not {num_frames}")
        self.batches.append(list(seeds))
        times = torch.arange(float(num_frames or self.num_frames))
        return self.shades(seeds, times, labels, truncation)


class ShadeGame(StillGame):
    """A model that can do everything."""

    def interpolate(self, seeds, factor, labels=None, truncation=1.0):
        self.batches.append(list(seeds))
        times = torch.arange(factor * (self.num_frames - 1) + 1.0) / factor
        return self.shades(seeds, times, labels, truncation)

    def walk(self, seed_a, seed_b, stages, label=None):
        labels = None if label is None else [label] * stages
        return self.shades(torch.linspace(seed_a, seed_b, stages), torch.arange(4.0), labels)


@pytest.fixture
def trained(monkeypatch):
    """Puts a ShadeGame in the place of every run's, and remembers how it was asked for."""

    def use(num_classes=0, classes=(), fps=8.0, only_samples=False):
        game = StillGame() if only_samples else ShadeGame()
        game.num_classes = num_classes

        def load_game(run, checkpoint="latest", allow=()):
            game.asked.append((run, checkpoint, list(allow)))
            return LoadedGame(game, step=7, fps=fps, classes=list(classes), folder=run)

        monkeypatch.setattr("vidgen.commands.outputs.load_game", load_game)
        return game

    return use


@pytest.fixture
def trained_game(monkeypatch):
    """Puts a given game in the place of every run's."""

    def use(game, classes=(), fps=8.0):
        def load_game(run, checkpoint="latest", allow=()):
            return LoadedGame(game.eval(), step=7, fps=fps, classes=list(classes), folder=run)

        monkeypatch.setattr("vidgen.commands.outputs.load_game", load_game)
        return game

    return use


@pytest.fixture
def shades():
    def expected(seed, times, label=0):
        """Levels (channel, time) of a ShadeGame's clip."""
        channel, time = np.meshgrid(np.arange(3), times, indexing="ij")
        return np.round(10 + 4 * seed + 2 * time + 40 * channel + 20 * label)

    return expected


@pytest.fixture
def strip_levels():
    def read(path, num_frames):
        """Levels (channel, time) of the one-shade frames in a PNG strip."""
        strip = np.asarray(Image.open(path)).astype(int)  # (height, time * width, channel)
        frames = strip.reshape(strip.shape[0], num_frames, -1, 3)
        assert (frames == frames[:1, :, :1]).all(), "each frame is of one shade"
        return frames[0, :, 0].T

    return read


@pytest.fixture
def vidgen(capsys):
    """Runs a command line as the user would: exit code, lines of stdout, text of stderr."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, lines=out.splitlines(), error=err)

    return run
