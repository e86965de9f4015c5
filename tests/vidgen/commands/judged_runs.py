"""Runs, films and classifiers small enough to be judged in tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tests.data import films
from tests.tiny import tiny_game
from vidgen.adversarial.checkpoints import save_checkpoint
from vidgen.metrics.extractors.own import ClassifierConfig, save_classifier


def save_run(folder: Path, steps=(7,), **options):
    """A run of an untrained game of 3x4x16x16 clips, and the game of the last checkpoint."""
    for step in steps:
        game = tiny_game(seed=step, **options)
        torch.manual_seed(step)
        for weight in game.generator.parameters():  # as it is born, it makes nothing but grey
            weight.data.add_(0.2 * torch.randn_like(weight))
        classes = ["Archery", "Biking"][: game.num_classes]
        about = {"game": game.describe(), "classes": classes, "fps": 8.0}
        save_checkpoint(folder, step, game.state_dict(), {}, about, keep=9)
    return game.eval()


def save_small_classifier(path: Path, classes=("Archery", "Biking"), seed=0):
    """A classifier with random weights for clips of 4 frames."""
    config = ClassifierConfig(path.stem, list(classes), 4, 16, 16, 1, 0.5, {})
    torch.manual_seed(seed)
    network = config.network()
    save_classifier(path, config, network.state_dict())
    return network.eval()


def shaded_films(folder: Path, count=10):
    """Films of two classes, dark and bright."""
    generator = np.random.default_rng(0)
    for number in range(count):
        name, level = (("Dark", 40), ("Bright", 200))[number % 2]
        (folder / name).mkdir(parents=True, exist_ok=True)
        frames = generator.integers(level - 20, level + 20, (8, 16, 16, 3)).astype(np.uint8)
        films.write_film(folder / name / f"{number}.avi", list(frames), films.LOSSLESS)
