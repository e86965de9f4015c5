import pytest
import torch
from torch.nn import functional

from vidgen.quick_convolution import QuickConv3d


def torchs(convolution, clips):
    return functional.conv3d(clips, convolution.weight, None, (1, 2, 2), (0, 1, 1))


# A road each: folded pixels, one matrix product, torch's own, torch's own for odd sizes.
CASES = [(3, 5, 6, 16, 12), (6, 7, 5, 8, 8), (6, 7, 5, 12, 8), (3, 5, 4, 9, 16)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_values_and_gradients_are_those_of_torch(case, layout):
    torch.manual_seed(0)
    before, after, *size = case
    convolution = QuickConv3d(before, after).double()
    convolution.weight.data = convolution.weight.data.contiguous(memory_format=layout)
    clips = torch.randn(2, before, *size, dtype=torch.double).contiguous(memory_format=layout)
    clips.requires_grad_()
    ours, theirs = convolution(clips), torchs(convolution, clips)
    assert torch.allclose(ours, theirs, atol=1e-12)
    direction = torch.randn_like(theirs)
    both = [clips, convolution.weight]
    for one, other in zip(
        torch.autograd.grad(ours, both, direction),
        torch.autograd.grad(theirs, both, direction),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("before", [1, 5])  # folded pixels, one matrix product
def test_second_derivatives_agree_with_finite_differences(before):
    torch.manual_seed(0)
    convolution = QuickConv3d(before, 1).double()
    clips = torch.randn(1, before, 4, 4, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(convolution, clips)
    assert torch.autograd.gradgradcheck(convolution, clips)


def test_single_precision_stays_near_the_exact_value():
    torch.manual_seed(0)
    convolution, clips = QuickConv3d(64, 16), torch.randn(2, 64, 7, 8, 8)
    exact = torchs(convolution.double(), clips.double())
    apart = (convolution.float()(clips) - exact).abs().max()
    assert apart < 1e-5  # sums of 4,096 products near 1
