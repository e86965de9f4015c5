"""TGAN's critic."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidgen.adversarial.blocks import GaussianNoise
from vidgen.discriminators import VideoDiscriminator
from vidgen.quick_convolution import QuickConv3d


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def convolution_shapes(network: nn.Module, *inputs: torch.Tensor) -> list[tuple]:
    seen: list[tuple] = []
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d):
            layer.register_forward_hook(lambda m, i, output: seen.append(tuple(output.shape[1:])))
    network(*inputs)
    return seen


def test_every_layer_has_the_shape_and_the_weights_of_the_article():
    network = VideoDiscriminator(shift=True)
    assert convolution_shapes(network, torch.zeros(1, 3, 16, 64, 64)) == [
        (64, 8, 32, 32),
        (128, 4, 16, 16),
        (256, 2, 8, 8),
        (512, 1, 4, 4),
    ]
    counts = [parameters(layer) for layer in network.layers if parameters(layer)]
    assert counts == [12_352, 524_416, 256, 2_097_408, 512, 8_389_120, 1_024]
    assert parameters(network.score) == 8_193
    assert parameters(network) == 11_033_281
    assert parameters(VideoDiscriminator()) == 11_032_385
    conditional = VideoDiscriminator(num_classes=101, shift=True)
    assert parameters(conditional.layers[0]) == 426_048
    assert parameters(conditional) == 11_446_977
    assert parameters(VideoDiscriminator(num_classes=101)) == 11_446_081


def test_the_order_of_a_layer_is_convolution_norm_noise_activation():
    network = VideoDiscriminator(3, 4, 16, 4, noise=0.2)
    kinds = [type(layer) for layer in network.layers]
    assert kinds == [
        QuickConv3d,
        GaussianNoise,
        nn.LeakyReLU,
        QuickConv3d,
        nn.BatchNorm3d,
        GaussianNoise,
        nn.LeakyReLU,
    ]
    assert all(layer.negative_slope == 0.2 for layer in network.layers[2::4])
    assert network.layers[4].eps == 2e-5
    plain = VideoDiscriminator(3, 4, 16, 4, normalize=False)
    assert not any(isinstance(layer, nn.BatchNorm3d) for layer in plain.layers)


@pytest.mark.parametrize(
    ("num_frames", "size", "shapes"),
    [
        (16, 32, [(4, 8, 16, 16), (8, 4, 8, 8), (16, 2, 4, 4)]),
        (8, 32, [(4, 4, 16, 16), (8, 2, 8, 8), (16, 1, 4, 4)]),
        (2, 32, [(4, 1, 16, 16), (8, 1, 8, 8), (16, 1, 4, 4)]),
        (1, 16, [(4, 1, 8, 8), (8, 1, 4, 4)]),
        (32, 16, [(4, 16, 8, 8), (8, 8, 4, 4)]),
        (8, 128, [(4, 4, 64, 64), (8, 2, 32, 32), (16, 1, 16, 16), (32, 1, 8, 8), (64, 1, 4, 4)]),
        (6, 16, [(4, 3, 8, 8), (8, 1, 4, 4)]),
    ],
)
def test_other_lengths_and_sizes(num_frames: int, size: int, shapes: list[tuple]):
    network = VideoDiscriminator(3, num_frames, size, 4)
    clips = torch.zeros(2, 3, num_frames, size, size)
    assert convolution_shapes(network, clips) == shapes
    assert network(clips).shape == (2,)


def test_layers_without_time_leave_it_alone():
    network = VideoDiscriminator(3, 2, 32, 4)
    assert [layer.kernel_size for layer in network.layers if isinstance(layer, nn.Conv3d)] == [
        (4, 4, 4),
        (1, 4, 4),
        (1, 4, 4),
    ]


def test_scores_of_the_remaining_moments_are_averaged():
    """One moment at a time through the last layer, by its definition."""
    torch.manual_seed(0)
    network = VideoDiscriminator(3, 16, 16, 4).eval()
    clips = torch.randn(3, 3, 16, 16, 16)
    features = network.layers(clips)
    assert features.shape == (3, 8, 4, 4, 4)
    moments = [network.score(features[:, :, moment].reshape(3, -1)) for moment in range(4)]
    torch.testing.assert_close(network(clips), torch.cat(moments, dim=1).mean(dim=1))


def test_a_longer_clip_made_of_one_moment_scores_as_that_moment():
    """Time must not mix with channels: equal moments have equal scores."""
    torch.manual_seed(0)
    network = VideoDiscriminator(3, 16, 16, 4, normalize=False).eval()
    features = torch.randn(2, 8, 1, 4, 4).expand(-1, -1, 4, -1, -1)
    network.layers = nn.Identity()
    torch.testing.assert_close(
        network(features), network.score(features[:, :, 0].flatten(1)).squeeze(1)
    )


def test_labels_join_as_constant_planes_after_the_colours():
    network = VideoDiscriminator(3, 4, 16, 4, num_classes=2)
    seen: list[torch.Tensor] = []
    network.layers.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    clips, labels = torch.randn(2, 3, 4, 16, 16), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    network(clips, labels)
    (joined,) = seen
    assert torch.equal(joined[:, :3], clips)
    assert (joined[0, 3] == 0).all()
    assert (joined[0, 4] == 1).all()
    assert (joined[1, 3] == 1).all()
    assert (joined[1, 4] == 0).all()


def test_swapped_labels_change_the_score():
    torch.manual_seed(0)
    network = VideoDiscriminator(3, 4, 16, 4, num_classes=2).eval()
    clips, labels = torch.randn(4, 3, 4, 16, 16), torch.eye(2).repeat(2, 1)
    assert (network(clips, labels) - network(clips, labels.flip(1))).abs().min() > 1e-3


def test_the_input_is_not_written_into():
    clips = torch.randn(2, 3, 4, 16, 16)
    before = clips.clone()
    VideoDiscriminator(3, 4, 16, 4, noise=0.3)(clips)
    assert torch.equal(clips, before)


@pytest.mark.parametrize("size", [0, 4, 12, 65])
def test_a_size_that_no_halving_reaches_is_refused(size: int):
    with pytest.raises(ValueError, match=f"frame_size is {size}"):
        VideoDiscriminator(frame_size=size)
