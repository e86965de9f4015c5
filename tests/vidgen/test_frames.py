"""TGAN's image generator."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidgen.frames import BranchedImageGenerator


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def deconvolution_shapes(network: nn.Module, *latents: torch.Tensor) -> list[tuple]:
    seen: list[tuple] = []
    for layer in network.modules():
        if isinstance(layer, nn.ConvTranspose2d):
            layer.register_forward_hook(lambda m, i, output: seen.append(tuple(output.shape[1:])))
    network(*latents)
    return seen


def test_every_layer_has_the_shape_and_the_weights_of_table_1():
    network = BranchedImageGenerator([100, 100])
    latents = [torch.zeros(2, 100), torch.zeros(2, 100)]
    assert deconvolution_shapes(network, *latents) == [
        (256, 8, 8),
        (128, 16, 16),
        (64, 32, 32),
        (32, 64, 64),
        (3, 64, 64),
    ]
    for branch, latent in zip(network.branches, latents, strict=True):
        assert branch(latent).shape == (2, 4096)
        assert [parameters(layer) for layer in branch] == [409_600, 8_192, 0]
    counts = [parameters(layer) for layer in network.layers if parameters(layer)]
    assert counts == [2_097_152, 512, 524_288, 256, 131_072, 128, 32_768, 64, 867]
    assert parameters(network) == 3_622_691
    assert parameters(BranchedImageGenerator([100, 100, 101])) == 5_093_155
    assert parameters(BranchedImageGenerator([100])) == 2_156_323


@pytest.mark.parametrize("size", [8, 32, 128])
def test_other_sizes_continue_the_table(size: int):
    network = BranchedImageGenerator([6, 6], size, channels=1, width=64)
    shapes = deconvolution_shapes(network, torch.zeros(2, 6), torch.zeros(2, 6))
    expected, width, edge = [], 64, 4
    while edge < size:
        width, edge = width // 2, edge * 2
        expected.append((width, edge, edge))
    assert shapes == [*expected, (1, size, size)]


def test_maps_are_joined_in_the_order_of_the_latents():
    network = BranchedImageGenerator([2, 3], 8, width=8).eval()
    with torch.no_grad():
        for value, branch in enumerate(network.branches, 1):
            branch[0].weight.fill_(float(value))
    seen: list[torch.Tensor] = []
    network.layers.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    network(torch.ones(1, 2), torch.ones(1, 3))
    (joined,) = seen
    assert joined.shape == (1, 8, 4, 4)
    torch.testing.assert_close(joined[0, :4], torch.full((4, 4, 4), 2.0), rtol=1e-4, atol=0)
    torch.testing.assert_close(joined[0, 4:], torch.full((4, 4, 4), 6.0), rtol=1e-4, atol=0)


def test_branches_normalize_feature_by_feature_before_the_map():
    network = BranchedImageGenerator([3], 8, width=8)
    (branch,) = network.branches
    latent = torch.randn(6, 3)
    features = latent @ branch[0].weight.T
    mean, variance = features.mean(0), features.var(0, correction=0)
    expected = ((features - mean) / (variance + 2e-5).sqrt()).relu()
    torch.testing.assert_close(branch(latent), expected, atol=1e-5, rtol=1e-4)


def test_images_are_bounded_and_rows_do_not_mix_in_evaluation():
    torch.manual_seed(0)
    network = BranchedImageGenerator([4], 16, width=16).eval()
    latent = 30 * torch.randn(3, 4)
    images = network(latent)
    assert images.shape == (3, 3, 16, 16)
    assert images.abs().max() <= 1
    torch.testing.assert_close(network(latent[2:]), images[2:])


@pytest.mark.parametrize("size", [0, 4, 12, 65, -8])
def test_a_size_that_no_doubling_reaches_is_refused(size: int):
    with pytest.raises(ValueError, match=f"frame_size is {size}"):
        BranchedImageGenerator([4], size)


def test_a_width_that_would_be_halved_to_nothing_is_refused():
    with pytest.raises(ValueError, match="width is 8; 64 pixels need 16"):
        BranchedImageGenerator([4], 64, width=8)


def test_as_many_latents_as_branches():
    with pytest.raises(ValueError, match="zip"):
        BranchedImageGenerator([4, 4], 8, width=8)(torch.zeros(2, 4))
