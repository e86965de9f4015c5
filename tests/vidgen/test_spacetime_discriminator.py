import pytest
import torch
from torch import nn

from vidgen.discriminators import SpacetimeDiscriminator, clip_levels


def shapes_and_sizes(discriminator, clip):
    rows = []
    for part in discriminator.modules():
        if isinstance(part, nn.Conv3d):
            part.register_forward_hook(
                lambda part, inputs, output: rows.append(
                    (tuple(output.shape[1:]), sum(w.numel() for w in part.parameters()))
                )
            )
    outputs = discriminator(clip)
    return rows, tuple(outputs.shape)


def test_every_layer_has_the_published_shape_and_size():
    with torch.device("meta"):
        discriminator = SpacetimeDiscriminator((3, 32, 64, 64))
        rows, outputs = shapes_and_sizes(discriminator, torch.empty(5, 3, 32, 64, 64))
    assert rows == [
        ((64, 16, 32, 32), 12_352),
        ((128, 8, 16, 16), 524_416),
        ((256, 4, 8, 8), 2_097_408),
        ((512, 2, 4, 4), 8_389_120),
        ((2, 1, 1, 1), 32_770),
    ]
    assert outputs == (5, 2)


@pytest.mark.parametrize(
    ("width", "num_outputs", "weights"),
    [(64, 2, 11_057_858), (64, 1, 11_041_473), (64, 100, 12_663_588), (128, 2, 44_135_810)],
)
def test_the_published_sizes_are_met(width, num_outputs, weights):
    with torch.device("meta"):
        discriminator = SpacetimeDiscriminator((3, 32, 64, 64), width, num_outputs)
    assert sum(weight.numel() for weight in discriminator.parameters()) == weights


def test_norms_follow_all_layers_but_the_first_and_the_last_and_slopes_are_a_fifth():
    discriminator = SpacetimeDiscriminator((3, 16, 32, 32), 4)
    kinds = [type(part).__name__.removeprefix("Quick") for part in discriminator.trunk]
    assert kinds == ["Conv3d", "LeakyReLU"] + ["Conv3d", "BatchNorm3d", "LeakyReLU"] * 2
    assert {part.eps for part in discriminator.modules() if isinstance(part, nn.BatchNorm3d)} == {
        1e-3
    }
    slopes = {
        part.negative_slope for part in discriminator.modules() if isinstance(part, nn.LeakyReLU)
    }
    assert slopes == {0.2}


def test_the_last_layer_sees_all_that_is_left_of_time_and_space():
    discriminator = SpacetimeDiscriminator((1, 16, 16, 16), 4).eval()
    clip = torch.randn(1, 1, 16, 16, 16, requires_grad=True)
    discriminator(clip).sum().backward()
    assert discriminator.head.kernel_size == (4, 4, 4)
    assert clip.grad is not None
    assert (clip.grad.abs().amax(dim=(0, 1, 3, 4)) > 0).all()
    assert (clip.grad.abs().amax(dim=(0, 1, 2, 4)) > 0).all()


@pytest.mark.parametrize(
    ("num_frames", "frame_size", "expected"),
    [(32, 64, (4, 2)), (16, 64, (4, 1)), (48, 64, (4, 3)), (2, 8, (1, 1)), (32, 128, (5, 1))],
)
def test_clips_are_halved_until_frames_are_four_pixels_wide(num_frames, frame_size, expected):
    assert clip_levels(num_frames, frame_size) == expected
