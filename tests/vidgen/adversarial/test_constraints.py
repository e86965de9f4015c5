"""A critic's parameters end within the bounds of TGAN and WGAN, and nothing else changes."""

import math

import pytest
import torch
from torch import nn

from vidgen.adversarial.constraints import (
    clip_norm_scales_,
    clip_singular_values_,
    clip_weights_,
    convolution_norm,
    singular_values,
)


def clipped_by_svd(weight: torch.Tensor, maximum: float = 1.0) -> torch.Tensor:
    matrix = weight.double().reshape(len(weight), -1)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    return (left * values.clamp(max=maximum) @ right).reshape(weight.shape)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_a_critics_weights_are_clipped_in_place_and_nothing_else_is():
    critic = nn.Sequential(
        nn.Conv1d(2, 3, 3), nn.Conv2d(3, 4, 3), nn.Conv3d(4, 5, 3), nn.BatchNorm3d(5)
    )
    critic.append(nn.Linear(5, 6))
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.mul_(30).add_(1)
    addresses = [parameter.data_ptr() for parameter in critic.parameters()]
    before = [parameter.clone() for parameter in critic.parameters()]
    clip_singular_values_(critic)
    assert [parameter.data_ptr() for parameter in critic.parameters()] == addresses
    for parameter, old in zip(critic.parameters(), before, strict=True):
        assert parameter.requires_grad and parameter.grad is None
        if parameter.ndim >= 2:
            assert (parameter - clipped_by_svd(old)).abs().max() < 2e-6
        else:
            assert torch.equal(parameter, old)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_weight_that_is_not_finite_is_refused_and_left(bad):
    critic = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    with torch.no_grad():
        critic[1].weight[2, 3] = bad
    before = critic[1].weight.clone()
    with pytest.raises(ValueError, match="layer '1' cannot be clipped: it holds values that"):
        clip_singular_values_(critic)
    assert torch.equal(critic[1].weight.nan_to_num(), before.nan_to_num())


def test_mixed_precision_alone_does_not_blur_the_result():
    weight = torch.randn(64, 700) / 20
    expected = clipped_by_svd(weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        clip_singular_values_(weight)
    assert (weight - expected).abs().max() < 1e-6


def test_channels_last_weights_are_clipped_as_any_other():
    conv = nn.Conv3d(8, 6, 4).to(memory_format=torch.channels_last_3d)
    nn.init.normal_(conv.weight)
    expected = clipped_by_svd(conv.weight.detach())
    clip_singular_values_(conv)
    assert (conv.weight - expected).abs().max() < 1e-6
    assert conv.weight.is_contiguous(memory_format=torch.channels_last_3d)


def test_a_single_parameter_or_a_list_of_them():
    single, matrix, bias = nn.Parameter(torch.eye(2) * 3), torch.eye(2) * 3, torch.full((2,), 3.0)
    clip_singular_values_(single)
    clip_singular_values_(iter([matrix, bias]))
    assert torch.allclose(single, torch.eye(2)) and torch.allclose(matrix, torch.eye(2))
    assert (bias == 3).all()


@pytest.mark.parametrize("layer", [nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d])
def test_transposed_convolutions_are_refused(layer):
    with pytest.raises(ValueError, match="'0' is a transposed convolution"):
        clip_singular_values_(nn.Sequential(layer(2, 3, 4)))


def test_spectrally_normalized_layers_are_refused():
    critic = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)))
    with pytest.raises(ValueError, match="layer '0' is recomputed at each use"):
        clip_singular_values_(critic)


@pytest.mark.parametrize("maximum", [0.0, -1.0, math.nan, math.inf])
def test_wrong_limits_are_refused(maximum):
    for clip_ in (clip_singular_values_, clip_weights_):
        with pytest.raises(ValueError, match="give a number above 0"):
            clip_(nn.Linear(2, 2), maximum)
    with pytest.raises(ValueError, match="from 0 to 1"):
        clip_norm_scales_(nn.BatchNorm1d(2), floor=1.5)


def test_weight_clipping_clamps_every_parameter_and_no_buffer():
    critic = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    with torch.no_grad():
        critic[0].weight.copy_(torch.tensor([[0.005, -3.0], [0.02, -0.01], [0.0, -0.002]]))
        critic[0].bias.fill_(-0.5)
    clip_weights_(critic, limit=0.01)
    expected = torch.tensor([[0.005, -0.01], [0.01, -0.01], [0.0, -0.002]])
    assert torch.equal(critic[0].weight, expected)
    assert (critic[0].bias == -0.01).all() and (critic[1].weight == 0.01).all()
    assert (critic[1].running_var == 1).all()


def test_normalization_scales_end_between_floor_and_running_deviation():
    norm = nn.BatchNorm3d(4, eps=1e-2)
    norm(torch.zeros(2, 4, 1, 1, 1))
    with torch.no_grad():
        norm.running_var.copy_(torch.tensor([4.0, 4.0, 4.0, 0.0]))
        norm.weight.copy_(torch.tensor([5.0, -1.0, 1.5, 1.0]))
    clip_norm_scales_(nn.Sequential(norm))
    expected = torch.tensor([math.sqrt(4.01), 0.02, 1.5, 0.1])
    assert torch.allclose(norm.weight, expected, rtol=1e-6)
    assert (norm.bias == 0).all()


def test_normalization_that_no_batch_has_passed_keeps_its_scales():
    unused, plain = nn.BatchNorm1d(2), nn.BatchNorm1d(2, affine=False)
    untracked = nn.BatchNorm1d(2, track_running_stats=False)
    with torch.no_grad():
        unused.weight.fill_(9)
        untracked.weight.fill_(9)
    clip_norm_scales_(nn.ModuleList([unused, plain, untracked]))
    assert (unused.weight == 9).all() and (untracked.weight == 9).all()


def test_a_convolution_reads_out_channels_first():
    weight = torch.ones(1, 1, 3, 3)
    assert singular_values(weight).tolist() == pytest.approx([3.0])
    weight = torch.randn(5, 4, 2, 2)
    expected = torch.linalg.svdvals(weight.double().reshape(5, 16))
    assert torch.equal(singular_values(weight), expected)


def test_the_norm_of_a_kernel_of_ones_nears_its_sum():
    conv = nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")
    nn.init.ones_(conv.weight)
    assert convolution_norm(conv, (1, 16, 16)) == pytest.approx(9, rel=1e-4)


def test_the_norm_of_a_convolution_is_that_of_its_matrix():
    conv = nn.Conv1d(2, 3, 4, stride=2, padding=1)
    columns = [conv(unit.reshape(1, 2, 8)) - conv(torch.zeros(1, 2, 8)) for unit in torch.eye(16)]
    expected = torch.linalg.matrix_norm(torch.stack([column.flatten() for column in columns]), 2)
    with torch.no_grad():
        assert convolution_norm(conv, (2, 8), iterations=300) == pytest.approx(float(expected))
    assert conv.weight.grad is None


@pytest.mark.parametrize(
    ("channels", "fill", "input_shape", "expected", "tolerance"),
    [
        # Few random channels differ from draw to draw: 2.27 and 2.32 for two seeds.
        ((3, 64), "random", (3, 16, 64, 64), 2.36, 0.07),
        ((3, 64), "constant", (3, 16, 64, 64), 2.77, 0.02),
        ((64, 128), "random", (64, 8, 32, 32), 1.42, 0.02),
    ],
)
def test_clipped_kernels_of_tgans_critic_stretch_as_measured(
    channels, fill, input_shape, expected, tolerance
):
    conv = nn.Conv3d(*channels, kernel_size=4, stride=2, padding=1)
    if fill == "random":
        nn.init.kaiming_normal_(conv.weight)
    else:
        nn.init.ones_(conv.weight)
    clip_singular_values_(conv)
    assert singular_values(conv.weight)[0] == pytest.approx(1, abs=1e-5)
    norm = convolution_norm(conv, input_shape, iterations=20)
    assert norm == pytest.approx(expected, rel=tolerance)
