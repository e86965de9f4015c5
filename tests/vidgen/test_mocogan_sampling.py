"""Clips of a trained MoCoGAN: seeds, lengths, categories, recombination."""

import pytest
import torch

from vidgen import MoCoGAN
from vidgen.adversarial.averages import WeightAverage
from vidgen.adversarial.described import build
from vidgen.adversarial.latents import SeedRandomness
from vidgen.errors import UserError
from vidgen.mocogan_generator import VideoLatents, category_schedule


def make_game(**options):
    torch.manual_seed(0)
    tiny = {"frame_size": 16, "generator_width": 2, "discriminator_width": 2}
    return MoCoGAN(**(tiny | options))


@pytest.fixture(params=["rnn", "generator"])
def categorical(request):
    return make_game(num_classes=3, category_to=request.param)


def latents_of(game, seeds, num_frames=None, labels=None):
    return game.latents(SeedRandomness(seeds), len(seeds), num_frames, labels)


def parts_of(latents):
    return [latents.content, latents.start, latents.noise, latents.categories]


def test_a_seed_gives_the_same_clip_in_any_batch_bit_for_bit(categorical):
    together = categorical.sample([5, 6, 7])
    assert torch.equal(categorical.sample([7, 5]), together[[2, 0]])
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("short", [1, 5, 16, 17, 32])
def test_a_longer_clip_begins_with_the_shorter_one_bit_for_bit(categorical, short):
    long = categorical.sample([5], num_frames=48)
    assert long.shape == (1, 3, 48, 16, 16)
    assert torch.equal(long[:, :, :short], categorical.sample([5], num_frames=short))


def test_equal_latents_give_equal_frames_bit_for_bit():
    game = make_game()
    latents = latents_of(game, [1, 2])
    copies = VideoLatents(*(part.clone() for part in parts_of(latents)))
    assert torch.equal(game.render(latents), game.render(copies))
    assert torch.equal(game.render(latents), game.sample([1, 2]))


def test_constant_motion_gives_constant_frames():
    game = make_game()
    torch.nn.init.zeros_(game.generator.motion.cell.weight_hh)
    torch.nn.init.zeros_(game.generator.motion.cell.weight_ih)
    game.generator.motion.cell.bias_ih.data.fill_(0)
    game.generator.motion.cell.bias_hh.data.fill_(0)
    latents = latents_of(game, [1])
    still = VideoLatents(
        latents.content, torch.zeros_like(latents.start), latents.noise, latents.categories
    )
    clip = game.render(still)
    assert torch.equal(clip, clip[:, :, :1].expand_as(clip))


def test_latents_are_standard_normal_and_scaled_by_truncation():
    game = make_game()
    randomness = SeedRandomness(range(400))
    latents = game.latents(randomness, 400)
    shrunk = game.latents(SeedRandomness(range(400)), 400, truncation=0.5)
    for part, half in zip(parts_of(latents)[:3], parts_of(shrunk)[:3], strict=True):
        assert part.mean().abs() < 0.05
        assert part.std().item() == pytest.approx(1, abs=0.03)
        assert torch.equal(half, part / 2)
    assert latents.noise.shape == (400, 16, 10)
    apart = latents.noise[:, 1:] - latents.noise[:, :-1]
    assert apart.std().item() == pytest.approx(2**0.5, abs=0.05)


def test_a_label_changes_neither_content_nor_noise(categorical):
    one, other = latents_of(categorical, [4], 8, [0]), latents_of(categorical, [4], 8, [2])
    drawn = latents_of(categorical, [4], 8)
    for part, same, own in zip(
        parts_of(one)[:3], parts_of(other)[:3], parts_of(drawn)[:3], strict=True
    ):
        assert torch.equal(part, same)
        assert torch.equal(part, own)
    assert one.categories[0].tolist() == [[1, 0, 0]] * 8
    assert other.categories[0].tolist() == [[0, 0, 1]] * 8
    changed = categorical.render(one) != categorical.render(other)
    assert changed.flatten(3).any(3).all()


def test_without_labels_all_categories_are_drawn_equally_often(categorical):
    categories = latents_of(categorical, range(600), 1).categories[:, 0].sum(0)
    assert categories.sum() == 600
    assert categories.min() > 160  # 200 each, deviation 12


def test_category_may_change_within_a_clip(categorical):
    schedule = category_schedule([0, 1, 2], 16, 48)
    latents = latents_of(categorical, [3], 48, [schedule])
    assert latents.categories[0].argmax(1).tolist() == schedule
    changing = categorical.sample([3], [schedule], 48)
    staying = categorical.sample([3], [0], 48)
    assert torch.equal(changing[:, :, :16], staying[:, :, :16])
    assert (changing[:, :, 16:] != staying[:, :, 16:]).flatten(3).any(3).all()


def test_motion_goes_on_where_the_last_category_left_it():
    game = make_game(num_classes=3)
    latents = latents_of(game, [3], 32, [category_schedule([0, 1], 16, 32)])
    whole = game.generator.unroll(latents)
    later = VideoLatents(
        latents.content, whole[:, 15], latents.noise[:, 16:], latents.categories[:, 16:]
    )
    # To rounding: kernels may round differently at another place in memory.
    torch.testing.assert_close(game.generator.unroll(later), whole[:, 16:], rtol=0, atol=1e-6)


def test_recombined_clips_share_content_by_row_and_motion_by_column_bit_for_bit(categorical):
    grid = categorical.recombine([1, 2], [2, 3, 4], 20, [0, 1, 2])
    assert grid.shape == (2, 3, 3, 20, 16, 16)
    contents, motions = (
        latents_of(categorical, [1, 2], 20),
        latents_of(categorical, [2, 3, 4], 20, [0, 1, 2]),
    )
    for row in range(2):
        for column in range(3):
            made_of = motions.clips([column]).with_content_of(contents.clips([row]))
            assert torch.equal(grid[row, column], categorical.render(made_of)[0])
    assert torch.equal(grid[1, 0], categorical.sample([2], [0], 20)[0])
    assert (grid[0] != grid[1]).flatten(2).any(2).all()
    assert (grid[:, 0] != grid[:, 1]).flatten(1).any(1).all()


def test_column_of_a_grid_shares_its_motion_codes_bit_for_bit():
    game = make_game()
    seen = []
    game.generator.image.register_forward_hook(lambda part, given, out: seen.append(given[0]))
    game.recombine([1, 2], [3, 4])
    first, second, third, fourth = seen  # content 1 with motions 3, 4, then content 2
    assert torch.equal(first[:, 50:], third[:, 50:])
    assert torch.equal(second[:, 50:], fourth[:, 50:])
    assert torch.equal(first[:, :50], second[:, :50])
    assert torch.equal(first[:, :50], first[:1, :50].expand(16, -1))
    assert not torch.equal(first[:, :50], third[:, :50])
    assert not torch.equal(first[:, 50:], second[:, 50:])


def test_slowed_clips_pass_through_the_frames_of_the_sample(categorical):
    slow = categorical.interpolate([3], 3, [1])
    assert slow.shape[2] == 3 * 15 + 1
    assert torch.allclose(slow[:, :, ::3], categorical.sample([3], [1]), atol=1e-6)


def test_sampling_is_in_evaluation_mode_and_leaves_the_game_in_training():
    game = make_game(noise=0.5)
    before = {name: buffer.clone() for name, buffer in game.named_buffers()}
    game.sample([1])
    assert all(part.training for part in game.modules())
    assert all(torch.equal(before[name], buffer) for name, buffer in game.named_buffers())


def test_fakes_are_clips_of_the_steps_latents_in_the_present_mode(categorical):
    categorical.randomness.turn_to(7)
    clips = categorical.fakes(3)
    categorical.randomness.turn_to(7)
    latents = categorical.latents(categorical.randomness, 3)
    assert torch.equal(clips, categorical.generator(latents))
    assert not torch.allclose(clips, categorical.render(latents))


def test_average_of_weights_measures_the_generators_moments():
    game = make_game()
    with torch.no_grad(), WeightAverage(game, 0.5).in_place():
        measured = game.generator.image.state_dict()
        means = {name: value for name, value in measured.items() if "running_mean" in name}
        assert means and all(value.abs().max() > 1e-4 for value in means.values())


def test_long_clip_has_one_score_for_every_window():
    game = make_game()
    clips = game.sample([1, 2], num_frames=48)
    scores = game.window_scores(clips)
    assert scores.shape == (2, 48 - 16 + 1)
    alone = game.window_scores(clips[:, :, 7:23])
    assert torch.allclose(scores[:, 7:8], alone, atol=1e-6)


@pytest.mark.parametrize("num_frames", [0, -3])
def test_clip_of_no_frames_is_refused(num_frames):
    with pytest.raises(UserError, match=f"a clip of {num_frames} frames cannot be made"):
        make_game().sample([0], num_frames=num_frames)


def test_game_is_rebuilt_from_its_description():
    game = make_game(num_classes=3, category_mode="infogan", video_lengths=[20, 30])
    again = build(game.describe())
    again.load_state_dict(game.state_dict())
    assert again.describe() == game.describe()
    assert torch.equal(again.sample([3], [2]), game.sample([3], [2]))
