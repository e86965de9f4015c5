"""Convolutions of clips that need fewer multiplications through time, and those of one channel.

The layers have torch's weights and make torch's numbers but for rounding; where neither way gains,
they are torch's. Which layers gain is told in docs/performance.md.
"""

from __future__ import annotations

from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidgen.mixed_convolution import mixed_convolution, mixed_transposed
from vidgen.one_channel_convolution import from_one_channel, to_one_channel
from vidgen.time_mixing import TAPS, Mixing, time_mixing

_FEW_CHANNELS = 4
_MOST_WEIGHTS = 6  # for each number before and after; to mix more costs more than is saved
_MOST_PRODUCTS = 0.7  # of torch's multiplications; with more than that nothing was gained


def _pays(input: Tensor, layer: nn.Conv3d | nn.ConvTranspose3d, mixing: Mixing) -> bool:
    """Whether the mixing gains more than it costs, and rounds no worse than torch."""
    if not _is_plain(input):
        return False
    if min(layer.in_channels, layer.out_channels) <= _FEW_CHANNELS:
        return False
    numbers = input.numel() * (1 + layer.out_channels * _growth(layer) / layer.in_channels)
    if layer.weight.numel() > _MOST_WEIGHTS * numbers:
        return False
    return mixing.num_multiplications <= _MOST_PRODUCTS * TAPS * mixing.num_after


def _is_plain(input: Tensor) -> bool:
    """Elsewhere than on a CPU torch's kernels are faster; in half precision mixing is too rough."""
    return input.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def _growth(layer: nn.Conv3d | nn.ConvTranspose3d) -> float:
    """Pixels of all moments after a layer for each one before it."""
    times = float(prod(layer.stride))
    return times if isinstance(layer, nn.ConvTranspose3d) else 1 / times


class QuickConv3d(nn.Conv3d):
    """A convolution with kernel 4 that halves height and width, with padding 1.

    The same weights and the same sums as torch's, in another order. Off the CPU it is torch's.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        time_stride: 2 halves time too, with padding 1; 1 shortens it by 3.
        bias: Add a bias.
    """

    def __init__(
        self, in_channels: int, out_channels: int, time_stride: int = 1, bias: bool = False
    ) -> None:
        stride, padding = (time_stride, 2, 2), (time_stride - 1, 1, 1)
        super().__init__(in_channels, out_channels, 4, stride, padding, bias=bias)

    def forward(
        self, input: Float[Tensor, "batch before time height width"]
    ) -> Float[Tensor, "batch after later half_height half_width"]:
        """Height and width are halved."""
        mixing = time_mixing(input.shape[2], self.stride[0], self.padding[0])
        if _pays(input, self, mixing):
            made = mixed_convolution(input, self.weight, mixing)
        elif self.in_channels == 1 and self.stride[0] == 2 and _is_plain(input):
            made = from_one_channel(input, self.weight)
        else:
            return super().forward(input)
        return made if self.bias is None else made + self.bias.view(-1, 1, 1, 1)


class QuickConvTranspose3d(nn.ConvTranspose3d):
    """A transposed convolution with kernel 4 that doubles time, height and width, with padding 1.

    The same weights and the same sums as torch's, in another order. Off the CPU it is torch's.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        bias: Add a bias.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 4, 2, 1, bias=bias)

    def forward(
        self,
        input: Float[Tensor, "batch before time height width"],
        output_size: list[int] | None = None,
    ) -> Float[Tensor, "batch after double_time double_height double_width"]:
        """Time, height and width are doubled."""
        mixing = time_mixing(2 * input.shape[2], 2, 1)
        if output_size is None and _pays(input, self, mixing):
            made = mixed_transposed(input, self.weight, mixing)
        elif output_size is None and self.out_channels == 1 and _is_plain(input):
            made = to_one_channel(input, self.weight)
        else:
            return super().forward(input, output_size)
        return made if self.bias is None else made + self.bias.view(-1, 1, 1, 1)
