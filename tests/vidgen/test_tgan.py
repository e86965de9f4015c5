"""TGAN: its size, its losses and what a trained one is for (the checks of the article's sheet)."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tests.tiny import tiny_batches, tiny_game
from vidgen import TGAN, VolumetricTGAN
from vidgen.adversarial.blocks import initialize_
from vidgen.adversarial.constraints import singular_values
from vidgen.adversarial.game import Batch
from vidgen.adversarial.latents import SeedRandomness
from vidgen.errors import UserError


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def real_batch(game: TGAN) -> Batch:
    clips, labels = next(tiny_batches(0))
    return Batch(game.from_pixels(clips), labels)


def lively_game(**options: Any) -> TGAN:
    """In evaluation mode, with clips of full contrast; those of an untrained TGAN are all 0."""
    game = tiny_game(**options)
    initialize_(game.generator, "he_normal")
    for module in game.generator.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = 1.0
    labels = torch.eye(game.num_classes)[torch.arange(64) % 2] if game.num_classes else None
    game.generator(torch.rand(64, 100) * 2 - 1, labels)
    assert game.sample([1]).std() > 0.1
    return game.eval()


class Judge(nn.Module):
    """A critic whose scores can be worked out: the mean of a clip times a weight of 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.clips: list[torch.Tensor] = []

    def forward(self, clip: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        self.clips.append(clip)
        return self.weight * clip.mean(dim=(1, 2, 3, 4))


class Painter(nn.Module):
    """A generator of clips that all have one value."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, slow: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return self.value.expand(len(slow), 3, 4, 16, 16)


def stubbed(**options: Any) -> TGAN:
    game = tiny_game(**options)
    game.critic, game.generator = Judge(), Painter(-0.5)
    return game


def stubbed_loss(game: TGAN, name: str) -> torch.Tensor:
    player = next(player for player in game.players() if player.name == name)
    batch = Batch(torch.full((4, 3, 4, 16, 16), 0.25), torch.zeros(4, dtype=torch.long))
    (term,) = player.loss(batch).values()
    return term


# Section 1 and check 1: size.


def test_the_whole_game_has_the_articles_number_of_weights():
    game = TGAN(shift=True)
    assert parameters(game.generator) == 4_449_159
    assert parameters(game.critic) == 11_033_281
    plain = TGAN()
    assert parameters(plain.generator) == 4_448_135
    assert parameters(plain.critic) == 11_032_385
    assert TGAN(slow_to_frames=False).generator.image.layers[0].in_channels == 256
    conditional = TGAN(num_classes=101, shift=True)
    assert parameters(conditional.generator.temporal) == 878_180
    assert parameters(conditional.generator.image) == 5_093_155
    assert parameters(conditional.generator) == 5_971_335
    assert parameters(conditional.critic) == 11_446_977
    only_fast = TGAN(slow_to_frames=False)
    assert parameters(only_fast.generator.image) == 2_156_323


def test_the_volumetric_baseline_has_the_articles_shapes_and_number_of_weights():
    game, seen = VolumetricTGAN(), []
    assert parameters(game.generator) == 11_858_819
    assert parameters(game.critic) == 11_032_385
    for layer in game.generator.modules():
        if isinstance(layer, nn.Linear | nn.ConvTranspose3d):
            layer.register_forward_hook(lambda m, i, output: seen.append(tuple(output.shape[1:])))
    clip = game.sample([0])
    assert seen == [(8192,), (256, 2, 8, 8), (128, 4, 16, 16), (64, 8, 32, 32), (3, 16, 64, 64)]
    assert clip.shape == (1, 3, 16, 64, 64)
    assert clip.abs().max() <= 1
    with pytest.raises(ValueError, match="16 frames of 64 pixels"):
        VolumetricTGAN(frame_size=32)
    with pytest.raises(UserError, match="no trajectory"):
        game.interpolate([0], 2)


def test_the_defaults_are_the_articles():
    game = TGAN()
    assert game.example_shape == (3, 16, 64, 64)
    critic, generator = game.players()
    assert (critic.name, generator.name) == ("critic", "generator")
    for player in (critic, generator):
        optimizer = player.optimizer.build(player.parameters())
        assert type(optimizer) is torch.optim.RMSprop
        (group,) = optimizer.param_groups
        assert (group["lr"], group["alpha"], group["eps"]) == (5e-5, 0.99, 1e-8)
        assert (group["momentum"], group["weight_decay"]) == (0, 0)
        assert player.moves == 1
    assert (game.constraint, game.clip_every) == ("singular_values", 5)
    assert type(game.loss).__name__ == "Wasserstein"


@pytest.mark.parametrize("size", [32, 128])
@pytest.mark.parametrize("num_frames", [8, 32])
def test_other_sizes_and_lengths_make_and_judge_clips(size: int, num_frames: int):
    game = tiny_game(num_frames=num_frames, frame_size=size, image_width=64)
    clips = game.sample([0, 1])
    assert clips.shape == (2, 3, num_frames, size, size)
    assert game.critic(clips.clone()).shape == (2,)


def test_initial_weights_follow_the_articles_table():
    torch.manual_seed(0)
    game = TGAN()
    temporal = game.generator.temporal.layers[3].weight  # 512 → 256, kernel 4
    assert temporal.std().item() == pytest.approx((2 / (256 * 4)) ** 0.5, rel=0.02)
    critic = game.critic.layers[1 + 1].weight  # 64 → 128, kernel 4³
    assert critic.std().item() == pytest.approx((2 / (64 * 64)) ** 0.5, rel=0.02)
    for weight in game.generator.image.parameters():
        if weight.ndim > 1:
            assert weight.abs().max() <= 0.01
            assert weight.std().item() == pytest.approx(0.01 / 3**0.5, rel=0.05)
    everywhere = TGAN(initialization="dcgan_normal").generator.image.layers[0].weight
    assert everywhere.std().item() == pytest.approx(0.02, rel=0.02)


# Section 2: losses and moves.


@pytest.mark.parametrize(
    ("loss", "critic", "generator"),
    [
        # real scores 0.25, fake scores -0.5
        ("wasserstein", -0.5 - 0.25, 0.5),
        ("hinge", (1 - 0.25) + (1 - 0.5), 0.5),
        ("non_saturating", 0.575_939 + 0.474_077, 0.974_077),
    ],
)
def test_losses_at_known_scores(loss: Any, critic: float, generator: float):
    game = stubbed(loss=loss)
    assert stubbed_loss(game, "critic").item() == pytest.approx(critic, abs=1e-5)
    assert stubbed_loss(game, "generator").item() == pytest.approx(generator, abs=1e-5)


def test_the_generators_loss_pulls_the_score_of_its_fakes_up_and_the_critics_apart():
    game = stubbed()
    stubbed_loss(game, "generator").backward()
    assert game.generator.value.grad == -1  # a step against it makes the mean, the score, larger
    game.zero_grad()
    stubbed_loss(game, "critic").backward()
    assert game.critic.weight.grad == -0.75  # real 0.25 above fake -0.5: more of that
    assert game.generator.value.grad is None or game.generator.value.grad == 0


def test_the_critics_loss_changes_sign_when_real_and_fake_are_swapped():
    game = stubbed()
    loss = stubbed_loss(game, "critic")
    game.generator.value.data.fill_(0.25)
    batch = Batch(torch.full((4, 3, 4, 16, 16), -0.5), torch.zeros(4, dtype=torch.long))
    assert game.critic_loss(batch)["adversarial"] == -loss


def test_fakes_and_reals_are_judged_apart_fakes_first():
    game = stubbed()
    stubbed_loss(game, "critic")
    assert [clip.flatten()[0].item() for clip in game.critic.clips] == [-0.5, 0.25]


@pytest.mark.parametrize("order", ["critic_first", "generator_first"])
def test_who_moves_first_and_whose_fakes_the_critic_sees(order: Any):
    game = tiny_game(order=order)
    names = [player.name for player in game.players()]
    assert names == (
        ["critic", "generator"] if order == "critic_first" else ["generator", "critic"]
    )
    game.critic = Judge()
    batch = real_batch(game)
    for player in game.players():
        player.loss(batch)
    clips = game.critic.clips
    if order == "critic_first":
        to_critic, real, to_generator = clips
        assert not torch.equal(to_critic, to_generator)
    else:
        to_generator, to_critic, real = clips
        assert torch.equal(to_critic, to_generator)
    assert torch.equal(real, batch.real)
    assert not to_critic.requires_grad
    assert to_generator.requires_grad


def test_each_of_several_critic_moves_has_fresh_fakes():
    game = tiny_game(critic_moves=2)
    assert game.players()[0].moves == 2
    game.critic = Judge()
    for _ in range(2):
        game.critic_loss(real_batch(game))
    assert not torch.equal(game.critic.clips[0], game.critic.clips[2])
    with pytest.raises(ValueError, match="critic_moves is 1"):
        tiny_game(order="generator_first", critic_moves=2)


def test_singular_values_are_clipped_at_every_fifth_step():
    game = tiny_game()
    after_move = game.players()[0].after_move
    game.critic_loss(real_batch(game))  # scales are clipped from the first running moments on
    with torch.no_grad():
        for weight in game.critic.parameters():
            weight.mul_(7)
    before = copy.deepcopy(game.state_dict())
    for step in (1, 2, 3, 4, 6):
        after_move(step)
    for name, weight in game.state_dict().items():
        assert torch.equal(weight, before[name]), name
    after_move(5)
    layers = [m for m in game.critic.modules() if isinstance(m, nn.Conv3d | nn.Linear)]
    assert len(layers) == 3
    for layer in layers:
        exact = torch.linalg.svdvals(layer.weight.detach().double().flatten(1))
        assert exact.max() <= 1 + 1e-5
        assert exact.max() > 0.99  # scaled by 7 they were above
        torch.testing.assert_close(singular_values(layer.weight), exact)
    for norm in game.critic.modules():
        if isinstance(norm, nn.BatchNorm3d):
            bound = (norm.running_var + norm.eps).sqrt()
            assert (norm.weight <= bound + 1e-6).all()
            assert (norm.weight >= 0.01 * norm.running_var.sqrt() - 1e-6).all()
    for name, weight in game.generator.state_dict(prefix="generator.").items():
        assert torch.equal(weight, before[name]), name
    once = copy.deepcopy(game.critic.state_dict())
    after_move(10)
    for name, weight in game.critic.state_dict().items():
        torch.testing.assert_close(weight, once[name], atol=1e-5, rtol=0)


def test_weights_inside_the_bounds_are_left_alone():
    game = tiny_game()
    with torch.no_grad():
        for module in game.critic.modules():
            if isinstance(module, nn.Conv3d | nn.Linear):
                module.weight.mul_(0.1)
    before = copy.deepcopy(game.critic.state_dict())
    game.players()[0].after_move(5)
    for name, weight in game.critic.state_dict().items():
        torch.testing.assert_close(weight, before[name], atol=1e-6, rtol=0)


def test_weight_clipping_holds_after_every_step_for_all_of_the_critic_and_nothing_else():
    game = tiny_game(constraint="weights", weight_limit=0.02)
    before = copy.deepcopy(game.generator.state_dict())
    game.players()[0].after_move(1)
    largest = [weight.detach().abs().max().item() for weight in game.critic.parameters()]
    assert max(largest) == pytest.approx(0.02)
    for name, weight in game.generator.state_dict().items():
        assert torch.equal(weight, before[name]), name


@pytest.mark.parametrize("constraint", ["spectral", "none"])
def test_without_clipping_nothing_is_done_after_a_move(constraint: Any):
    game = tiny_game(constraint=constraint)
    before = copy.deepcopy(game.state_dict())
    game.players()[0].after_move(5)
    for name, weight in game.state_dict().items():
        assert torch.equal(weight, before[name]), name


def test_the_normal_gan_has_noise_and_no_scale_or_shift_in_the_critic():
    game = tiny_game(noise=0.2, shift=True)
    norms = [m for m in game.critic.modules() if isinstance(m, nn.BatchNorm3d)]
    assert norms
    assert all(norm.weight is None and norm.bias is None for norm in norms)
    clips = real_batch(game).real
    assert not torch.equal(game.critic(clips), game.critic(clips))
    game.critic.eval()
    assert torch.equal(game.critic(clips), game.critic(clips))


# Checks 4 and 6, and the order of frames.


def test_equal_fast_latents_give_equal_frames():
    game = lively_game()
    slow = torch.rand(2, 100) * 2 - 1
    fast = torch.randn(2, 1, 100).expand(-1, 4, -1)
    clips = game.generator.draw(slow, fast)
    for frame in range(1, 4):
        assert torch.equal(clips[:, :, frame], clips[:, :, 0])
    assert not torch.equal(clips[0], clips[1])


def test_frames_are_batch_major_each_video_keeps_its_own_latents_in_order():
    game = lively_game()
    slow, fast = torch.rand(3, 100), torch.randn(3, 4, 100)
    clips = game.generator.draw(slow, fast)
    assert clips.shape == (3, 3, 4, 16, 16)
    for video in range(3):
        for frame in range(4):
            alone = game.generator.image(slow[video : video + 1], fast[video, frame].unsqueeze(0))
            torch.testing.assert_close(clips[video, :, frame], alone[0], atol=1e-5, rtol=1e-4)


def test_labels_stay_with_their_videos():
    game = lively_game(num_classes=2)
    slow, fast, labels = torch.rand(3, 100), torch.randn(3, 4, 100), torch.eye(2)[[1, 0, 1]]
    clips = game.generator.draw(slow, fast, labels)
    for video in range(3):
        own = slice(video, video + 1)
        alone = game.generator.draw(slow[own], fast[own], labels[own])
        torch.testing.assert_close(clips[own], alone, atol=1e-5, rtol=1e-4)


def test_the_slow_latent_changes_all_frames_unless_it_is_not_shown():
    fast = torch.randn(1, 4, 100)
    for shown in (True, False):
        game = lively_game(slow_to_frames=shown)
        one = game.generator.draw(torch.full((1, 100), 0.5), fast)
        other = game.generator.draw(torch.full((1, 100), -0.5), fast)
        for frame in range(4):
            assert torch.equal(one[:, :, frame], other[:, :, frame]) != shown


# Section 3: what a trained one is for.


def test_a_seed_gives_the_same_clip_in_any_batch():
    game = lively_game()
    several, alone = game.sample([4, 9, 2]), game.sample([9])
    torch.testing.assert_close(several[1:2], alone, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(several[0], several[1], atol=0.01)
    assert several.abs().max() <= 1
    assert torch.equal(game.sample([9], num_frames=3), alone[:, :, :3])
    for wrong in (0, 5):
        with pytest.raises(UserError, match=f"1 to 4 frames, not {wrong}"):
            game.sample([9], num_frames=wrong)


def test_truncation_shrinks_the_slow_latents_to_nothing_at_zero():
    game = lively_game()
    whole, _ = game.latents(SeedRandomness([1, 2]), 2)
    half, _ = game.latents(SeedRandomness([1, 2]), 2, truncation=0.5)
    assert torch.equal(half, 0.5 * whole)
    assert whole.abs().max() > 0.9
    clips = game.sample([1, 2, 3], truncation=0.0)
    assert torch.equal(clips[0], clips[1])
    assert torch.equal(clips[0], clips[2])


@pytest.mark.parametrize("num_classes", [0, 2])
def test_interpolation_keeps_the_frames_of_the_sample(num_classes: int):
    game = lively_game(num_classes=num_classes)
    labels = [1, 0] if num_classes else None
    clips = game.sample([3, 4], labels)
    for factor in (1, 3):
        finer = game.interpolate([3, 4], factor, labels)
        assert finer.shape == (2, 3, 3 * factor + 1, 16, 16)
        torch.testing.assert_close(finer[:, :, ::factor], clips, atol=1e-5, rtol=1e-4)
    between = finer[:, :, 1]
    assert (between - clips[:, :, 0]).abs().max() > 0.01


def test_interpolation_and_samples_leave_modes_and_running_moments_alone():
    game = lively_game()
    game.critic.train()
    modes = [part.training for part in game.modules()]
    before = copy.deepcopy(game.state_dict())
    game.sample([1])
    game.interpolate([1], 2)
    game.walk(1, 2, 3)
    assert [part.training for part in game.modules()] == modes
    for name, value in game.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_walk_begins_and_ends_at_its_seeds_and_goes_straight():
    game = lively_game()
    seen: list[torch.Tensor] = []
    game.generator.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    clips = game.walk(5, 8, 5)
    ends, _ = game.latents(SeedRandomness([5, 8]), 2)
    expected = torch.stack([ends[0] + part / 4 * (ends[1] - ends[0]) for part in range(5)])
    torch.testing.assert_close(seen[0], expected)
    torch.testing.assert_close(clips[[0, -1]], game.sample([5, 8]), atol=1e-6, rtol=1e-5)


def test_a_walk_keeps_its_class():
    game = lively_game(num_classes=2)
    clips = game.walk(5, 8, 3, label=1)
    torch.testing.assert_close(clips[[0, -1]], game.sample([5, 8], [1, 1]), atol=1e-6, rtol=1e-5)
    assert (clips[-1:] - game.sample([8], [0])).abs().max() > 0.01


# Section 3.2: classes.


def test_labels_of_samples_are_drawn_as_often_as_training_met_them():
    game = tiny_game(num_classes=3)
    game.label_counts.copy_(torch.tensor([10.0, 0.0, 30.0]))
    _, labels = game.latents(SeedRandomness(range(2000)), 2000)
    counts = labels.sum(0)
    assert counts[1] == 0
    assert abs(counts[0] - 500) < 100  # five deviations
    assert (labels.sum(1) == 1).all()


def test_the_labels_of_real_batches_are_counted_once_and_given_to_the_fakes():
    for order in ("critic_first", "generator_first"):
        game = tiny_game(num_classes=2, order=order)
        batch = real_batch(game)
        seen: list[torch.Tensor] = []
        for module in (game.generator, game.critic):
            module.register_forward_pre_hook(lambda m, inputs, seen=seen: seen.append(inputs[1]))
        for player in game.players():
            player.loss(batch)
        assert game.label_counts.tolist() == torch.bincount(batch.labels, minlength=2).tolist()
        assert len(seen) == (5 if order == "critic_first" else 4)
        for labels in seen:
            assert torch.equal(labels.argmax(1), batch.labels)


def test_before_any_training_all_classes_are_drawn():
    game = tiny_game(num_classes=2)
    _, labels = game.latents(SeedRandomness(range(200)), 200)
    assert labels.sum(0).min() > 60


def test_labels_change_the_clip_the_score_and_are_checked():
    game = lively_game(num_classes=2)
    one, other = game.sample([7], [0]), game.sample([7], [1])
    assert (one - other).abs().max() > 0.01
    game.eval()
    clips, labels = real_batch(game).real, torch.eye(2)[[0, 1, 0, 1]]
    assert (game.critic(clips, labels) - game.critic(clips, labels.flip(1))).abs().min() > 1e-4
    with pytest.raises(UserError, match="label 2 is outside"):
        game.sample([7], [2])
    with pytest.raises(UserError, match="has no labels"):
        game.critic_loss(Batch(clips, torch.full((4,), -1)))


# Check 10.


def test_pixels_round_trip_exactly_through_the_codes_range():
    game = tiny_game()
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 256)
    examples = game.from_pixels(pixels)
    assert examples[0, 0] == -1
    assert examples[0, 128] == 0
    assert examples[0, 255] == 127 / 128
    assert torch.equal(game.to_pixels(examples), pixels)
    assert game.to_pixels(torch.tensor([[-2.0, 1.0, 2.0]])).tolist() == [[0, 255, 255]]
