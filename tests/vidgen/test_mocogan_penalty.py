"""Judges that do not run ahead: without BatchNorm, with R1, told how much a batch differs."""

import pytest
import torch
from torch import nn

from vidgen import MoCoGAN
from vidgen.adversarial.blocks import BatchSpread
from vidgen.adversarial.game import Batch
from vidgen.window_discriminators import ImageDiscriminator, WindowDiscriminator

CLIP, FRAME = (3, 16, 16, 16), (3, 16, 16)
KINDS = [(WindowDiscriminator, CLIP), (ImageDiscriminator, FRAME)]


def make_game(**options):
    torch.manual_seed(0)
    tiny = {"frame_size": 16, "generator_width": 2, "discriminator_width": 2}
    steady = {"normalization": "none", "r1_weight": 0.5, "r1_every": 3}
    return MoCoGAN(**(tiny | steady | options))


def make_batch(count=4):
    generator = torch.Generator().manual_seed(1)
    real = torch.rand(count, *CLIP, generator=generator) * 2 - 1
    return Batch(real, torch.zeros(count, dtype=torch.long))


@pytest.mark.parametrize(("kind", "shape"), KINDS)
@pytest.mark.parametrize("patches", [False, True])
def test_without_normalization_a_judge_has_biases_and_judges_each_sample_alone(
    kind, shape, patches
):
    torch.manual_seed(0)
    judge = kind(frame_size=16, width=2, patches=patches, normalize=False)
    plain = kind(frame_size=16, width=2, patches=patches)
    parts = list(judge.modules())
    convolutions = [part for part in parts if isinstance(part, nn.Conv2d | nn.Conv3d)]
    assert all(part.bias is not None for part in convolutions)
    assert not any(isinstance(part, nn.BatchNorm2d | nn.BatchNorm3d) for part in parts)
    assert all(
        part.bias is None for part in plain.modules() if isinstance(part, nn.Conv2d | nn.Conv3d)
    )

    def scores(judge, given):
        judged = judge(given)
        return judged.scores if isinstance(judge, WindowDiscriminator) else judged

    given = torch.randn(3, *shape)
    alone = torch.cat([scores(judge, given[index : index + 1]) for index in range(3)])
    torch.testing.assert_close(scores(judge, given), alone)
    assert not torch.allclose(scores(plain, given)[:1], scores(plain, given[:1]), atol=1e-3)


@pytest.mark.parametrize(("kind", "shape"), KINDS)
@pytest.mark.parametrize("patches", [False, True])
def test_the_last_layer_sees_how_much_a_batch_differs(kind, shape, patches):
    torch.manual_seed(0)
    judge = kind(frame_size=16, width=2, patches=patches, batch_spread=True)
    seen = []
    judge.layers[-1].register_forward_hook(lambda part, given, made: seen.append(given[0]))
    given = torch.randn(4, *shape)
    judge(given)
    judge(given[:1].expand_as(given))
    features, told = seen[0][:, :-1], seen[0][:, -1:]
    expected = features.std(0, correction=0).mean()
    torch.testing.assert_close(told, expected.expand_as(told), rtol=1e-3, atol=1e-4)
    assert expected > 0.01
    assert seen[1][:, -1].abs().max() <= 1.001e-4  # the square root of what keeps it from 0
    assert isinstance(judge.layers[-2], BatchSpread)


def squared_slopes(score_of, samples):
    """Mean over the samples of the squared length of a score's gradient, sample by sample."""
    leaves = [sample.clone().requires_grad_() for sample in samples]
    slopes = [torch.autograd.grad(score_of(leaf.unsqueeze(0)), leaf)[0] for leaf in leaves]
    return torch.stack([slope.square().sum() for slope in slopes]).mean().item()


@pytest.mark.parametrize("patches", [False, True])
def test_r1_is_the_squared_slope_of_the_mean_score_at_real_samples(patches):
    game = make_game(
        image_discriminator="patches" if patches else "whole",
        video_discriminator="patches" if patches else "whole",
    )
    batch, frames = make_batch(), []
    game.image_discriminator.register_forward_pre_hook(lambda part, given: frames.append(given[0]))
    of_frames = game.image_discriminator_loss(batch)["r1"].item()
    of_clips = game.video_discriminator_loss(batch)["r1"].item()
    expected = squared_slopes(lambda frame: game.image_discriminator(frame).mean(), frames[0])
    assert of_frames == pytest.approx(3 * 0.5 * expected, rel=1e-4)  # every third round, weight ½
    expected = squared_slopes(lambda clip: game.video_discriminator(clip).scores.mean(), batch.real)
    assert of_clips == pytest.approx(3 * 0.5 * expected, rel=1e-4)
    assert min(of_frames, of_clips) > 0


@pytest.mark.parametrize("image_discriminator", ["patches", "none"])
def test_r1_comes_in_every_third_round_for_all_judges(image_discriminator):
    game, batch = make_game(image_discriminator=image_discriminator), make_batch()
    rounds = []
    for step in range(7):
        game.randomness.turn_to(step)
        having = []
        for player in game.players():
            having.append("r1" in player.loss(batch))
            player.after_move(step)
        rounds.append(having)
    judges = 2 if image_discriminator == "patches" else 1
    due = [[step % 3 == 0] * judges + [False] for step in range(7)]
    assert rounds == due


def test_r1_needs_gradients_and_a_weight():
    game, batch = make_game(), make_batch()
    with torch.no_grad():
        assert set(game.video_discriminator_loss(batch)) == {"adversarial"}
    assert game.r1 is not None
    assert make_game(r1_weight=0.0).r1 is None


def test_r1_moves_all_weights_of_its_judge_and_nothing_else():
    game, batch = make_game(), make_batch()
    for name in ("image_discriminator", "video_discriminator"):
        game.zero_grad(set_to_none=True)
        getattr(game, f"{name}_loss")(batch)["r1"].backward()
        moved = {
            weight_name.rpartition(".")[0]
            for weight_name, weight in game.named_parameters()
            if weight.grad is not None and weight.grad.abs().sum() > 0
        }
        judge = getattr(game, name)
        assert moved == {
            f"{name}.{part}"
            for part, module in judge.named_modules()
            if isinstance(module, nn.Conv2d | nn.Conv3d)
        }


def test_r1_with_batch_norm_is_refused():
    with pytest.raises(ValueError, match="r1_weight needs discriminators that judge each"):
        make_game(normalization="batch")


def test_rounds_must_be_positive():
    with pytest.raises(ValueError, match="r1_every is 0; it must be 1 or more"):
        make_game(r1_every=0)
