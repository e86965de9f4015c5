import pytest
import torch
from torch.func import functional_call
from torch.nn import functional

from vidgen import mixed_convolution, one_channel_convolution, quick_convolution
from vidgen.quick_convolution import QuickConv3d, QuickConvTranspose3d
from vidgen.time_mixing import time_mixing
from vidgen.wanted_gradients import is_wanted

# Stride through time, and sizes: whole pieces, a last piece cut short, odd rows, too short to gain.
CONVOLUTIONS = [(1, (7, 8, 8)), (1, (13, 4, 6)), (1, (8, 6, 9)), (2, (16, 4, 6)), (2, (6, 5, 4))]
CONVOLUTIONS += [(1, (4, 4, 4)), (2, (4, 4, 4))]
LAYOUTS = [torch.contiguous_format, torch.channels_last_3d]


def gradients(made, weights, direction):
    return torch.autograd.grad(made, weights, direction)


def assert_same_function(layer, theirs, clips):
    weights = [clips, *layer.parameters()]
    made, expected = layer(clips), theirs(clips)
    assert torch.allclose(made, expected, atol=1e-11)
    direction = torch.randn_like(expected)
    for one, other in zip(
        gradients(made, weights, direction), gradients(expected, weights, direction), strict=True
    ):
        assert torch.allclose(one, other, atol=1e-11)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("stride", "size"), CONVOLUTIONS)
@pytest.mark.parametrize("before", [1, 3, 6])
def test_values_and_gradients_are_those_of_torchs_convolution(stride, size, before, layout):
    torch.manual_seed(0)
    layer = QuickConv3d(before, 7, stride, bias=True).double().to(memory_format=layout)
    clips = torch.randn(2, before, *size, dtype=torch.double).contiguous(memory_format=layout)

    def theirs(clips):
        strides, paddings = (stride, 2, 2), (stride - 1, 1, 1)
        return functional.conv3d(clips, layer.weight, layer.bias, strides, paddings)

    assert_same_function(layer, theirs, clips.requires_grad_())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(4, 4, 4), (8, 3, 2), (3, 4, 4), (2, 4, 4), (1, 4, 4)])
@pytest.mark.parametrize("after", [1, 3, 6])
def test_values_and_gradients_are_those_of_torchs_transposed_convolution(size, after, layout):
    torch.manual_seed(0)
    layer = QuickConvTranspose3d(7, after).double().to(memory_format=layout)
    clips = torch.randn(2, 7, *size, dtype=torch.double).contiguous(memory_format=layout)

    def theirs(clips):
        return functional.conv_transpose3d(clips, layer.weight, layer.bias, 2, 1)

    assert_same_function(layer, theirs, clips.requires_grad_())


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (QuickConv3d(16, 16, 2), (8, 8, 8)),
        (QuickConv3d(16, 16, 1), (16, 8, 8)),
        (QuickConv3d(1, 16, 2), (16, 16, 16)),
        (QuickConvTranspose3d(16, 16, bias=False), (8, 8, 8)),
        (QuickConvTranspose3d(16, 1, bias=False), (8, 8, 8)),
    ],
)
def test_the_layer_behind_may_change_the_output_in_place(monkeypatch, layer, size):
    monkeypatch.setattr(quick_convolution, "_MOST_WEIGHTS", 1e9)
    clips = torch.randn(4, layer.in_channels, *size, requires_grad=True)
    made = [functional.leaky_relu(layer(clips), 0.2, inplace=inplace) for inplace in (False, True)]
    slopes = [torch.autograd.grad(each.square().sum(), [clips, layer.weight]) for each in made]
    assert torch.equal(*made)
    for plain, changed in zip(*slopes, strict=True):
        assert torch.allclose(plain, changed, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("frames", "stride", "padding", "products"),
    [(7, 1, 0, 7), (13, 1, 0, 21), (16, 2, 1, 20), (4, 2, 1, 6)],
)
def test_multiplications_are_as_few_as_the_algorithm_promises(frames, stride, padding, products):
    assert time_mixing(frames, stride, padding).num_multiplications == products


def test_the_quick_way_is_the_one_taken(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("torch's own was called")

    monkeypatch.setattr(functional, "conv3d", refuse)
    QuickConv3d(6, 7)(torch.zeros(1, 6, 7, 8, 8))
    monkeypatch.setattr(functional, "conv_transpose3d", refuse)
    QuickConvTranspose3d(6, 7)(torch.zeros(1, 6, 8, 4, 4))


@pytest.mark.parametrize("layer", [QuickConv3d(64, 128, 2), QuickConvTranspose3d(128, 64)])
def test_large_kernels_of_small_clips_go_torchs_way(layer, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("the quick way was taken")

    # 524,288 weights for 64 times as many pixels in one clip before, or after it, as channels.
    small = (8, 8, 8) if isinstance(layer, QuickConv3d) else (4, 4, 4)
    large = [2 * side for side in small]
    layer(torch.zeros(2, layer.in_channels, *large))
    for way in ("mixed_convolution", "mixed_transposed"):
        monkeypatch.setattr(quick_convolution, way, refuse)
    layer(torch.zeros(1, layer.in_channels, *small))
    with pytest.raises(AssertionError, match="quick way"):
        layer(torch.zeros(2, layer.in_channels, *large))


def test_half_precision_goes_torchs_way():
    layer, clips = QuickConv3d(6, 7), torch.randn(1, 6, 7, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        made = layer(clips)
        expected = functional.conv3d(clips, layer.weight, None, (1, 2, 2), (0, 1, 1))
    assert made.dtype == torch.bfloat16
    assert torch.equal(made, expected)


SECOND = [(QuickConv3d(5, 5, 1), (5, 6, 2, 2)), (QuickConv3d(5, 5, 2), (5, 6, 2, 3))]
SECOND += [(QuickConvTranspose3d(5, 5), (5, 4, 1, 2))]
SECOND += [(QuickConv3d(1, 2, 2), (1, 4, 2, 3)), (QuickConvTranspose3d(2, 1), (2, 2, 1, 2))]


@pytest.mark.parametrize(("layer", "shape"), SECOND)
def test_second_derivatives_agree_with_finite_differences(layer, shape):
    torch.manual_seed(0)
    # Kernels too, but few of their numbers: those of 5 to 5 channels are 1,600.
    weight = torch.randn(layer.weight.shape, dtype=torch.double)
    few = torch.randn(3, dtype=torch.double, requires_grad=True)
    ways = torch.randn(3, *weight.shape, dtype=torch.double)
    clips = torch.randn(2, *shape, dtype=torch.double, requires_grad=True)

    def made(clips, few):
        changed = weight + torch.tensordot(few, ways, 1)
        bias = {} if layer.bias is None else {"bias": torch.zeros(len(layer.bias)).double()}
        return functional_call(layer, {"weight": changed, **bias}, clips)

    assert torch.autograd.gradcheck(made, (clips, few))
    assert torch.autograd.gradgradcheck(made, (clips, few), fast_mode=True)


@pytest.mark.parametrize("layer", [QuickConv3d(6, 7), QuickConv3d(1, 7, 2)])
def test_a_penalty_does_not_pay_for_gradients_of_kernels(layer, monkeypatch):
    clips = torch.randn(1, layer.in_channels, 7, 8, 8, requires_grad=True)
    scores = layer(clips).square().sum()
    asked = []

    def watched(context, index):
        asked.append(is_wanted(context, index))
        return asked[-1]

    for module in (mixed_convolution, one_channel_convolution):
        monkeypatch.setattr(module, "is_wanted", watched)
    torch.autograd.grad(scores, clips, create_graph=True)
    assert asked == [True, False]
    asked.clear()
    layer(clips).square().sum().backward()
    assert asked == [True, True]


# Several clips at once or one by one, and parts of which the last is smaller.
@pytest.mark.parametrize("numbers", [1, 2**13])
def test_clips_that_go_through_in_parts_are_those_that_go_together(numbers, monkeypatch):
    torch.manual_seed(0)
    for layer in (
        QuickConv3d(6, 5, 2),
        QuickConvTranspose3d(6, 5, bias=False),
        QuickConv3d(1, 5, 2),
        QuickConvTranspose3d(5, 1, bias=False),
    ):
        layer = layer.double()
        clips = torch.randn(5, layer.in_channels, 8, 6, 6, dtype=torch.double, requires_grad=True)
        made = layer(clips)
        direction = torch.randn_like(made)
        expected = gradients(made, [clips, layer.weight], direction)
        with monkeypatch.context() as patch:
            for module in (mixed_convolution, one_channel_convolution):
                patch.setattr(module, "_NUMBERS_AT_ONCE", numbers)
            again = layer(clips)
            found = gradients(again, [clips, layer.weight], direction)
        assert torch.allclose(again, made, atol=1e-12)
        for one, other in zip(found, expected, strict=True):
            assert torch.allclose(one, other, atol=1e-11)


@pytest.mark.parametrize(("stride", "frames"), [(1, 7), (1, 13), (2, 16)])
def test_single_precision_stays_near_the_exact_value(stride, frames):
    torch.manual_seed(0)
    layer, clips = QuickConv3d(64, 16, stride), torch.randn(2, 64, frames, 8, 8)
    exact = layer.double()(clips.double())
    apart = (layer.float()(clips) - exact).abs().max()
    assert apart < 3e-5  # sums of 4,096 products near 1


# The layers of 3D-GAN at 64 voxels a side; a batch that mixes where mixing pays.
NETWORKS = [(1, 64, 64, 1), (64, 128, 32, 1), (128, 256, 16, 4), (256, 512, 8, 4)]


@pytest.mark.parametrize(("few", "many", "side", "batch"), NETWORKS)
@pytest.mark.parametrize("transposed", [False, True])
def test_single_precision_of_full_size_layers_and_gradients(few, many, side, batch, transposed):
    torch.manual_seed(0)
    if transposed:
        layer, small = QuickConvTranspose3d(many, few, bias=False), side // 2
        volumes = torch.randn(batch, many, small, small, small)
        theirs = functional.conv_transpose3d
    else:
        layer = QuickConv3d(few, many, 2)
        volumes = torch.randn(batch, few, side, side, side)
        theirs = functional.conv3d
    volumes = volumes.contiguous(memory_format=torch.channels_last_3d).requires_grad_()
    exact_weight = layer.weight.detach().double().requires_grad_()
    exact_volumes = volumes.detach().double().requires_grad_()
    made = layer(volumes)
    expected = theirs(exact_volumes, exact_weight, None, 2, 1)
    direction = torch.randn_like(made)
    found = [made, *gradients(made, [volumes, layer.weight], direction)]
    exact = [expected, *gradients(expected, [exact_volumes, exact_weight], direction.double())]
    for one, other in zip(found, exact, strict=True):
        # Up to 262,144 products are added; mixing rounds a few times as much as adding does.
        assert (one - other).abs().max() < 1e-5 * other.abs().max()


def test_a_first_use_in_inference_does_not_spoil_training():
    time_mixing.cache_clear()
    layer, clips = QuickConv3d(5, 5).double(), torch.randn(1, 5, 7, 4, 4, dtype=torch.double)
    with torch.inference_mode():
        layer(clips)
    layer(clips.requires_grad_()).sum().backward()
    assert clips.grad is not None and clips.grad.abs().sum() > 0
