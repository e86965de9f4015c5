"""The stacked sub-generators: parameters, blocks against plain formulas, which frames go where."""

from itertools import product

import pytest
import torch
from torch.nn import functional

from vidgen.subsampling import FrameSubsampling
from vidgen.tganv2_generator import RenderingBlock, UpBlock, VideoGenerator
from vidgen.trajectories.convlstm import ConvLSTM

WIDTHS = (1024, 512, 256, 128, 64, 32, 32)


def count(module):
    return sum(weight.numel() for weight in module.parameters())


def small(num_classes=0, **options):
    """A generator for 64 px whose BatchNorms have had something to learn, in evaluation mode."""
    torch.manual_seed(0)
    trajectory = ConvLSTM(3 + num_classes, 4, 1)
    generator = VideoGenerator(trajectory, (4,) * 7, 3, num_classes, **options)
    with torch.no_grad():
        for weight in generator.parameters():
            weight += 0.05 * torch.randn_like(weight)
        generator(torch.randn(4, 3), 8, torch.arange(4) % num_classes if num_classes else None)
    return generator.eval()


def test_it_has_the_articles_parameters_in_every_block():
    with torch.device("meta"):
        generator = VideoGenerator(ConvLSTM(), WIDTHS)
    blocks = [block for level in generator.levels for block in level.blocks]
    renders = [level.render for level in generator.levels]
    assert [count(block) for block in blocks] == [
        7_606_784,
        1_902_848,
        476_288,
        119_360,
        29_984,
        19_680,
    ]
    assert [count(render) for render in renders] == [3_715, 1_859, 931, 931]
    assert count(generator) == 88_032_460


@pytest.mark.parametrize(
    ("trajectory", "options", "expected"),
    [
        ({"size": 4}, {}, 89_874_636),
        ({}, {"every_level": False}, 88_025_955),
        ({}, {"skip_equal_shortcut": True}, 88_031_404),
        ({"latent_dim": 256 + 101}, {"num_classes": 101}, 89_622_476),
        ({"channels": 512}, {"widths": (512, 512, 256, 128, 64, 32, 32)}, 27_600_588),
    ],
)
def test_its_variants_have_the_articles_parameters(trajectory, options, expected):
    with torch.device("meta"):
        generator = VideoGenerator(ConvLSTM(**trajectory), **({"widths": WIDTHS} | options))
    assert count(generator) == expected


@pytest.mark.parametrize(
    ("size", "rates", "frames"),
    [(3, (2, 2, 2), [16, 8, 4, 2]), (3, (4, 4, 4), [16, 4, 1, 1]), (4, (1, 1, 1), [16] * 4)],
)
def test_its_clips_have_the_articles_shapes(size, rates, frames):
    subsampling = FrameSubsampling(16, rates)
    with torch.device("meta"):
        generator = VideoGenerator(ConvLSTM(size=size), WIDTHS)
        layers = subsampling.layers([0, 0, 0])
        clips = generator(torch.empty(2, 256), 16, None, layers)
    sizes = [8 * size, 16 * size, 32 * size, 64 * size]
    expected = [(2, 3, length, side, side) for length, side in zip(frames, sizes, strict=True)]
    assert [tuple(clip.shape) for clip in clips] == expected


def plain_norm(norm, maps, label):
    """BatchNorm by its running moments."""
    inner = norm.norm
    mean, variance = inner.running_mean[:, None, None], inner.running_var[:, None, None]
    scale = inner.weight if label is None else norm.scale.weight[label]
    shift = inner.bias if label is None else norm.shift.weight[label]
    normal = (maps - mean) / (variance + 2e-5).sqrt()
    return normal * scale[:, None, None] + shift[:, None, None]


def plain_convolution(layer, maps):
    return functional.conv2d(maps, layer.weight, layer.bias, padding=layer.kernel_size[0] // 2)


def doubled(maps):
    return maps.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)


@pytest.mark.parametrize("label", [None, 1])
def test_blocks_do_what_figure_4_shows(label):
    torch.manual_seed(0)
    classes = 0 if label is None else 3
    labels = None if label is None else torch.tensor([label])
    block, render = UpBlock(3, 2, classes), RenderingBlock(3, 3, classes)
    with torch.no_grad():
        for weight in [*block.parameters(), *render.parameters()]:
            weight += 0.2 * torch.randn_like(weight)
    for part in (block, render):
        for _ in range(3):
            part(torch.randn(4, 3, 4, 4) * 2 + 1, None if label is None else torch.arange(4) % 3)
        part.eval()
    maps = torch.randn(1, 3, 4, 5)
    given = maps.clone()
    inner = plain_convolution(
        block.convolution_1, doubled(plain_norm(block.norm_1, maps, label).relu())
    )
    inner = plain_convolution(block.convolution_2, plain_norm(block.norm_2, inner, label).relu())
    expected = inner + plain_convolution(block.shortcut, doubled(maps))
    torch.testing.assert_close(block(maps, labels), expected, rtol=1e-4, atol=1e-5)
    image = plain_convolution(render.convolution, plain_norm(render.norm, maps, label).relu())
    torch.testing.assert_close(render(maps, labels), image.tanh(), rtol=1e-4, atol=1e-5)
    assert torch.equal(maps, given)


def test_a_block_that_keeps_the_channels_may_hand_them_on_as_they_are():
    block, maps = UpBlock(2, 2, convolve_shortcut=False), torch.randn(2, 2, 3, 3)
    for convolution in (block.convolution_2,):
        torch.nn.init.zeros_(convolution.weight)
    assert torch.equal(block(maps), doubled(maps))


def test_weights_start_as_in_the_code():
    torch.manual_seed(0)
    block, render = UpBlock(64, 32), RenderingBlock(64)
    for name, layer, gain in (
        ("main 1", block.convolution_1, 2),
        ("main 2", block.convolution_2, 2),
        ("shortcut", block.shortcut, 1),
    ):
        places = layer.weight[0, 0].numel()
        bound = (6 * gain / (places * sum(layer.weight.shape[:2]))) ** 0.5
        assert 0.98 * bound < layer.weight.abs().max().item() <= bound * 1.000001, name
        assert not layer.bias.any(), name
    assert abs(render.convolution.weight.std().item() * (64 * 9) ** 0.5 - 1) < 0.05
    assert not render.convolution.bias.any()


# Which frames go where.


def test_training_at_rates_of_1_equals_dense_inference_bit_for_bit():
    generator, latent = small(), torch.randn(2, 3)
    everything = FrameSubsampling(8, (1, 1, 1)).layers([0, 0, 0])
    with torch.no_grad():
        trained = generator(latent, 8, None, everything)
        dense = generator.draw_evenly(generator.unroll(latent, range(8)), None, piece=8)
    assert all(torch.equal(*pair) for pair in zip(trained, dense, strict=True))


@pytest.mark.parametrize("rates", [(2, 2, 2), (4, 2, 1)])
def test_every_sparse_clip_holds_the_dense_clips_frames(rates):
    generator, latent = small(), torch.randn(2, 3)
    subsampling = FrameSubsampling(8, rates)
    with torch.no_grad():
        dense = generator(latent, 8)
        for offsets in product(*(range(number) for number in subsampling.num_offsets)):
            sparse = generator(latent, 8, None, subsampling.layers(offsets))
            kept = torch.arange(8)
            for level in range(4):
                if level:
                    kept = kept[offsets[level - 1] :: rates[level - 1]]
                expected = dense[level][:, :, kept]
                torch.testing.assert_close(sparse[level], expected, rtol=0, atol=1e-5)


def test_frames_are_dropped_before_the_blocks_that_would_draw_them():
    generator, seen = small(), []
    for level in generator.levels:
        level.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape[0]))
    generator(torch.randn(3, 3), 8, None, FrameSubsampling(8, (2, 4, 1)).layers([1, 2, 0]))
    assert seen == [3 * 8, 3 * 4, 3 * 1, 3 * 1]


def test_an_average_of_frames_is_drawn_from_their_maps_average():
    generator, maps = small(), torch.randn(2, 8, 4, 1, 1)
    layers = FrameSubsampling(8, (1, 2, 4), average=True).layers([0, 0, 0])
    with torch.no_grad():
        _, second, third, fourth = generator.draw(maps, None, layers)
        flat = generator.levels[1](generator.levels[0](maps.flatten(0, 1)))
        pairs = flat.unflatten(0, (2, 4, 2)).mean(2).flatten(0, 1)
        expected = generator.levels[2].render(generator.levels[2](pairs))
    assert [clip.shape[2] for clip in (second, third, fourth)] == [8, 4, 1]
    torch.testing.assert_close(third.transpose(1, 2).flatten(0, 1), expected)


def test_a_frames_map_reaches_only_its_own_frame_of_its_own_clip():
    generator, maps = small(), torch.randn(2, 4, 4, 1, 1)
    changed = maps.clone()
    changed[1, 2] += 1
    with torch.no_grad():
        pairs = zip(generator.draw(maps), generator.draw(changed), strict=True)
        for before, after in pairs:
            touched = (before - after).abs().amax((1, 3, 4)) > 1e-6  # (B, T)
            assert touched.nonzero().tolist() == [[1, 2]]


def test_every_level_renders_with_weights_of_its_own():
    generator, latent = small(), torch.randn(1, 3)
    with torch.no_grad():
        before = generator(latent, 2)
        generator.levels[1].render.convolution.bias += 1
        after = generator(latent, 2)
    same = [torch.equal(*pair) for pair in zip(before, after, strict=True)]
    assert same == [True, False, True, True]


def test_long_clips_in_pieces_begin_with_the_short_ones():
    generator, latent = small(), torch.randn(1, 3)
    with torch.no_grad():
        long = generator.draw_evenly(generator.unroll(latent, range(11)), None, piece=4)
        short = generator.draw_evenly(generator.unroll(latent, range(6)), None, piece=4)
        whole = generator(latent, 11)
    for level in range(4):
        assert long[level].shape[2] == 11
        assert torch.equal(long[level][:, :, :6], short[level])
        torch.testing.assert_close(long[level], whole[level], rtol=0, atol=1e-5)


def test_a_class_changes_the_trajectory_and_every_block():
    generator, maps = small(num_classes=3), torch.randn(2, 4, 4, 1, 1)
    latent, classes = torch.randn(2, 3), (torch.tensor([0, 1]), torch.tensor([0, 2]))
    with torch.no_grad():
        walks = [generator.unroll(latent, range(4), labels) for labels in classes]
        clips = [generator.draw(maps, labels) for labels in classes]
    assert torch.equal(walks[0][0], walks[1][0])
    assert not torch.equal(walks[0][1], walks[1][1])
    for first, second in zip(*clips, strict=True):
        assert torch.equal(first[0], second[0])
        assert (first[1] - second[1]).abs().amin(0).amax() > 0
    assert all(
        norm.scale is not None and norm.scale.weight.shape[0] == 3
        for norm in generator.modules()
        if hasattr(norm, "scale")
    )
