"""TGAN's temporal generator."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidgen.trajectories.deconvolution import TemporalDeconvolution


def shapes(network: nn.Module, kind: type[nn.Module], latent: torch.Tensor) -> list[tuple]:
    seen: list[tuple] = []
    for layer in network.modules():
        if isinstance(layer, kind):
            layer.register_forward_hook(lambda m, i, output: seen.append(tuple(output.shape[1:])))
    network(latent)
    return seen


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_every_layer_has_the_shape_and_the_weights_of_table_1():
    network = TemporalDeconvolution(shift=True)
    assert shapes(network, nn.ConvTranspose1d, torch.zeros(2, 100)) == [
        (512, 1),
        (256, 2),
        (128, 4),
        (128, 8),
        (100, 16),
    ]
    counts = [parameters(layer) for layer in network.layers if parameters(layer)]
    assert counts == [51_712, 1_024, 524_544, 512, 131_200, 256, 65_664, 256, 51_300]
    assert parameters(network) == 826_468
    assert parameters(TemporalDeconvolution()) == 825_444
    assert parameters(TemporalDeconvolution(201, shift=True)) == 878_180
    assert parameters(TemporalDeconvolution(201)) == 877_156


@pytest.mark.parametrize(
    ("num_frames", "widths"),
    [
        (1, []),
        (2, [512]),
        (4, [512, 256]),
        (8, [512, 256, 128]),
        (32, [512, 256, 128, 128, 128]),
    ],
)
def test_other_lengths_continue_the_table(num_frames: int, widths: list[int]):
    network = TemporalDeconvolution(num_frames=num_frames)
    expected = [(width, 2**level) for level, width in enumerate(widths)] + [(100, num_frames)]
    assert shapes(network, nn.ConvTranspose1d, torch.zeros(3, 100)) == expected
    assert network(torch.zeros(3, 100)).shape == (3, num_frames, 100)
    assert (network.num_frames, network.frame_dim) == (num_frames, 100)


def test_time_is_the_axis_that_the_kernels_move_along():
    """The last layer with the identity in its taps: each moment shows its channels."""
    network = TemporalDeconvolution(2, 3, 4, width=12).eval()
    last = network.layers[-2]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
        last.weight[:, 2, 1:3] = 1.0  # only latent 2 hears anything
    trajectory = network(torch.randn(5, 2))
    torch.testing.assert_close(trajectory[:, :, 0], torch.tensor(0.1).tanh().expand(5, 4))
    torch.testing.assert_close(trajectory[:, :, 1], torch.tensor(0.2).tanh().expand(5, 4))
    torch.testing.assert_close(trajectory[:, ::2, 2], trajectory[:, 1::2, 2])
    assert trajectory[:, :, 2].std(dim=1).min() > 0


def test_latents_are_bounded_and_videos_do_not_mix_in_evaluation():
    torch.manual_seed(0)
    network = TemporalDeconvolution(4, 5, 8, width=16).eval()
    latent = 50 * torch.randn(3, 4)
    trajectory = network(latent)
    assert trajectory.abs().max() <= 1
    torch.testing.assert_close(network(latent[1:2]), trajectory[1:2])


def test_batch_norms_have_the_codes_epsilon_and_no_offset_unless_asked():
    for shift in (True, False):
        norms = [m for m in TemporalDeconvolution(shift=shift).layers if hasattr(m, "eps")]
        assert len(norms) == 4
        assert all(norm.eps == 2e-5 and norm.momentum == 0.1 for norm in norms)
        assert all(isinstance(norm.weight, nn.Parameter) for norm in norms)
        assert all((norm.bias is not None) == shift for norm in norms)


@pytest.mark.parametrize("num_frames", [0, -2, 3, 12, 2**40 + 1])
def test_a_length_that_is_no_power_of_two_is_refused(num_frames: int):
    with pytest.raises(ValueError, match=f"num_frames is {num_frames}"):
        TemporalDeconvolution(num_frames=num_frames)


def test_a_width_that_cannot_be_halved_twice_is_refused():
    with pytest.raises(ValueError, match="width is 3"):
        TemporalDeconvolution(width=3)
