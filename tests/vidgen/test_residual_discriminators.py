"""The residual judges against plain convolutions; R1 through them against finite differences."""

import pytest
import torch
from torch.nn import functional

from vidgen.adversarial.penalties import r1_penalty
from vidgen.residual_discriminators import (
    DownBlock,
    FirstBlock,
    ResidualDiscriminator,
    halved,
)

FRAMES_AFTER_BLOCKS = {
    ("pad", 16): [16, 8, 4, 2, 1],
    ("pad", 8): [8, 4, 2, 1, 3],
    ("pad", 4): [4, 2, 1, 3, 2],
    ("pad", 2): [2, 1, 3, 2, 1],
    ("pad", 1): [1, 3, 2, 1, 3],
    ("skip", 8): [8, 4, 2, 1, 1],
    ("skip", 2): [2, 1, 1, 1, 1],
    ("skip", 1): [1, 1, 1, 1, 1],
}


def count(module):
    return sum(weight.numel() for weight in module.parameters())


def small(dimensions=3, dtype=torch.float32, width=1, **options):
    torch.manual_seed(0)
    judge = ResidualDiscriminator(dimensions, channels=2, width=width, **options).to(dtype)
    for name, weight in judge.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(weight, std=0.3)  # zeros would hide a lost bias
    return judge


def test_it_has_the_articles_parameters():
    with torch.device("meta"):
        judge = ResidualDiscriminator()
        assert [count(judge.first), *map(count, judge.blocks), count(judge.score)] == [
            116_160,
            340_288,
            1_360_512,
            5_440_768,
            21_760_512,
            1_025,
        ]
        assert count(judge) == 29_019_265
        assert count(ResidualDiscriminator(num_classes=101)) == 29_019_265 + 103_424
        assert count(ResidualDiscriminator(2)) == 10_141_441


@pytest.mark.parametrize(("rule", "num_frames"), FRAMES_AFTER_BLOCKS)
def test_time_shrinks_as_the_authors_code_or_the_article_says(rule, num_frames):
    judge = small(singleton_pool=rule)
    frames, sizes = [], []
    for block in (judge.first, *judge.blocks):
        block.register_forward_hook(lambda *call: frames.append(call[2].shape[2]))
        block.register_forward_hook(lambda *call: sizes.append(call[2].shape[3]))
    judge(torch.zeros(1, 2, num_frames, 24, 24))
    assert frames == FRAMES_AFTER_BLOCKS[rule, num_frames]
    assert sizes == [12, 6, 3, 2, 1]


def test_pooling_averages_pairs_and_pads_odd_axes_with_zeros_that_count():
    line = torch.tensor([2.0, 6.0, 10.0])
    assert halved(line.view(1, 1, 3, 1, 1), "skip").flatten().tolist() == [1.0, 8.0]
    assert halved(torch.arange(4.0).view(1, 1, 1, 2, 2), "skip").flatten().tolist() == [1.5]
    single = halved(torch.full((1, 1, 1, 2, 2), 5.0), "pad")
    assert single.flatten().tolist() == [0.0, 5.0, 0.0]
    assert halved(torch.ones(1, 1, 1, 1), "pad").shape == (1, 1, 3, 3)
    assert halved(torch.ones(1, 1, 1, 1), "skip").tolist() == [[[[1.0]]]]


def convolved(block, name, maps, padding):
    layer = getattr(block, name)
    return functional.conv3d(maps, layer.weight, layer.bias, padding=padding)


def pairs(maps, axes):
    for axis in axes:
        maps = maps.unflatten(axis, (-1, 2)).mean(axis + 1)
    return maps


def test_the_first_block_halves_only_space_and_pools_before_its_shortcut():
    torch.manual_seed(0)
    block, clip = FirstBlock(3, 2, 3), torch.randn(2, 2, 3, 4, 6)
    main = convolved(block, "convolution_1", clip, 1).clamp(min=0)
    main = pairs(convolved(block, "convolution_2", main, 1), (3, 4))
    expected = main + convolved(block, "shortcut", pairs(clip, (3, 4)), 0)
    torch.testing.assert_close(block(clip), expected)


def test_a_further_block_halves_all_axes_and_its_shortcut_sees_negative_features():
    torch.manual_seed(0)
    block, maps = DownBlock(3, 2, 3), torch.randn(2, 2, 4, 4, 6)
    given = maps.clone()
    main = convolved(block, "convolution_1", maps.clamp(min=0), 1).clamp(min=0)
    main = pairs(convolved(block, "convolution_2", main, 1), (2, 3, 4))
    expected = main + pairs(convolved(block, "shortcut", maps, 0), (2, 3, 4))
    torch.testing.assert_close(block(maps), expected)
    assert torch.equal(maps, given)


def test_the_score_is_of_the_sum_over_all_places():
    judge, seen = small(), []
    judge.blocks[-1].register_forward_hook(lambda *call: seen.append(call[2]))
    scores = judge(torch.randn(3, 2, 2, 64, 64))
    assert seen[0][0, 0].numel() > 1
    features = seen[0].clamp(min=0).sum((2, 3, 4))
    expected = features @ judge.score.weight[0] + judge.score.bias
    torch.testing.assert_close(scores, expected)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_classes_differ_by_their_projections_of_the_features(dimensions):
    judge, seen = small(dimensions, num_classes=4), []
    judge.blocks[-1].register_forward_hook(lambda *call: seen.append(call[2]))
    sample = torch.randn(2, 2, *([4] if dimensions == 3 else []), 32, 32)
    difference = judge(sample, torch.tensor([1, 3])) - judge(sample, torch.tensor([2, 0]))
    features = seen[0].clamp(min=0).flatten(2).sum(2)
    table = judge.classes.weight
    expected = ((table[[1, 3]] - table[[2, 0]]) * features).sum(1)
    torch.testing.assert_close(difference, expected, rtol=1e-4, atol=1e-5)
    assert expected.abs().min() > 1e-3


def test_empty_projections_leave_the_unconditional_score():
    judge, clip = small(num_classes=4), torch.randn(2, 2, 4, 32, 32)
    torch.nn.init.zeros_(judge.classes.weight)
    plain = small()
    plain.load_state_dict(judge.state_dict(), strict=False)
    assert torch.equal(judge(clip, torch.tensor([1, 3])), plain(clip))


def test_weights_start_glorot_uniform_and_biases_at_zero():
    torch.manual_seed(0)
    judge = ResidualDiscriminator(width=8, num_classes=50)
    for name, weight in judge.named_parameters():
        if name.endswith("bias"):
            assert not weight.any(), name
            continue
        places = weight[0, 0].numel()
        gain = 2 if "convolution" in name else 1
        bound = (gain * 6 / (places * sum(weight.shape[:2]))) ** 0.5
        largest = weight.abs().max().item()
        assert 0.9 * bound < largest <= bound * 1.000001, name


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_last_block_sees_how_much_a_batch_differs(dimensions):
    judge, seen = small(dimensions, batch_spread=True), []
    judge.blocks[-1][1].register_forward_hook(lambda *call: seen.append(call[1][0]))
    sample = torch.randn(3, 2, *([4] if dimensions == 3 else []), 32, 32)
    judge(sample)
    judge(sample[:1].expand_as(sample))
    features, told = seen[0][:, :-1], seen[0][:, -1:]
    expected = features.std(0, correction=0).mean()
    torch.testing.assert_close(told, expected.expand_as(told), rtol=1e-3, atol=1e-4)
    assert expected > 0.001
    assert seen[1][:, -1].abs().max() <= 1.001e-4  # the square root of what keeps it from 0
    assert judge.blocks[-1][1].convolution_1.in_channels == 8 + 1


@pytest.mark.parametrize(("rule", "spread"), [("pad", False), ("skip", False), ("skip", True)])
def test_r1s_gradient_is_that_of_finite_differences(rule, spread):
    judge = small(dtype=torch.float64, width=4, singleton_pool=rule, batch_spread=spread)
    generator = torch.Generator().manual_seed(1)
    clips = torch.randn(2, 2, 2, 8, 8, dtype=torch.float64, generator=generator).requires_grad_()

    def penalty():
        return r1_penalty(judge(clips), clips, "sum")

    penalty().backward()
    step = 1e-6
    for name, weight in judge.named_parameters():
        if not name.endswith("weight"):
            continue  # the penalty is flat in most biases
        place = weight.grad.abs().argmax()
        with torch.no_grad():
            flat = weight.view(-1)
            held = flat[place].item()
            flat[place] = held + step
        above = penalty().item()
        with torch.no_grad():
            flat[place] = held - step
        below = penalty().item()
        with torch.no_grad():
            flat[place] = held
        slope = weight.grad.view(-1)[place].item()
        assert slope != 0, name
        assert (above - below) / (2 * step) == pytest.approx(slope, rel=1e-4), name


def test_scores_stay_float32_and_close_in_mixed_precision():
    judge, clips = small(num_classes=2), torch.randn(2, 2, 4, 32, 32)
    labels = torch.tensor([0, 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = judge(clips, labels)
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(mixed, judge(clips, labels), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("num_frames", [1, 2, 4])
def test_gradients_are_right_in_mixed_precision(num_frames):
    """oneDNN's own are not for two frames: see SoundConv3d."""
    judge = small(width=16)
    clips = torch.randn(2, 2, num_frames, 8, 8)
    found = []
    for mixed in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=mixed):
            scores = judge(clips)
        found.append(torch.autograd.grad(scores.sum(), list(judge.parameters())))
    for exact, rounded in zip(*found, strict=True):
        assert (exact - rounded).norm() < 0.1 * exact.norm()
