"""A tiny TGAN learns: colour and direction of motion of its samples, by class.

The set: a red square that moves right (class 0) and a green one that moves down (class 1), 9 of 16
pixels in 4 frames. A sample is right if its class's colour has more than twice the other's light
and the centre of its light moves more than 3 pixels in its class's direction and less across.
Measured with four seeds at 250 steps: 86 % to 100 % of samples; untrained or with a bug: 0 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from vidgen import TGAN, OptimizerSettings
from vidgen.adversarial.checkpoints import find_checkpoint, load_weights
from vidgen.adversarial.game import Batch
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit

SIZE, FRAMES, SQUARE, SPEED = 16, 4, 6, 3


def moving_squares(first: int, count: int = 16) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of the set, from this number on."""
    number = first
    while True:
        generator = torch.Generator().manual_seed(number)
        labels = torch.randint(0, 2, (count,), generator=generator)
        starts = torch.randint(0, 2, (count,), generator=generator)
        sides = torch.randint(0, SIZE - SQUARE + 1, (count,), generator=generator)
        clips = torch.zeros(count, 3, FRAMES, SIZE, SIZE, dtype=torch.uint8)
        for clip, label, start, side in zip(clips, labels, starts, sides, strict=True):
            for frame in range(FRAMES):
                ahead = int(start) + SPEED * frame
                row, column = (int(side), ahead) if label == 0 else (ahead, int(side))
                clip[label, frame, row : row + SQUARE, column : column + SQUARE] = 255
        yield clips, labels
        number += 1


def share_right(pixels: Tensor, labels: Tensor) -> float:
    """The share of clips with their class's colour and direction."""
    light = pixels.float() / 255
    colours = light.mean(dim=(2, 3, 4))
    every = torch.arange(len(labels))
    own, other = colours[every, labels], colours[every, 1 - labels]
    column, row = centre_of_light(light)
    moved = torch.stack([column[:, -1] - column[:, 0], row[:, -1] - row[:, 0]], dim=1)
    along, across = moved[every, labels], moved[every, 1 - labels].abs()
    return ((own > 2 * other) & (along > 3) & (along > across)).float().mean().item()


def centre_of_light(light: Float[Tensor, "n c t h w"]) -> tuple[Tensor, Tensor]:
    """Column and row of each frame's centre."""
    weight = light.sum(1) + 1e-6
    places = torch.arange(SIZE).float()
    total = weight.sum(dim=(2, 3))
    column = (weight * places).sum(dim=(2, 3)) / total
    row = (weight * places.unsqueeze(1)).sum(dim=(2, 3)) / total
    return column, row


class GeneratorDetached(TGAN):
    """A planted bug: no gradient reaches the generator."""

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        nothing = sum(0 * weight.sum() for weight in self.generator.parameters())
        terms = super().generator_loss(batch)
        return {name: term.detach() + nothing for name, term in terms.items()}


class RealAndFakeSwapped(TGAN):
    """A planted bug: the critic takes fakes for real and reals for fake."""

    def critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        swapped = Batch(batch.made["fake"], batch.labels)
        swapped.made = {**batch.made, "fake": batch.real}
        return super().critic_loss(swapped)


def trained(kind: type[TGAN], run: Path, steps: int = 250, seed: int = 0) -> TGAN:
    torch.manual_seed(seed)
    game = kind(
        num_frames=FRAMES,
        frame_size=SIZE,
        num_classes=2,
        slow_dim=16,
        fast_dim=16,
        temporal_width=32,
        image_width=32,
        critic_width=16,
        loss="hinge",
        constraint="spectral",
        order="generator_first",
        initialization="dcgan_normal",
        optimizer=OptimizerSettings(learning_rate=5e-4, betas=(0.0, 0.9)),
    )
    settings = TrainingSettings(
        steps=steps, batch_size=16, seed=seed, average=0.95, accelerator="cpu"
    )
    fit(game, moving_squares, settings, run)
    if steps:
        load_weights(game, find_checkpoint(run))  # the average
    return game


def share_right_of(game: TGAN) -> float:
    labels = torch.arange(64) % 2
    return share_right(game.to_pixels(game.sample(range(64), labels.tolist())), labels)


def test_the_measure_knows_the_set_from_its_mirror_images():
    clips, labels = next(moving_squares(0, 64))
    assert share_right(clips, labels) == 1
    assert share_right(clips, 1 - labels) == 0
    assert share_right(clips.flip(2), labels) == 0  # backwards
    assert share_right(clips.transpose(3, 4), labels) == 0  # down and right exchanged
    assert share_right(clips[:, [1, 0, 2]], labels) == 0  # red and green exchanged


def test_a_trained_game_makes_the_colours_and_motions_of_its_classes(tmp_path: Path):
    assert share_right_of(trained(TGAN, tmp_path, steps=0)) == 0
    game = trained(TGAN, tmp_path)
    assert share_right_of(game) >= 0.8
    pixels = game.to_pixels(game.sample(range(64), [0] * 64)).float() / 255
    red, green, blue = pixels.mean(dim=(0, 2, 3, 4)).tolist()
    assert red == pytest.approx((SQUARE / SIZE) ** 2, abs=0.12)
    assert max(green, blue) < 0.07


@pytest.mark.parametrize("kind", [GeneratorDetached, RealAndFakeSwapped])
def test_a_game_with_a_planted_bug_does_not(kind: type[TGAN], tmp_path: Path):
    assert share_right_of(trained(kind, tmp_path)) <= 0.1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 9))
def test_other_seeds_learn_too(seed: int, tmp_path: Path):
    assert share_right_of(trained(TGAN, tmp_path, seed=seed)) >= 0.8
