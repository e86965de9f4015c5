"""What can be done with any trained game of shapes."""

from __future__ import annotations

import pytest
import torch

from tests.tiny_voxels import tiny_batch, tiny_gan
from vidgen.errors import UserError


def test_a_seed_gives_the_same_shape_in_any_batch():
    game = tiny_gan()
    game.generator(game.latents(range(32)))
    together, alone = game.sample([5, 6, 7]), game.sample([6])
    torch.testing.assert_close(together[1:2], alone)
    assert not torch.allclose(together[0], together[1])
    assert together.shape == (3, 1, 16, 16, 16)


def test_decoding_a_seed_s_latent_is_sampling_it():
    game = tiny_gan()
    assert torch.equal(game.decode(game.latents([3, 9])), game.sample([3, 9]))
    middle = game.decode(game.mean_latent[None])
    torch.testing.assert_close(game.sample([4], truncation=0.0), middle)


def test_sampling_leaves_mode_and_gradients_as_they_were():
    game = tiny_gan()
    assert not game.sample([0]).requires_grad
    assert game.generator.training


def test_labels_choose_the_class_and_are_needed_to_decode():
    game = tiny_gan(num_classes=2)
    first, second = game.sample([1], [0]), game.sample([1], [1])
    assert (first - second).abs().max() > 1e-4
    latent = game.latents([1])
    assert torch.equal(game.decode(latent, [1]), second)
    with pytest.raises(UserError, match="the model has 2 classes: say which each shape is of"):
        game.decode(latent)
    with pytest.raises(UserError, match=r"label 2 is outside 0 … 1"):
        game.sample([1], [2])


def test_classes_are_drawn_as_often_as_training_met_them():
    game = tiny_gan(num_classes=3)
    game.label_counts.copy_(torch.tensor([300.0, 100.0, 0.0]))
    drawn = torch.bincount(torch.tensor(game.draw_labels(range(1000))), minlength=3)
    assert drawn[0].item() == pytest.approx(750, abs=50)
    assert drawn[2] == 0
    whole = game.sample([11, 12])
    assert torch.equal(whole, game.sample([11, 12], game.draw_labels([11, 12])))


def test_occupancy_is_between_zero_and_one():
    game = tiny_gan()
    voxels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 1, 3)
    occupancy = game.from_pixels(voxels)
    assert occupancy.flatten().tolist() == pytest.approx([0, 0.2, 1])
    assert torch.equal(game.to_pixels(occupancy), voxels)
    assert game.data_options() == {"size": 16}


def test_features_are_those_of_the_discriminator_at_rest():
    game, volumes = tiny_gan(), tiny_batch().real
    found = game.features(volumes)
    assert found.shape == (4, 64)
    game.discriminator.eval()
    torch.testing.assert_close(found, game.discriminator.features(volumes).detach())
    assert (found[0] - game.features(volumes[:1])[0]).norm() < 1e-5


def test_a_shape_has_no_frames():
    with pytest.raises(UserError, match="makes shapes, which have no 16 frames"):
        tiny_gan().sample([0], num_frames=16)


def test_pictures_show_each_seed_on_a_turntable():
    pixels = tiny_gan().pictures([0, 1])
    assert pixels.shape == (2, 1, 8, 64, 64)
    assert pixels.dtype == torch.uint8
