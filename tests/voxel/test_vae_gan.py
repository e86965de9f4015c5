"""3D-VAE-GAN: three losses against numbers made by hand, three players that move alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import softplus

from tests.tiny_voxels import TINY_VIEWS, moved_weights, tiny_batch, tiny_vae_gan
from vidgen.adversarial.described import build
from vidgen.adversarial.game import Batch
from vidgen.errors import UserError
from voxel import VoxelVAEGAN
from voxel.vae_gan import kl_divergence, volume_distance


def test_the_whole_system_has_its_parameters():
    with torch.device("meta"):
        game = VoxelVAEGAN()
    assert sum(weight.numel() for weight in game.parameters()) == 46_053_008
    rates = {player.name: player.optimizer.learning_rate for player in game.players()}
    assert rates == {"discriminator": 1e-5, "encoder": 1e-4, "generator": 2.5e-3}
    assert list(rates) == ["discriminator", "encoder", "generator"]


def test_divergence_is_zero_at_the_prior_and_a_half_for_a_mean_of_one():
    nothing = torch.zeros(3, 5)
    for reduction in ("scaled", "literal", "kl_sum", "mean"):
        assert kl_divergence(nothing, nothing, reduction).item() == 0
    mean = torch.zeros(1, 5)
    mean[0, 2] = 1
    assert kl_divergence(mean, torch.zeros(1, 5), "literal").item() == 0.5
    assert kl_divergence(mean, torch.zeros(1, 5), "scaled").item() == pytest.approx(0.1)


def test_divergence_agrees_with_a_monte_carlo_estimate():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.tensor([[0.7, -1.2]]), torch.tensor([[0.9, -1.1]])
    noise = torch.randn(400_000, 2, generator=generator)
    drawn = mean + (log_variance / 2).exp() * noise
    ratio = (-0.5 * (noise.square() + log_variance) + 0.5 * drawn.square()).sum(1).mean()
    exact = kl_divergence(mean, log_variance, "kl_sum")
    assert exact.item() == pytest.approx(ratio.item(), rel=0.01)


def test_distances_are_those_of_the_table():
    real = torch.zeros(2, 1, 8, 8, 8)
    real[0, 0, 0, 0, :4] = 1
    empty = torch.full_like(real, -100.0)  # log-odds of nothing anywhere
    assert volume_distance(empty, real, "scaled").item() == pytest.approx((4 + 0) / 2)
    assert volume_distance(empty, real, "kl_sum").item() == pytest.approx(2)
    assert volume_distance(empty, real, "literal").item() == pytest.approx((2 + 1e-6) / 2)
    assert volume_distance(empty, real, "mean").item() == pytest.approx(4 / 1024)
    even = torch.zeros_like(real)
    told = volume_distance(even, real, "scaled", "cross_entropy")
    assert told.item() == pytest.approx(512 * math.log(2), rel=1e-5)


def test_the_default_reduction_is_the_identity_of_the_sheet():
    game = tiny_vae_gan(resolution=64, latent_dim=200, width=2, discriminator_width=2)
    mean, log_variance = torch.randn(2, 200), torch.randn(2, 200)
    log_odds, real = torch.randn(2, 1, 64, 64, 64), torch.rand(2, 1, 64, 64, 64).round()
    ours = game.divergence_weight * kl_divergence(mean, log_variance, game.reduction)
    ours += game.reconstruction_weight * volume_distance(log_odds, real, game.reduction)
    kl_sum = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(1).mean()
    squares = (log_odds.sigmoid() - real).square().mean()
    torch.testing.assert_close(ours, 0.025 * kl_sum + 26.2144 * squares)


def test_the_three_losses_have_the_values_of_their_formulas():
    game, batch = tiny_vae_gan(), tiny_batch()
    mean, log_variance = torch.full((4, 8), 0.5), torch.full((4, 8), -1.0)
    game.encoder.forward = lambda image: (mean, log_variance)
    game.generator.logits = lambda latent, labels=None: torch.full((4, 1, 16, 16, 16), -2.0)
    binary = torch.tensor([1.5, -0.5])
    game.discriminator.forward = lambda volume, labels=None: binary[
        0 if volume is batch.real else 1
    ].expand(4)
    squares = (torch.sigmoid(torch.tensor(-2.0)) - batch.real).square().flatten(1).sum(1).mean()

    told = game.discriminator_loss(batch)
    expected = softplus(-binary[0]) + softplus(binary[1])
    torch.testing.assert_close(told, {"adversarial": expected})

    encoded = game.encoder_loss(batch)
    divergence = 0.5 * (0.25 + math.exp(-1) + 1 - 1)
    assert encoded["divergence"].item() == pytest.approx(5 * divergence)
    torch.testing.assert_close(encoded["reconstruction"], 1e-4 * squares)
    assert encoded.keys() == {"divergence", "reconstruction"}

    made = game.generator_loss(batch)
    torch.testing.assert_close(
        made, {"adversarial": softplus(-binary[1]), "reconstruction": 1e-4 * squares}
    )


@pytest.mark.parametrize("name", ["discriminator", "encoder", "generator"])
@pytest.mark.parametrize("seen", [False, True])
def test_each_player_moves_its_own_network_only(name, seen):
    game = tiny_vae_gan(sees_reconstructions=seen)
    assert moved_weights(game, name, tiny_batch()) == {name}


def test_the_encoder_learns_of_the_reconstruction_through_the_generator():
    game, batch = tiny_vae_gan(divergence_weight=0.0), tiny_batch()
    first = game.encoder.layers[0].weight

    def gradient() -> float:
        loss = game.encoder_loss(batch)["reconstruction"]
        return torch.autograd.grad(loss, first)[0].norm().item()

    assert gradient() > 0
    game.generator.layers[-1].weight.data.zero_()
    assert gradient() == 0


def test_the_generator_keeps_z_and_draws_the_encoder_s_anew():
    game, batch, latents = tiny_vae_gan(), tiny_batch(), []
    decode = game.generator.logits
    game.generator.logits = lambda z, c=None: latents.append(z) or decode(z, c)
    for player in game.players():
        player.loss(batch)
    of_discriminator, of_encoder, prior, encoded = latents
    assert torch.equal(of_discriminator, prior)
    assert not torch.equal(of_encoder, encoded)
    assert not encoded.requires_grad
    assert of_encoder.requires_grad


def test_latents_have_the_encoder_s_moments_and_gradients_reach_both():
    game = tiny_vae_gan()
    mean = torch.full((20_000, 1), 0.5, requires_grad=True)
    log_variance = torch.full((20_000, 1), -1.0, requires_grad=True)
    drawn = game._reparameterized(mean, log_variance)
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.02)
    assert drawn.var().item() == pytest.approx(math.exp(-1), rel=0.03)
    drawn.square().sum().backward()
    assert mean.grad is not None and mean.grad.abs().sum() > 0
    assert log_variance.grad is not None and log_variance.grad.abs().sum() > 0


def test_the_divergence_grows_with_the_warm_up():
    game, batch = tiny_vae_gan(warm_up=10), tiny_batch()
    game.encoder.forward = lambda image: (torch.ones(4, 8), torch.zeros(4, 8))
    (encoder,) = (player for player in game.players() if player.name == "encoder")
    found = []
    for step in (0, 5, 10, 20):
        encoder.after_move(step)
        found.append(game.encoder_loss(batch)["divergence"].item())
    assert found == pytest.approx([0, 1.25, 2.5, 2.5])


def test_a_discriminator_that_sees_reconstructions_judges_as_many_again():
    game, sizes = tiny_vae_gan(sees_reconstructions=True), []
    game.discriminator.register_forward_hook(lambda *_: sizes.append(1))
    batch = tiny_batch()
    game.discriminator_loss(batch)
    assert len(sizes) == 3
    assert game.accuracy_rule.judged.tolist() == [4, 4], "the rule counts the prior's fakes"


def test_an_image_becomes_the_volume_of_its_mean_latent():
    game, images = tiny_vae_gan(), tiny_batch().views
    mean, _ = game.encode(images)
    assert torch.equal(game.reconstruct(images), game.decode(mean))
    sampled = game.reconstruct(images, num_samples=3, seed=1)
    assert torch.equal(sampled, game.reconstruct(images, num_samples=3, seed=1))
    assert not torch.allclose(sampled, game.reconstruct(images, num_samples=3, seed=2))
    game.encoder.layers[-1].weight.data[8:] = 0
    game.encoder.layers[-1].bias.data[8:] = -100
    near = game.reconstruct(images, num_samples=2)
    assert (near - game.reconstruct(images)).abs().max() < 0.02


def test_it_is_rebuilt_from_its_description():
    game = tiny_vae_gan(reduction="literal", normalize_first=False)
    again = build(game.describe())
    assert isinstance(again, VoxelVAEGAN)
    assert again.reduction == "literal"
    assert again.state_dict().keys() == game.state_dict().keys()
    assert game.describe()["init_args"] | TINY_VIEWS == game.describe()["init_args"]
    assert game.data_options() == {"size": 16, "view_size": 32}


def test_data_without_images_is_refused():
    batch = tiny_batch()
    with pytest.raises(UserError, match=r"the data has no images of its shapes; use data\.ShapeV"):
        tiny_vae_gan().encoder_loss(Batch(batch.real, batch.labels))


def test_a_root_of_cross_entropies_is_refused():
    with pytest.raises(ValueError, match="reduction literal is the root of squares"):
        tiny_vae_gan(reduction="literal", distance="cross_entropy")
