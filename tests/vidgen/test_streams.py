import pytest
import torch
from torch import nn

from vidgen.streams import (
    BackgroundStream,
    ImageEncoder,
    OneStreamGenerator,
    TwoStreamGenerator,
    initialize_streams_,
)

SMALL = (3, 8, 16, 16)


def convolutions(module, source):
    """(kind, output of one example, weights with bias) of every convolution, in order."""
    rows = []

    def remember(part, inputs, output):
        weights = sum(weight.numel() for weight in part.parameters())
        rows.append((type(part).__name__.removeprefix("Quick"), tuple(output.shape[1:]), weights))

    for part in module.modules():
        if isinstance(part, nn.modules.conv._ConvNd):
            part.register_forward_hook(remember)
    module(source)
    return rows


def num_weights(module):
    return sum(weight.numel() for weight in module.parameters())


def two_streams(width=4):
    torch.manual_seed(0)
    # As drawn by torch; initialize_streams_ would leave the mask near 1/2 everywhere.
    return TwoStreamGenerator(5, 1, SMALL, width), torch.randn(3, 5, 1, 1)


def test_every_layer_of_the_two_streams_has_the_published_shape_and_size():
    with torch.device("meta"):
        generator = TwoStreamGenerator(100, 1, (3, 32, 64, 64), 64)
        rows = convolutions(generator, torch.empty(2, 100, 1, 1))
    deep, flat = "ConvTranspose3d", "ConvTranspose2d"
    assert rows == [
        (deep, (512, 2, 4, 4), 1_638_912),
        (deep, (256, 4, 8, 8), 8_388_864),
        (deep, (128, 8, 16, 16), 2_097_280),
        (deep, (64, 16, 32, 32), 524_352),
        (deep, (4, 32, 64, 64), 12_291 + 4_097),
        (flat, (512, 4, 4), 819_712),
        (flat, (256, 8, 8), 2_097_408),
        (flat, (128, 16, 16), 524_416),
        (flat, (64, 32, 32), 131_136),
        (flat, (3, 64, 64), 3_075),
    ]
    assert num_weights(generator.background) == 3_577_667
    assert num_weights(generator) == 16_245_383


def test_one_stream_is_the_foreground_without_the_mask():
    with torch.device("meta"):
        generator = OneStreamGenerator(100, 1, (3, 32, 64, 64), 64)
        streams = generator(torch.empty(2, 100, 1, 1))
    assert num_weights(generator) == 12_663_619
    assert {name: tuple(stream.shape) for name, stream in streams.items()} == {
        "video": (2, 3, 32, 64, 64)
    }


def test_every_layer_of_the_wide_image_network_has_the_size_of_the_authors_code():
    with torch.device("meta"):
        encoder = ImageEncoder(3, 64, 128)
        generator = TwoStreamGenerator(1024, 4, (3, 32, 64, 64), 128)
        encoded = convolutions(encoder, torch.empty(2, 3, 64, 64))
        decoded = convolutions(generator, torch.empty(2, 1024, 4, 4))
    assert [shape for _, shape, _ in encoded] == [
        (128, 32, 32),
        (256, 16, 16),
        (512, 8, 8),
        (1024, 4, 4),
    ]
    assert [shape for _, shape, _ in decoded] == [
        (1024, 2, 4, 4),
        (512, 4, 8, 8),
        (256, 8, 16, 16),
        (128, 16, 32, 32),
        (4, 32, 64, 64),
        (512, 8, 8),
        (256, 16, 16),
        (128, 32, 32),
        (3, 64, 64),
    ]
    assert num_weights(encoder) == 11_021_696
    assert num_weights(generator.background) == 11_018_883
    assert decoded[4][2] == 24_579 + 8_193
    assert num_weights(generator.foreground) == 46_143_104 + 24_579 + 8_193


def test_the_bottleneck_encoder_has_the_five_layers_of_the_article():
    with torch.device("meta"):
        encoder = ImageEncoder(3, 64, 64, code_dim=100)
        rows = convolutions(encoder, torch.empty(2, 3, 64, 64))
    assert [shape for _, shape, _ in rows] == [
        (64, 32, 32),
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (100, 1, 1),
    ]
    assert num_weights(encoder) == 3_577_636
    assert isinstance(encoder.layers[-1], nn.Conv2d)


def test_sixteen_frames_begin_with_a_first_layer_that_leaves_time_alone():
    with torch.device("meta"):
        generator = OneStreamGenerator(100, 1, (3, 16, 64, 64), 64)
        rows = convolutions(generator, torch.empty(2, 100, 1, 1))
    assert rows[0] == ("ConvTranspose3d", (512, 1, 4, 4), 819_712)
    assert rows[-1][1] == (3, 16, 64, 64)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_of_zero_shows_the_background_and_of_one_the_foreground_bit_for_bit(value):
    generator, source = two_streams()
    last = generator.foreground.layers[-1]
    with torch.no_grad():
        last.weight[:, -1] = 0
        last.bias[-1] = 200.0 if value else -200.0
        streams = generator(source)
    shown, hidden = ("foreground", "background") if value else ("background", "foreground")
    assert (streams["mask"] == value).all()
    assert torch.equal(streams["video"], streams[shown])
    assert not torch.allclose(streams["video"], streams[hidden], atol=0.01)


def test_the_video_is_the_foreground_where_the_mask_is_and_the_background_elsewhere():
    generator, source = two_streams()
    with torch.no_grad():
        streams = generator(source)
        image = generator.background(source)
    mask, foreground = streams["mask"], streams["foreground"]
    for frame in range(8):
        expected = mask[:, :, frame] * foreground[:, :, frame] + (1 - mask[:, :, frame]) * image
        torch.testing.assert_close(streams["video"][:, :, frame], expected)


def test_the_background_stands_still_and_everything_else_moves():
    generator, source = two_streams()
    streams = generator(source)
    still = streams["background"]
    assert all(torch.equal(still[:, :, 0], still[:, :, frame]) for frame in range(8))
    for name in ("video", "foreground", "mask"):
        assert not torch.equal(streams[name][:, :, 0], streams[name][:, :, 1])
    assert streams["mask"].shape == (3, 1, 8, 16, 16)
    assert streams["mask"].min() > 0 and streams["mask"].max() < 1
    for name in ("video", "foreground", "background"):
        assert streams[name].abs().max() < 1


def test_values_beyond_the_range_are_bent_by_tanh_and_sigmoid():
    generator, source = two_streams()
    moving = generator.foreground(source)
    streams = generator(source)
    assert torch.equal(streams["foreground"], moving[:, :3].tanh())
    assert torch.equal(streams["mask"], moving[:, 3:].sigmoid())


def test_exported_streams_are_not_changed_by_what_is_done_with_them_later():
    generator, source = two_streams()
    streams = generator(source)
    before = {name: stream.detach().clone() for name, stream in streams.items()}
    streams["video"].sum().backward()
    assert all(torch.equal(stream, before[name]) for name, stream in streams.items())


def test_both_streams_take_the_latent_and_share_no_weights():
    generator, source = two_streams()
    source = source.requires_grad_()
    streams = generator(source)
    for name, reached in (("foreground", "foreground"), ("mask", "foreground")):
        generator.zero_grad(set_to_none=True)
        streams[name].square().sum().backward(retain_graph=True)
        assert all(weight.grad is None for weight in generator.background.parameters())
        assert generator.get_submodule(reached).layers[0].weight.grad.abs().sum() > 0
    generator.zero_grad(set_to_none=True)
    (gradient,) = torch.autograd.grad(streams["background"].square().sum(), source)
    assert (gradient.flatten(1).abs().sum(dim=1) > 0).all()
    assert all(weight.grad is None for weight in generator.foreground.parameters())


@pytest.mark.parametrize(
    ("clip_shape", "told"),
    [
        ((3, 24, 64, 64), "num_frames is 24; with frame_size 64 it must be a multiple of 16"),
        ((3, 0, 64, 64), "num_frames is 0"),
        ((3, 32, 48, 48), "frame_size is 48"),
        ((3, 32, 4, 4), "frame_size is 4"),
    ],
)
def test_sizes_that_cannot_be_halved_to_four_pixels_are_refused(clip_shape, told):
    with pytest.raises(ValueError, match=told):
        TwoStreamGenerator(100, 1, clip_shape, 8)


def test_initialization_is_the_authors():
    torch.manual_seed(0)
    parts = nn.ModuleList([TwoStreamGenerator(100, 1, (3, 8, 16, 16), 32), ImageEncoder(3, 16, 32)])
    initialize_streams_(parts)
    for part in parts.modules():
        if isinstance(part, nn.modules.conv._ConvNd):
            assert part.weight.mean().abs() < 1e-3
            assert part.weight.std().item() == pytest.approx(0.01, rel=0.1)
            assert not part.bias.any()
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            assert part.weight.mean().item() == pytest.approx(1.0, abs=0.02)
            assert part.weight.std().item() == pytest.approx(0.02, rel=0.5)
            assert not part.bias.any()


def test_batch_norms_have_the_authors_epsilons():
    generator = BackgroundStream(100, 1, 3, 2, 8)
    norms = [part for part in generator.modules() if isinstance(part, nn.BatchNorm2d)]
    assert [norm.eps for norm in norms] == [1e-5, 1e-5]
    encoder = ImageEncoder(3, 32, 8)
    norms = [part for part in encoder.modules() if isinstance(part, nn.BatchNorm2d)]
    assert [norm.eps for norm in norms] == [1e-3, 1e-3]
