"""MoCoGAN in the loop: resuming, and whether it learns."""

import pytest
import torch

from vidgen import ImageToVideoMoCoGAN, MoCoGAN, OptimizerSettings
from vidgen.adversarial.game import Batch, only_trainable
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit

TINY = {"frame_size": 16, "generator_width": 2, "discriminator_width": 2}


def make_game(kind, **options):
    torch.manual_seed(0)
    return kind(**(TINY | options))


def batches(first):
    """Endless batches, a pure function of their number."""
    number = first
    while True:
        generator = torch.Generator().manual_seed(number)
        pixels = torch.randint(0, 256, (4, 3, 16, 16, 16), generator=generator, dtype=torch.uint8)
        yield pixels, torch.arange(4) % 3
        number += 1


def settings(steps):
    return TrainingSettings(
        steps=steps, batch_size=4, save_every=2, sample_every=0, log_every=1, accelerator="cpu"
    )


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (MoCoGAN, {"num_classes": 3, "category_mode": "both", "noise": 0.1}),
        (MoCoGAN, {"video_lengths": [16, 30]}),
        (MoCoGAN, {"normalization": "none", "r1_weight": 1.0, "batch_spread": True}),
        (ImageToVideoMoCoGAN, {"remembered": 6}),
    ],
)
def test_interrupted_run_equals_uninterrupted_run(tmp_path, kind, options):
    whole = make_game(kind, **options)
    fit(whole, batches, settings(4), tmp_path / "whole")
    fit(make_game(kind, **options), batches, settings(2), tmp_path / "halves")
    resumed = make_game(kind, **options)
    fit(resumed, batches, settings(4), tmp_path / "halves")
    fresh = make_game(kind, **options).state_dict()
    moved = 0
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
        moved += not torch.equal(value, fresh[name])
    assert moved > 20


def test_classifier_learns_the_categories_of_generated_clips():
    game = make_game(
        MoCoGAN,
        num_classes=3,
        category_mode="infogan",
        category_to="generator",
        generator_width=8,
        discriminator_width=8,
        content_dim=2,
        motion_dim=1,
        discriminator_optimizer=OptimizerSettings(learning_rate=2e-3),
    )
    judge = game.players()[1]
    optimizer = judge.optimizer.build(judge.parameters())
    batch = Batch(torch.rand(12, 3, 16, 16, 16) * 2 - 1, torch.full((12,), -1))
    entropies = []
    for step in range(25):
        game.randomness.turn_to(step)
        with only_trainable(game, judge.parameters()):
            optimizer.zero_grad()
            terms = judge.loss(batch)
            torch.stack(list(terms.values())).sum().backward()
            optimizer.step()
        entropies.append(terms["fake_category"].item())
    assert sum(entropies[-5:]) / 5 < 0.4  # chance is log 3 = 1.10


def test_generator_learns_to_please_judges_that_stand_still():
    game = make_game(MoCoGAN, num_classes=3, optimizer=OptimizerSettings(learning_rate=2e-3))
    generator = game.players()[-1]
    optimizer = generator.optimizer.build(generator.parameters())
    batch = Batch(torch.zeros(8, 3, 16, 16, 16), torch.zeros(8, dtype=torch.long))
    losses = []
    for step in range(50):
        game.randomness.turn_to(step)
        with only_trainable(game, generator.parameters()):
            optimizer.zero_grad()
            loss = torch.stack(list(generator.loss(batch).values())).sum()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) / 5 < 0.8 * sum(losses[:5]) / 5
