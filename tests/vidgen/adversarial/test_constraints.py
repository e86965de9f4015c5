"""Clipped critics: the bounds hold, what is inside stays, and the result is the full SVD's."""

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


def orthonormal(rows: int, columns: int) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(rows, columns, dtype=torch.float64))[0]


def matrix_with(values: list[float] | torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    """A float64 matrix with the given singular values."""
    values = torch.as_tensor(values, dtype=torch.float64)
    left, right = orthonormal(rows, len(values)), orthonormal(columns, len(values))
    return left * values @ right.T


def clipped_by_svd(weight: torch.Tensor, maximum: float = 1.0) -> torch.Tensor:
    matrix = weight.double().reshape(len(weight), -1)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    return (left * values.clamp(max=maximum) @ right).reshape(weight.shape)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def he_initialised(rows: int, columns: int) -> torch.Tensor:
    return torch.randn(rows, columns) * math.sqrt(2 / columns)


def clipped_with_steps(rows: int, columns: int) -> torch.Tensor:
    weight = clipped_by_svd(he_initialised(rows, columns)).float()
    return weight + 2.5e-4 * torch.randn_like(weight).sign()


def few_exceed(rows: int, columns: int) -> torch.Tensor:
    count = min(rows, columns)
    values = torch.linspace(0, 1.01, count)
    return matrix_with(values, rows, columns).float()


@pytest.mark.parametrize("make", [he_initialised, clipped_with_steps, few_exceed])
@pytest.mark.parametrize("shape", [(64, 192), (300, 2100), (1, 8192), (130, 129), (192, 64)])
def test_the_result_is_that_of_a_full_svd(make, shape):
    weight = make(*shape)
    expected = clipped_by_svd(weight)
    clip_singular_values_(weight)
    assert (weight - expected).abs().max() < 1e-6
    assert singular_values(weight)[0] <= 1 + 1e-5


def test_a_diagonal_matrix_is_clipped_entry_by_entry():
    weight = torch.diag(torch.tensor([3.0, 0.5, 1.0]))
    clip_singular_values_(weight)
    assert torch.allclose(weight, torch.diag(torch.tensor([1.0, 0.5, 1.0])), atol=1e-7)


def test_another_maximum_holds_too():
    for maximum in (0.01, 2.5):
        weight = matrix_with([5.0, 2.0, 0.5, 0.001], 20, 30).float()
        expected = clipped_by_svd(weight, maximum)
        clip_singular_values_(weight, maximum)
        assert (weight - expected).abs().max() < 1e-6 * max(1, maximum)
        assert singular_values(weight)[0] <= maximum * (1 + 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("largest", [0.3, 0.9, 0.999, 1.0])
def test_a_weight_inside_stays_bit_for_bit(dtype, largest):
    for shape in ((40, 90), (90, 40), (1, 500)):
        values = torch.linspace(0.1, 1, min(shape)) if min(shape) > 1 else torch.ones(1)
        weight = matrix_with(values, *shape)
        # Rounding to the type may lift the largest value above 1, so measure it there.
        weight = (weight * largest * (1 - torch.finfo(dtype).eps)).to(dtype)
        if singular_values(weight)[0] > 1:
            weight = weight * 0.99
        before = weight.clone()
        clip_singular_values_(weight)
        assert torch.equal(weight, before)


def test_orthogonal_weights_stay_bit_for_bit():
    for weight in (torch.eye(200), orthonormal(300, 300).float(), orthonormal(700, 90).float()):
        before = weight.clone()
        clip_singular_values_(weight)
        assert torch.equal(weight, before)


@pytest.mark.parametrize("shape", [(64, 192), (300, 2100), (1, 8192), (192, 64)])
def test_clipping_twice_is_clipping_once_bit_for_bit(shape):
    weight = he_initialised(*shape) * 3
    clip_singular_values_(weight)
    once = weight.clone()
    clip_singular_values_(weight)
    assert torch.equal(weight, once)


def test_what_is_clearly_inside_needs_no_eigenvalues(monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a bound would have done")

    monkeypatch.setattr(torch.linalg, "eigh", refuse)
    clip_singular_values_(matrix_with(torch.linspace(0.5, 0.97, 256), 256, 512).float())
    with pytest.raises(AssertionError, match="a bound would have done"):
        clip_singular_values_(matrix_with([1.1], 256, 512).float())


@pytest.mark.parametrize("excess", [1e-5, 1e-4, 1e-2])
@pytest.mark.parametrize("others", [0.0, 0.5, 0.99, 1.0])
def test_no_bound_overlooks_a_single_value_that_exceeds(excess, others):
    values = torch.full((300,), others)
    values[0] = 1 + excess
    weight = matrix_with(values, 300, 400).float()
    clip_singular_values_(weight)
    assert singular_values(weight)[0] <= 1 + 3e-6


@pytest.mark.parametrize("largest", [3.0, 30.0, 1e3, 1e5])
def test_badly_scaled_weights_keep_their_small_values(largest):
    weight = matrix_with([largest, 7.0, 1.5, 0.999, 0.5, 1e-3], 40, 70).float()
    expected = singular_values(weight).clamp(max=1)  # of what float32 holds
    clip_singular_values_(weight)
    # To float32's digits of the largest value, which is all that the weight had.
    assert (singular_values(weight) - expected).abs().max() < max(1e-6, 1e-7 * largest)
    exact = matrix_with([largest, 7.0, 1.5, 0.999, 0.5, 1e-3], 40, 70)
    expected = clipped_by_svd(exact)
    clip_singular_values_(exact)
    assert (exact - expected).abs().max() < 1e-9


def test_weights_of_one_sign_and_of_huge_or_tiny_size():
    for weight in (torch.full((64, 4096), 0.1), torch.rand(64, 4096), torch.full((1, 9), 1e25)):
        clip_singular_values_(weight)
        assert abs(singular_values(weight)[0] - 1) < 3e-6
    tiny = torch.full((4, 9), 1e-30)
    clip_singular_values_(tiny)
    assert (tiny == 1e-30).all()


def test_a_weight_of_zeros_stays():
    weight = torch.zeros(8, 20)
    clip_singular_values_([weight, torch.zeros(0, 5)])
    assert (weight == 0).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_weight_that_is_not_finite_is_refused_and_left(bad):
    critic = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    with torch.no_grad():
        critic[1].weight[2, 3] = bad
    before = critic[1].weight.clone()
    with pytest.raises(ValueError, match="layer '1' cannot be clipped: it holds values that"):
        clip_singular_values_(critic)
    assert torch.equal(critic[1].weight.nan_to_num(), before.nan_to_num())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(64, 192), (100, 60), (1, 1000)])
def test_half_precision_weights_end_inside_and_near(dtype, shape):
    weight = (he_initialised(*shape) * 1.5).to(dtype)
    expected = clipped_by_svd(weight)
    clip_singular_values_(weight)
    assert weight.dtype == dtype and singular_values(weight)[0] <= 1 + 1e-5
    spectral_error = singular_values(weight.double() - expected)[0]
    assert spectral_error < 4 * torch.finfo(dtype).eps
    once = weight.clone()
    clip_singular_values_(weight)
    assert torch.equal(weight, once)


@pytest.mark.parametrize("precision", ["medium", "high"])
def test_faster_products_and_mixed_precision_do_not_blur_the_result(precision):
    weight = he_initialised(64, 700)
    expected = clipped_by_svd(weight)
    torch.set_float32_matmul_precision(precision)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            clip_singular_values_(weight)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert (weight - expected).abs().max() < 1e-6


def test_mixed_precision_alone_does_not_blur_the_result():
    weight = he_initialised(64, 700)
    expected = clipped_by_svd(weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        clip_singular_values_(weight)
    assert (weight - expected).abs().max() < 1e-6


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


@pytest.mark.parametrize("maximum", [0, -1.0, math.nan, math.inf])
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
