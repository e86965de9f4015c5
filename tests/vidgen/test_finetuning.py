from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from vidgen.errors import UserError
from vidgen.finetuning import (
    LabelledVideos,
    Schedule,
    default_held_out,
    fine_tuned,
    nested_subset,
    num_correct,
    split_by_group,
    video_probabilities,
)
from vidgen.finetuning import _drawn_batches as drawn_batches
from vidgen.vgan import VGAN

STILL = Schedule(steps=2, batch_size=4, learning_rate=1e-12)
QUICK = Schedule(steps=30, batch_size=8, learning_rate=2e-3)


def small_game() -> VGAN:
    torch.manual_seed(3)
    game = VGAN(num_frames=4, frame_size=16, latent_dim=6, width=4, discriminator_width=4)
    with torch.no_grad():
        for weight in game.discriminator.parameters():
            weight.add_(0.02)  # no longer what an initialisation gives
    game.logits(torch.rand(4, 3, 4, 16, 16) * 2 - 1)  # moves the running moments
    return game.eval()


def colored_videos(labels: list[int], num_clips: int = 2, seed: int = 0) -> LabelledVideos:
    """Noise of one color, red, green or blue: the class."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 100, (len(labels), num_clips, 3, 4, 16, 16), generator=generator)
    for number, label in enumerate(labels):
        pixels[number, :, label] += 150
    return LabelledVideos(pixels.to(torch.uint8), torch.tensor(labels))


def numbered_videos(num_videos: int, num_clips: int) -> LabelledVideos:
    """Every pixel of clip c of video v is 10 v + c."""
    numbers = 10 * torch.arange(num_videos)[:, None] + torch.arange(num_clips)
    pixels = numbers[..., None, None, None, None].expand(-1, -1, 3, 4, 8, 8).to(torch.uint8)
    return LabelledVideos(pixels, torch.arange(num_videos))


def weights_of(classifier, part: str) -> dict[str, torch.Tensor]:
    return {
        name: value.clone()
        for name, value in classifier.state_dict().items()
        if name.startswith(part) and "num_batches" not in name
    }


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_held_out_groups_are_tested_and_never_trained_on():
    groups = ["g01", "g03", "g02", "g03", "g01"]
    assert split_by_group(groups, ["g03"]) == ([0, 2, 4], [1, 3])
    assert split_by_group(groups, ["g02", "g01"]) == ([1, 3], [0, 2, 4])


@pytest.mark.parametrize(
    "groups, held_out, complaint",
    [
        (["g01", ""], ["g01"], "1 of 2 videos belong to no group.*v_Class_g01_c01"),
        (["g01", "g02"], ["g2"], "held-out group 'g2'; the groups are g01, g02"),
        (["g01", "g02"], ["g01", "g02"], r"g01, g02 leave no video to train on"),
        (["g01", "g02"], [], r"\(none\) leave no video to test on"),
    ],
)
def test_groups_that_leave_nothing_to_compare_are_refused(groups, held_out, complaint):
    with pytest.raises(UserError, match=complaint):
        split_by_group(groups, held_out)


@pytest.mark.parametrize("count, held_out", [(9, ["g8", "g9"]), (2, ["g2"]), (5, ["g5"])])
def test_the_last_fifth_of_the_groups_is_held_out_by_default(count, held_out):
    names = [f"g{number}" for number in range(count, 0, -1)]
    assert default_held_out(names + names) == held_out


def test_subsets_hold_the_same_share_of_each_class_and_lie_in_each_other():
    labels = torch.tensor([0, 1, 2] * 14 + [1] * 14)
    before: set[int] = set()
    for fraction, counts in [(0.01, [1, 1, 1]), (0.125, [2, 4, 2]), (0.25, [4, 7, 4])]:
        chosen = nested_subset(labels, fraction, seed=5)
        assert torch.bincount(labels[chosen]).tolist() == counts
        assert before < set(chosen) and len(set(chosen)) == len(chosen)
        before = set(chosen)
    assert nested_subset(labels, 1.0, seed=5) == list(range(56))


def test_the_seed_draws_the_subset():
    labels = torch.arange(40) % 4
    assert nested_subset(labels, 0.25, seed=1) == nested_subset(labels, 0.25, seed=1)
    chosen = {tuple(nested_subset(labels, 0.25, seed)) for seed in range(20)}
    assert len(chosen) == 20
    assert len(set().union(*chosen)) == 40, "every video has its turn"


def test_a_pass_shows_each_video_once_by_any_of_its_clips():
    videos = numbered_videos(num_videos=6, num_clips=3)
    batches = list(drawn_batches(videos, Schedule(steps=9, batch_size=4), seed=2))
    assert [len(pixels) for pixels, _ in batches] == [4] * 9
    values = torch.cat([pixels for pixels, _ in batches])[:, 0, 0, 0, 0].long()
    labels = torch.cat([labels for _, labels in batches])
    assert torch.equal(values // 10, labels)
    for turn in labels.split(6):
        assert sorted(turn.tolist()) == list(range(6))
    assert set((values % 10).tolist()) == {0, 1, 2}


class Brightness(nn.Module):
    """Logits of two classes: 0, and the mean of the clip's first channel times 10."""

    def forward(self, clip):
        score = 10 * clip[:, 0].flatten(1).mean(dim=1)
        return torch.stack([torch.zeros_like(score), score], dim=1)


def test_the_probability_of_a_video_is_the_mean_over_its_clips():
    game, brightness = small_game(), torch.tensor([[110, 120, 255], [0, 150, 150], [100, 20, 130]])
    pixels = brightness[..., None, None, None, None].expand(-1, -1, 3, 4, 16, 16)
    videos = LabelledVideos(pixels.to(torch.uint8), torch.tensor([1, 1, 0]))
    expected = [
        sum(1 / (1 + math.exp(-10 * (level / 127.5 - 1))) for level in row) / 3
        for row in brightness.tolist()
    ]
    for batch_size in (2, 16):
        found = video_probabilities(Brightness(), game, videos, batch_size)
        assert found[:, 1].tolist() == pytest.approx(expected, abs=1e-5)
        torch.testing.assert_close(found.sum(dim=1), torch.ones(3))
    # Two of the first video's three clips say 0; so does the mean of the second's logits.
    assert num_correct(Brightness(), game, videos) == 3


def test_videos_are_judged_without_dropout_and_by_the_running_moments():
    game, videos = small_game(), colored_videos([0, 1, 2, 0])
    classifier = fine_tuned(game, "gan", videos, 3, STILL, seed=0)
    together = video_probabilities(classifier, game, videos)
    alone = [video_probabilities(classifier, game, videos.part([number])) for number in range(4)]
    torch.testing.assert_close(torch.cat(alone), together)
    assert classifier.training and classifier.trunk[3].training


@pytest.mark.parametrize("start", ["scratch", "gan"])
def test_classes_that_differ_in_color_are_learned_without_a_fault(start):
    videos, unseen = colored_videos([0, 1, 2] * 3), colored_videos([2, 1, 0, 0, 2], seed=1)
    game = small_game()
    losses: list[float] = []
    classifier = fine_tuned(game, start, videos, 3, QUICK, 0, losses.append)
    assert len(losses) == QUICK.steps
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert num_correct(classifier, game, unseen) == 5
    wrong = LabelledVideos(unseen.clips, (unseen.labels + 1) % 3)
    assert num_correct(classifier, game, wrong) == 0


def test_each_start_begins_with_its_own_trunk_and_all_with_the_same_head():
    game, videos = small_game(), colored_videos([0, 1, 2, 0])
    trunk = {f"trunk.{name}": value for name, value in game.discriminator.trunk.named_parameters()}
    begun = {}
    for start in ("scratch", "gan", "probe"):
        classifier = fine_tuned(game, start, videos, 3, STILL, seed=4)
        begun[start] = dict(classifier.named_parameters())
        near = [torch.allclose(begun[start][name], trunk[name], atol=1e-9) for name in trunk]
        assert not any(near) if start == "scratch" else all(near)
    for name in ("head.weight", "head.bias"):
        for start in ("gan", "probe"):
            torch.testing.assert_close(begun[start][name], begun["scratch"][name])


def test_only_a_probe_leaves_the_trunk_and_its_moments_as_they_were():
    videos = colored_videos([0, 1, 2, 0])
    for start in ("gan", "probe"):
        game = small_game()
        before = weights_of(game, "")
        classifier = fine_tuned(game, start, videos, 3, QUICK, seed=0)
        assert same(weights_of(game, ""), before), "the game itself is not trained"
        trunk = weights_of(game.discriminator, "trunk")
        assert same(weights_of(classifier, "trunk"), trunk) == (start == "probe")


def test_equal_seeds_give_equal_weights_and_other_seeds_others():
    game, videos = small_game(), colored_videos([0, 1, 2, 0])
    schedule = Schedule(steps=3, batch_size=4)
    torch.manual_seed(11)
    one = weights_of(fine_tuned(game, "scratch", videos, 3, schedule, seed=1), "")
    after = torch.rand(3)
    torch.manual_seed(11)
    torch.testing.assert_close(torch.rand(3), after)  # torch's own generator was left alone
    assert same(one, weights_of(fine_tuned(game, "scratch", videos, 3, schedule, seed=1), ""))
    other = weights_of(fine_tuned(game, "scratch", videos, 3, schedule, seed=2), "")
    assert not any(torch.equal(one[name], other[name]) for name in one if "weight" in name)


def test_a_loss_that_is_not_finite_is_one_line():
    schedule = Schedule(steps=50, batch_size=4, learning_rate=1e30)
    with pytest.raises(UserError, match=r"loss became (nan|inf); give a --learning_rate below"):
        fine_tuned(small_game(), "gan", colored_videos([0, 1]), 2, schedule, seed=0)
