"""3D-GAN: whose weights move, for what, and when the discriminator stands still."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import softplus

from tests.tiny_voxels import moved_weights, tiny_batch, tiny_gan
from vidgen.adversarial.game import Batch
from vidgen.errors import UserError


def judge_by(game, real: float, fake: float) -> None:
    """Replaces the discriminator's scores: those of exactly binary volumes, and of others."""
    binary = torch.tensor(real), torch.tensor(fake)

    def forward(volume, labels=None):
        scores = [binary[0] if ((v == 0) | (v == 1)).all() else binary[1] for v in volume]
        return torch.stack(scores)

    game.discriminator.forward = forward


def test_losses_at_zero_logits_are_the_closed_forms():
    for loss, of_generator in (("non_saturating", math.log(2)), ("minimax", -math.log(2))):
        game = tiny_gan(loss=loss)
        judge_by(game, 0.0, 0.0)
        told = game.discriminator_loss(tiny_batch())["adversarial"]
        assert told.item() == pytest.approx(2 * math.log(2))
        assert game.generator_loss(tiny_batch())["adversarial"].item() == pytest.approx(
            of_generator
        )


def test_reals_are_told_from_fakes_and_the_generator_wants_to_be_taken_for_real():
    game = tiny_gan()
    judge_by(game, 3.0, -1.0)
    three, one = softplus(torch.tensor(-3.0)), softplus(torch.tensor(-1.0))
    told = game.discriminator_loss(tiny_batch())["adversarial"]
    torch.testing.assert_close(told, three + one)
    wanted = game.generator_loss(tiny_batch())["adversarial"]
    torch.testing.assert_close(wanted, softplus(torch.tensor(1.0)))


def test_each_player_moves_its_own_network_only():
    assert moved_weights(tiny_gan(), "discriminator", tiny_batch()) == {"discriminator"}
    assert moved_weights(tiny_gan(), "generator", tiny_batch()) == {"generator"}


def test_the_discriminator_learns_a_hundredth_as_fast():
    discriminator, generator = tiny_gan().players()
    assert discriminator.optimizer.learning_rate == 1e-5
    assert generator.optimizer.learning_rate == 2.5e-3
    assert discriminator.optimizer.betas == generator.optimizer.betas == (0.5, 0.999)
    assert (discriminator.name, generator.name) == ("discriminator", "generator")


def test_the_seed_decides_the_initial_weights():
    first, again, other = (tiny_gan(seed).generator.layers[0].weight for seed in (3, 3, 4))
    assert first.equal(again)
    assert not first.equal(other)


def test_the_generator_is_judged_by_fresh_latents():
    game, seen = tiny_gan(), []
    game.generator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    batch = tiny_batch()
    game.discriminator_loss(batch)
    game.generator_loss(batch)
    assert not torch.equal(*seen)
    assert all(((latent >= 0) & (latent <= 1)).all() for latent in seen)


def test_reals_and_fakes_pass_batch_norm_apart():
    game, batch = tiny_gan(), tiny_batch()
    sizes, first = [], game.discriminator.blocks[0][1]
    first.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    game.discriminator_loss(batch)
    assert sizes == [4, 4]
    assert first.num_batches_tracked == 2
    game.generator_loss(batch)
    assert first.num_batches_tracked == 2
    assert game.generator.layers[1].num_batches_tracked == 1


def test_only_a_finished_batch_of_at_most_the_limit_lets_it_move():
    game = tiny_gan()
    discriminator, _ = game.players()
    assert discriminator.may_move()
    for real, fake, allowed in ((1.0, -1.0, False), (1.0, 1.0, True), (-1.0, -1.0, True)):
        judge_by(game, real, fake)
        discriminator.loss(tiny_batch())
        discriminator.after_move(1)
        assert discriminator.may_move() is allowed
    assert tiny_gan(accuracy_limit=None).players()[0].may_move()


def test_uniform_latents_fill_the_unit_cube():
    latents = tiny_gan(latent_dim=50).latents(range(2000))
    assert 0 <= latents.min() < 0.001
    assert 0.999 < latents.max() <= 1
    assert latents.mean().item() == pytest.approx(0.5, abs=0.005)
    assert latents.var().item() == pytest.approx(1 / 12, rel=0.02)
    nearer = tiny_gan(latent_dim=50).latents(range(2000), truncation=0.5)
    torch.testing.assert_close(nearer - 0.5, (latents - 0.5) / 2)
    assert tiny_gan().mean_latent.tolist() == [0.5] * 8


@pytest.mark.parametrize(("prior", "deviation"), [("normal", 1.0), ("narrow_normal", 0.33)])
def test_other_priors_are_normal(prior, deviation):
    game = tiny_gan(prior=prior, latent_dim=50)
    latents = game.latents(range(2000))
    assert latents.mean().item() == pytest.approx(0, abs=0.02 * deviation)
    assert latents.std().item() == pytest.approx(deviation, rel=0.02)
    assert not game.mean_latent.any()
    assert game.describe()["init_args"]["prior"] == prior


def test_r1_is_half_gamma_times_the_squared_gradient_at_reals():
    game = tiny_gan(normalization="none", penalty="r1", penalty_weight=6.0)
    batch = tiny_batch()
    terms = game.discriminator_loss(batch)
    points = batch.real.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(game.discriminator(points).sum(), points)
    squares = gradient.flatten(1).square().sum(1)
    torch.testing.assert_close(terms["penalty"], 3.0 * squares.mean())


def test_wgan_gp_pulls_the_gradient_between_reals_and_fakes_to_one():
    game = tiny_gan(normalization="layer", penalty="wgan_gp", loss="wasserstein", seed=3)
    batch = tiny_batch()
    judged = []
    game.discriminator.register_forward_pre_hook(lambda _, inputs: judged.append(inputs[0]))
    terms = game.discriminator_loss(batch)
    real, fake, points = judged
    shares = ((points - fake) * (real - fake)).flatten(1).sum(1)
    shares = shares / (real - fake).flatten(1).square().sum(1)
    assert ((shares > 0) & (shares < 1)).all()
    assert len(shares.unique()) == 4
    (gradient,) = torch.autograd.grad(game.discriminator(points).sum(), points)
    norms = gradient.flatten(1).norm(dim=1)
    torch.testing.assert_close(terms["penalty"], 10 * (norms - 1).square().mean())


def test_a_lazy_penalty_comes_every_so_many_moves_and_weighs_as_much_more():
    options = {"normalization": "none", "penalty": "r1"}
    lazy, eager = tiny_gan(penalty_every=3, **options), tiny_gan(**options)
    batch, penalties = tiny_batch(), []
    for move in range(7):
        penalties.append("penalty" in lazy.discriminator_loss(batch))
        lazy.players()[0].after_move(move + 1)
    assert penalties == [True, False, False, True, False, False, True]
    lazy.moves_made.zero_()
    torch.testing.assert_close(
        lazy.discriminator_loss(batch)["penalty"],
        3 * eager.discriminator_loss(batch)["penalty"],
    )


def test_a_penalty_with_batch_norm_is_refused():
    with pytest.raises(ValueError, match="penalty r1 needs a discriminator that judges each"):
        tiny_gan(penalty="r1")


def test_both_networks_are_told_the_class():
    game = tiny_gan(num_classes=3)
    told = {"generator": [], "discriminator": []}
    for name, labels in told.items():
        game.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, labels=labels: labels.append(inputs[1].argmax(1).tolist())
        )
    real = tiny_batch().real
    batch = Batch(real, torch.tensor([2, 0, 1, 2]))
    game.discriminator_loss(batch)
    game.generator_loss(batch)
    assert told == {"generator": [[2, 0, 1, 2]] * 2, "discriminator": [[2, 0, 1, 2]] * 3}
    assert game.label_counts.tolist() == [1, 1, 2]
    with pytest.raises(UserError, match=r"label 3 is outside 0 … 2"):
        game.discriminator_loss(Batch(real, torch.tensor([3, 0, 1, 2])))


def test_the_log_tells_accuracies_and_occupancies():
    game, batch = tiny_gan(), tiny_batch()
    assert game.figures() == {}
    judge_by(game, 1.0, 1.0)
    game.discriminator_loss(batch)
    game.players()[0].after_move(1)
    figures = game.figures()
    assert figures["discriminator/accuracy"] == 0.5
    assert figures["discriminator/accuracy_real"] == 1.0
    assert figures["discriminator/accuracy_fake"] == 0.0
    assert figures["occupancy_real"] == pytest.approx(batch.real.mean().item())
    assert 0.3 < figures["occupancy_fake"] < 0.7
