import math

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from vidgen.adversarial.game import Batch, only_trainable
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit
from vidgen.errors import UserError
from vidgen.vgan import VGAN

ORDERS = ["discriminator_first", "generator_first"]
SMALL = {"num_frames": 4, "frame_size": 16, "latent_dim": 6, "width": 4, "discriminator_width": 4}


def small_game(**options):
    torch.manual_seed(3)
    return VGAN(**(SMALL | options))


def small_batch(count=3):
    generator = torch.Generator().manual_seed(5)
    real = torch.rand(count, 3, 4, 16, 16, generator=generator) * 2 - 1
    return Batch(real, torch.full((count,), -1))


def take_turns(game, batch):
    """Losses of all players in their order, without a step."""
    return {player.name: player.loss(batch) for player in game.players()}


class KnownStreams(nn.Module):
    """Fakes of one value under a mask of one value."""

    def __init__(self, value, mask):
        super().__init__()
        self.value, self.mask = nn.Parameter(torch.tensor(value)), mask

    def forward(self, source):
        clip = torch.ones(len(source), 3, 4, 16, 16)
        return {"video": clip * self.value, "mask": clip[:, :1] * self.mask}


class KnownJudge(nn.Module):
    """Outputs (3·mean, mean): log-odds of twice the mean that the clip is real."""

    def forward(self, clip):
        mean = clip.mean(dim=(1, 2, 3, 4))
        return torch.stack([3 * mean, mean], dim=1)


@pytest.mark.parametrize("order", ORDERS)
def test_losses_equal_hand_computed_values(order):
    game = small_game(order=order)
    game.generator, game.discriminator = KnownStreams(-0.25, 0.3), KnownJudge()
    batch = Batch(torch.full((2, 3, 4, 16, 16), 0.5), torch.full((2,), -1))
    losses = take_turns(game, batch)
    # Log-odds are 1 for reals and -0.5 for fakes.
    expected = math.log1p(math.exp(-1)) + math.log1p(math.exp(-0.5))
    assert losses["discriminator"]["adversarial"].item() == pytest.approx(expected, abs=1e-6)
    assert losses["generator"]["adversarial"].item() == pytest.approx(
        math.log1p(math.exp(0.5)), abs=1e-6
    )
    assert losses["generator"]["mask"].item() == pytest.approx(0.1 * 0.3, abs=1e-7)


def test_the_loss_is_cross_entropy_over_two_classes_with_real_the_first():
    game = small_game().eval()
    clips = small_batch(5).real
    outputs = game.discriminator(clips) * 100
    logits = outputs[:, 0] - outputs[:, 1]
    for target, sign in ((0, 1.0), (1, 0.0)):
        softmax = cross_entropy(outputs, torch.full((5,), target))
        torch.testing.assert_close(
            binary_cross_entropy_with_logits(logits, torch.full((5,), sign)), softmax
        )
    torch.testing.assert_close(game.logits(clips) * 100, logits)
    torch.testing.assert_close(
        game.loss.discriminator(logits, logits),
        cross_entropy(outputs, torch.zeros(5).long())
        + cross_entropy(outputs, torch.ones(5).long()),
    )


def test_one_output_is_the_log_odds_itself():
    game = small_game(discriminator_outputs=1).eval()
    clips = small_batch().real
    assert torch.equal(game.logits(clips), game.discriminator(clips)[:, 0])


def test_the_mask_prior_pulls_every_mask_value_down_by_lambda_over_their_number():
    game = small_game(mask_weight=0.5)
    masks = []

    def watch(generator, inputs, streams):
        streams["mask"].retain_grad()
        masks.append(streams["mask"])

    game.generator.register_forward_hook(watch)
    game.generator_loss(small_batch())["mask"].backward()
    mask = masks[0]
    torch.testing.assert_close(mask.grad, torch.full_like(mask, 0.5 / (3 * 4 * 16 * 16)))


def test_the_prior_exists_only_with_a_mask_and_a_weight():
    assert set(small_game().generator_loss(small_batch())) == {"adversarial", "mask"}
    assert set(small_game(mask_weight=0.0).generator_loss(small_batch())) == {"adversarial"}
    assert set(small_game(two_streams=False).generator_loss(small_batch())) == {"adversarial"}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("frozen", [True, False])
def test_gradients_reach_exactly_the_player_that_moves(order, frozen):
    game, batch = small_game(order=order), small_batch()
    for player in game.players():
        game.zero_grad(set_to_none=True)
        chosen = player.parameters() if frozen else list(game.parameters())
        with only_trainable(game, chosen):
            torch.stack(list(player.loss(batch).values())).sum().backward()
        own = {id(weight) for weight in player.parameters()}
        for name, weight in game.named_parameters():
            if id(weight) in own:
                assert weight.grad is not None and weight.grad.isfinite().all(), name
            elif frozen or player.name == "discriminator":
                assert weight.grad is None, name  # a lost detach would put one here
        assert sum(float(w.grad.abs().sum()) for w in player.parameters()) > 0


@pytest.mark.parametrize(("order", "passes"), [(ORDERS[0], 2), (ORDERS[1], 1)])
def test_both_players_meet_the_same_fakes_in_one_step(order, passes):
    game, batch = small_game(order=order), small_batch()
    made, judged = [], []
    game.generator.register_forward_hook(lambda *hook: made.append(hook[2]["video"].detach()))
    game.discriminator.register_forward_hook(lambda *hook: judged.append(hook[1][0].detach()))
    take_turns(game, batch)
    assert len(made) == passes
    assert all(torch.equal(fake, made[0]) for fake in made)
    fakes = [clip for clip in judged if not torch.equal(clip, batch.real)]
    assert len(judged) == 3 and len(fakes) == 2
    assert all(torch.equal(fake, made[0]) for fake in fakes)


def test_fakes_come_from_the_latents_of_the_step_in_the_present_mode():
    game = small_game()
    game.randomness.turn_to(7)
    clips = game.fakes(5)
    game.randomness.turn_to(7)
    latent = game.randomness.normal(5, 6, 1, 1)
    with torch.no_grad():
        assert torch.equal(clips, game.generator(latent)["video"])
        assert not torch.allclose(clips, game.eval().generator(latent)["video"])


def test_every_step_has_latents_of_its_own():
    game = small_game()
    first, second = small_batch(), small_batch()
    assert not torch.equal(game._source(first), game._source(second))
    assert game._source(first).shape == (3, 6, 1, 1)


@pytest.mark.parametrize("order", ORDERS)
def test_running_moments_count_reals_and_fakes_once_each(order):
    game = small_game(order=order)
    take_turns(game, small_batch())
    counted = {
        name: int(part.num_batches_tracked)
        for name, part in game.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm)
    }
    assert set(counted.values()) == {1, 2}
    for name, times in counted.items():
        assert times == (2 if name.startswith("discriminator") else 1), name


@pytest.mark.parametrize("name", ["discriminator", "generator"])
def test_moves_alone_bring_a_player_nearer_to_what_it_wants(name):
    game, batch = small_game(), small_batch(6)
    player = next(player for player in game.players() if player.name == name)
    optimizer = player.optimizer.build(player.parameters())

    def lead_of_reals():
        with torch.no_grad():
            fake = game.generator(game._source(batch))["video"]
            return (game.logits(batch.real).mean() - game.logits(fake).mean()).item()

    before = lead_of_reals()
    for _ in range(12):
        optimizer.zero_grad()
        with only_trainable(game, player.parameters()):
            torch.stack(list(player.loss(batch).values())).sum().backward()
        optimizer.step()
    gained = lead_of_reals() - before
    assert (gained if name == "discriminator" else -gained) > 1e-3


def test_the_game_begins_undecided():
    losses = take_turns(small_game(), small_batch())
    assert losses["discriminator"]["adversarial"].item() == pytest.approx(2 * math.log(2), abs=0.05)
    assert losses["generator"]["mask"].item() == pytest.approx(0.05, abs=0.005)


def test_losses_stay_finite_on_sixty_four_clips_for_two_hundred_steps():
    game, clips = small_game(order="generator_first"), small_batch(64).real
    players = [(player, player.optimizer.build(player.parameters())) for player in game.players()]
    moved = {name: weight.detach().clone() for name, weight in game.named_parameters()}
    for step in range(200):
        game.randomness.turn_to(step)
        batch = Batch(clips[step % 16 * 4 :][:4], torch.full((4,), -1))
        for player, optimizer in players:
            optimizer.zero_grad()
            with only_trainable(game, player.parameters()):
                loss = torch.stack(list(player.loss(batch).values())).sum()
                loss.backward()
            assert loss.isfinite() and loss.item() < 20, f"{player.name}, step {step}"
            optimizer.step()
    assert all(not torch.equal(moved[name], weight) for name, weight in game.named_parameters())


def test_defaults_are_the_papers():
    with torch.device("meta"):
        game = VGAN()
    assert game.example_shape == (3, 32, 64, 64)
    assert game.data_options() == {"channels": 3, "num_frames": 32, "size": 64}
    assert [player.name for player in game.players()] == ["discriminator", "generator"]
    for player in game.players():
        settings = player.optimizer
        assert (settings.rule, settings.learning_rate, settings.betas, settings.epsilon) == (
            "adam",
            2e-4,
            (0.5, 0.999),
            1e-8,
        )
        assert (settings.schedule, settings.weight_decay, player.moves) == ("constant", 0.0, 1)
    assert sum(weight.numel() for weight in game.parameters()) == 16_245_383 + 11_057_858


def test_a_seed_gives_the_same_clip_in_any_batch_and_number_of_frames():
    game = small_game()
    take_turns(game, small_batch())  # running moments other than 0 and 1
    clips = game.sample([4, 9, 2])
    torch.testing.assert_close(game.sample([9]), clips[1:2])
    torch.testing.assert_close(game.sample([2, 4], num_frames=3), clips[[2, 0], :, :3])
    assert not torch.allclose(clips[0], clips[1])
    assert game.training


def test_truncation_shrinks_the_latents_to_one_clip():
    game = small_game()
    clips = game.sample([1, 2], truncation=0.0)
    assert torch.equal(clips[0], clips[1])


def test_streams_are_what_the_sample_is_made_of():
    game = small_game()
    streams = game.streams([1, 2], num_frames=3)
    assert torch.equal(streams["video"], game.sample([1, 2], num_frames=3))
    assert {name: tuple(stream.shape) for name, stream in streams.items()} == {
        "video": (2, 3, 3, 16, 16),
        "foreground": (2, 3, 3, 16, 16),
        "mask": (2, 1, 3, 16, 16),
        "background": (2, 3, 3, 16, 16),
    }
    assert set(small_game(two_streams=False).streams([1])) == {"video"}


@pytest.mark.parametrize("num_frames", [0, 5])
def test_lengths_that_it_cannot_make_are_refused(num_frames):
    with pytest.raises(UserError, match=f"makes 1 to 4 frames, not {num_frames}"):
        small_game().sample([0], num_frames=num_frames)


@pytest.mark.parametrize("order", ORDERS)
def test_interrupted_run_equals_uninterrupted_run(tmp_path, order):
    def batches(first):
        while True:
            generator = torch.Generator().manual_seed(first)
            pixels = torch.randint(0, 256, (2, 3, 4, 16, 16), generator=generator)
            yield pixels.to(torch.uint8), torch.full((2,), -1)
            first += 1

    def train(run, steps):
        game = small_game(order=order)
        settings = TrainingSettings(steps=steps, batch_size=2, sample_every=0, accelerator="cpu")
        assert fit(game, batches, settings, tmp_path / run).step == steps
        return game

    whole = train("whole", 4)
    train("halves", 2)
    halves = train("halves", 4)
    begun = small_game(order=order)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, halves.state_dict()[name]), name
    assert not torch.equal(
        whole.generator.background.layers[0].weight, begun.generator.background.layers[0].weight
    )
