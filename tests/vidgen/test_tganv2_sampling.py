"""What a trained TGANv2 is for: dense clips at every level, any length, between latents."""

import pytest
import torch

from vidgen import TGANv2
from vidgen.errors import UserError


@pytest.fixture(scope="module")
def game():
    return trained()


@pytest.fixture(scope="module")
def conditional():
    return trained(num_classes=3)


def trained(**options):
    """A game whose BatchNorms have seen fakes."""
    torch.manual_seed(0)
    tiny = {"num_frames": 4, "frame_size": 64, "widths": (4,) * 7, "discriminator_width": 1}
    made = TGANv2(**(tiny | options))
    with torch.no_grad():
        for name, weight in made.generator.named_parameters():
            if "convolution" in name or "scale" in name or "shift" in name:
                weight += 0.3 * torch.randn_like(weight)
        for _ in range(5):
            made.fakes(4)
    return made


def test_a_seed_gives_the_same_clip_in_any_batch(game):
    together = game.sample([5, 6, 7])
    assert together.shape == (3, 3, 4, 64, 64)
    assert torch.equal(game.sample([6]), together[1:2])
    assert len(torch.unique(together.flatten(1), dim=0)) == 3


def test_a_longer_clip_begins_with_the_shorter_one(game):
    long = game.sample([5], num_frames=10)
    assert long.shape[2] == 10
    assert torch.equal(long[:, :, :4], game.sample([5]))
    assert torch.equal(long[:, :, :1], game.sample([5], num_frames=1))
    with pytest.raises(UserError, match="0 frames"):
        game.sample([5], num_frames=0)


def test_every_level_renders_all_frames_and_the_last_is_the_sample(game):
    levels = game.levels([1, 2], num_frames=5)
    assert [tuple(clip.shape[1:]) for clip in levels] == [(3, 5, n, n) for n in (8, 16, 32, 64)]
    assert torch.equal(levels[-1], game.sample([1, 2], num_frames=5))
    assert torch.equal(game.levels([2])[0], game.levels([1, 2])[0][1:])


def test_sampling_leaves_the_game_in_training_and_its_moments_alone(game):
    before = {name: buffer.clone() for name, buffer in game.named_buffers()}
    game.train()
    game.sample([0])
    assert game.training
    assert all(torch.equal(buffer, before[name]) for name, buffer in game.named_buffers())


def test_truncation_shrinks_the_latent_to_the_middle(game):
    middle = game.sample([1, 2], truncation=0.0)
    assert torch.equal(middle[0], middle[1])
    near = (game.sample([1], truncation=0.5) - middle[:1]).abs().mean()
    assert near < (game.sample([1]) - middle[:1]).abs().mean()


def test_a_walk_leads_in_a_line_of_latents_from_seed_to_seed(game):
    way = game.walk(3, 4, stages=3)
    ends = game.sample([3, 4])
    torch.testing.assert_close(way[[0, 2]], ends, rtol=0, atol=1e-6)
    ends = game._seeded([3, 4], None)
    middle = game._drawn(ends._replace(latent=ends.latent.mean(0, keepdim=True)), range(4))[-1]
    torch.testing.assert_close(way[1:2], middle, rtol=0, atol=1e-5)


def test_a_finer_clip_has_the_samples_frames_among_its_own(game):
    fine = game.interpolate([3], factor=3)
    assert fine.shape[2] == 10
    sample = game.sample([3])
    torch.testing.assert_close(fine[:, :, ::3], sample, rtol=0, atol=1e-6)
    between = fine[:, :, 1]
    assert (between - sample[:, :, 0]).abs().max() > 1e-4
    assert (between - sample[:, :, 1]).abs().max() > 1e-4


def test_another_label_changes_the_clip_of_a_seed_at_every_level(conditional):
    first, second = conditional.levels([1, 1], [0, 2]), conditional.levels([1, 1], [0, 1])
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a[0], b[0])
        assert (a[1] - b[1]).abs().max() > 1e-3
        assert (a[1] - a[0]).abs().max() > 1e-3


def test_a_walk_keeps_its_label(conditional):
    way = conditional.walk(3, 4, stages=2, label=2)
    expected = conditional.sample([3, 4], [2, 2])
    torch.testing.assert_close(way, expected, rtol=0, atol=1e-6)


def test_labels_that_are_not_given_are_drawn_as_training_met_them(conditional):
    held = conditional.label_counts.clone()
    conditional.label_counts.copy_(torch.tensor([0.0, 0.0, 5.0]))
    drawn, told = conditional.sample([8]), conditional.sample([8], [2])
    conditional.label_counts.copy_(held)
    assert torch.equal(drawn, told)
    with pytest.raises(UserError, match="label 3"):
        conditional.sample([8], [3])


def test_a_baseline_has_one_level():
    baseline = trained(discriminators="clip")
    assert baseline.sample([1]).shape == (1, 3, 4, 64, 64)
    with pytest.raises(UserError, match="highest level only"):
        baseline.levels([1])


def test_pixels_come_back_as_they_were(game):
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 16, 16)
    assert game.from_pixels(pixels).min() == -1
    assert game.from_pixels(pixels).max() == 127 / 128
    assert torch.equal(game.to_pixels(game.from_pixels(pixels)), pixels)
    assert game.to_pixels(torch.tensor([[1.0, -1.2]])).tolist() == [[255, 0]]
