"""The baseline: codes, a Gaussian over them, volumes of new ones."""

from __future__ import annotations

import math

import pytest
import torch

from tests.tiny_voxels import moved_weights, tiny_batch
from vidgen.errors import UserError
from voxel import VoxelAutoencoder


def tiny_autoencoder(latent_dim: int = 3) -> VoxelAutoencoder:
    torch.manual_seed(0)
    return VoxelAutoencoder(resolution=16, latent_dim=latent_dim, width=4)


def test_it_has_the_networks_of_the_figure():
    with torch.device("meta"):
        game = VoxelAutoencoder()
    assert sum(weight.numel() for weight in game.generator.parameters()) == 17_569_664
    without_bias = game.encoder.head.weight.numel()
    assert without_bias == 512 * 64 * 200


def test_the_loss_is_the_cross_entropy_of_voxels():
    game, batch = tiny_autoencoder(), tiny_batch()
    game.generator.layers[-1].weight.data.zero_()
    told = game.reconstruction_loss(batch)["reconstruction"]
    assert told.item() == pytest.approx(math.log(2))
    assert moved_weights(tiny_autoencoder(), "autoencoder", batch) == {"encoder", "generator"}


def test_new_codes_have_mean_and_covariance_of_the_fitted_ones():
    game = tiny_autoencoder(2)
    factor = torch.tensor([[2.0, 0.0], [1.5, 0.5]])
    codes = torch.randn(5000, 2, generator=torch.Generator().manual_seed(1)) @ factor.T + 3
    game.fit_gaussian(codes)
    drawn = game.latents(range(5000))
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.15, rtol=0)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(codes.T), atol=0.35, rtol=0)
    torch.testing.assert_close(game.mean_latent, codes.mean(0))
    nearer = game.latents([1], truncation=0.5) - game.mean_latent
    torch.testing.assert_close(nearer, (game.latents([1]) - game.mean_latent) / 2)


def test_before_a_fit_the_codes_of_training_are_followed():
    game = tiny_autoencoder(2)
    batch = torch.tensor([[4.0, 0.0], [6.0, 0.0]])
    for _ in range(2000):
        game._follow(batch)
    torch.testing.assert_close(game.code_mean, torch.tensor([5.0, 0.0]), atol=1e-3, rtol=0)
    expected = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    torch.testing.assert_close(game.code_covariance, expected, atol=1e-3, rtol=0)
    assert torch.isfinite(game.sample([0, 1])).all(), "a flat Gaussian can be drawn from"


def test_reconstructions_are_decoded_codes():
    game, volumes = tiny_autoencoder(), tiny_batch().real
    assert torch.equal(game.reconstruct(volumes), game.decode(game.encode(volumes)))
    assert game.features(volumes).shape == (4, 64)


def test_codes_without_a_covariance_are_refused():
    with pytest.raises(UserError, match="1 codes have no covariance; encode more volumes"):
        tiny_autoencoder(2).fit_gaussian(torch.zeros(1, 2))
    with pytest.raises(UserError, match="some codes are not finite"):
        tiny_autoencoder(2).fit_gaussian(torch.full((3, 2), float("nan")))
