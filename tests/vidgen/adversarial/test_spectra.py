"""Clipping one weight gives the full SVD's result and leaves alone what is inside."""

import math

import pytest
import torch

from vidgen.adversarial.constraints import clip_singular_values_, singular_values
from vidgen.adversarial.spectra import _first_precision


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
        assert _first_precision(weight) == torch.float64  # not every CPU has the faster products
        with torch.autocast("cpu", dtype=torch.bfloat16):
            clip_singular_values_(weight)
    finally:
        torch.set_float32_matmul_precision("highest")
    assert (weight - expected).abs().max() < 1e-6
