"""VGAN's generators: a moving foreground, its mask and a still background, decoded side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from vidgen.adversarial.blocks import batch_norm
from vidgen.discriminators import clip_levels, image_levels
from vidgen.quick_convolution import QuickConvTranspose3d

BOTTOM_SIZE = 4


class ForegroundStream(nn.Module):
    """A 3-D DCGAN generator that stops before the last activation.

    Source: VGAN (Vondrick et al., 2016), §2.1, at 32 frames of 64 pixels, from a latent of 100:
    100×1×1×1 → 512×2×4×4 → 256×4×8×8 → 128×8×16×16 → 64×16×32×32 → outputs×32×64×64.

    Args:
        source_channels: Channels of the map that is decoded.
        source_size: Its height and width: 1 for a latent, 4 for an image encoder's map.
        outputs: Channels of the last layer.
        num_frames: Frames of a clip.
        frame_size: Height and width of a frame.
        width: Channels before the last layer; doubled by each layer towards the source.
    """

    def __init__(
        self,
        source_channels: int,
        source_size: int,
        outputs: int,
        num_frames: int,
        frame_size: int,
        width: int,
    ) -> None:
        super().__init__()
        levels, bottom_frames = clip_levels(num_frames, frame_size)
        bottom_channels = width * 2 ** (levels - 1)
        space = BOTTOM_SIZE // source_size
        kernel = (bottom_frames, space, space)
        self.layers = nn.Sequential(
            nn.ConvTranspose3d(source_channels, bottom_channels, kernel),
            *_normalized(3, bottom_channels),
            *_doublings(3, width, levels, outputs),
        )

    def forward(
        self, source: Float[Tensor, "batch source_channel source_height source_width"]
    ) -> Float[Tensor, "batch channel time height width"]:
        """Unbounded values; the source gets a time axis of 1."""
        return self.layers(source.unsqueeze(2))


class BackgroundStream(nn.Module):
    """A DCGAN image generator.

    Source: VGAN (Vondrick et al., 2016), §2.1, at 64 pixels:
    100×1×1 → 512×4×4 → 256×8×8 → 128×16×16 → 64×32×32 → 3×64×64, tanh.
    A map of 4×4 skips the first step.

    Args:
        source_channels: Channels of the map that is decoded.
        source_size: Its height and width, 1 or 4.
        channels: Colours of the image.
        levels: Layers that double height and width, the last included.
        width: Channels before the last layer; doubled by each layer towards the source.
    """

    def __init__(
        self, source_channels: int, source_size: int, channels: int, levels: int, width: int
    ) -> None:
        super().__init__()
        bottom_channels = width * 2 ** (levels - 1)
        bottom: list[nn.Module] = []
        if source_size == 1:
            bottom = [
                nn.ConvTranspose2d(source_channels, bottom_channels, BOTTOM_SIZE),
                *_normalized(2, bottom_channels),
            ]
        self.layers = nn.Sequential(*bottom, *_doublings(2, width, levels, channels), nn.Tanh())

    def forward(
        self, source: Float[Tensor, "batch source_channel source_height source_width"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Images in (-1, 1)."""
        return self.layers(source)


class OneStreamGenerator(nn.Module):
    """The foreground stream alone, with tanh: VGAN's one-stream architecture.

    Args:
        source_channels: Channels of the map that is decoded.
        source_size: Its height and width, 1 or 4.
        clip_shape: (channel, time, height, width) of a clip.
        width: Channels before the last layer.
    """

    def __init__(
        self, source_channels: int, source_size: int, clip_shape: Sequence[int], width: int
    ) -> None:
        super().__init__()
        channels, num_frames, frame_size, _ = clip_shape
        self.foreground = ForegroundStream(
            source_channels, source_size, channels, num_frames, frame_size, width
        )

    def forward(
        self, source: Float[Tensor, "batch source_channel source_height source_width"]
    ) -> dict[str, Float[Tensor, "batch channel time height width"]]:
        """The `video` in (-1, 1)."""
        return {"video": torch.tanh(self.foreground(source))}


class TwoStreamGenerator(nn.Module):
    """A moving foreground shown through a mask before a background that stands still.

    The colours of the foreground and the mask share all layers but the last. Their two last layers
    are one here, with the mask for its last channel: the same weights, but a transposed
    convolution to four channels costs hardly more than one to three.

    Args:
        source_channels: Channels of the map that is decoded.
        source_size: Its height and width, 1 or 4.
        clip_shape: (channel, time, height, width) of a clip.
        width: Channels before the last layer.
    """

    def __init__(
        self, source_channels: int, source_size: int, clip_shape: Sequence[int], width: int
    ) -> None:
        super().__init__()
        channels, num_frames, frame_size, _ = clip_shape
        levels = image_levels(frame_size)
        self.foreground = ForegroundStream(
            source_channels, source_size, channels + 1, num_frames, frame_size, width
        )
        self.background = BackgroundStream(source_channels, source_size, channels, levels, width)

    def forward(
        self, source: Float[Tensor, "batch source_channel source_height source_width"]
    ) -> dict[str, Float[Tensor, "batch channel time height width"]]:
        """`video`, `foreground` and `background` in (-1, 1), `mask` of one channel in (0, 1).

        The background has as many frames as the video, which are one and the same in memory.
        """
        moving = self.foreground(source)
        foreground, mask = torch.tanh(moving[:, :-1]), torch.sigmoid(moving[:, -1:])
        background = self.background(source).unsqueeze(2).expand_as(foreground)
        # Equation 2, m·f + (1 - m)·b; lerp gives b and f to the last bit where m is 0 and 1.
        video = torch.lerp(background, foreground, mask)
        return {
            "video": video,
            "foreground": foreground,
            "mask": mask,
            "background": background,
        }


class ImageEncoder(nn.Module):
    """An image → the map that the streams decode, for clips that begin with a given image.

    Source: VGAN (Vondrick et al., 2016), §4.3 and the authors' code, at 64 pixels. Without
    `code_dim`, the code's: 3×64×64 → 128×32×32 → 256×16×16 → 512×8×8 → 1024×4×4 (`width` 128).
    With it, the article's five layers: the same at `width` 64, then → code_dim×1×1.

    Args:
        channels: Colours of the image.
        frame_size: Height and width of the image.
        width: Channels of the first layer; doubled by each.
        code_dim: Size of the code; `None` stops at the map of 4×4.
        epsilon: Of the BatchNorms.
    """

    def __init__(
        self,
        channels: int,
        frame_size: int,
        width: int,
        code_dim: int | None = None,
        epsilon: float = 1e-3,
    ) -> None:
        super().__init__()
        levels = image_levels(frame_size)
        widths = [width * 2**level for level in range(levels)]
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.ReLU(inplace=True)]
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, 2, 1), *_normalized(2, after, epsilon)]
        if code_dim is not None:
            layers.append(nn.Conv2d(widths[-1], code_dim, BOTTOM_SIZE))
        self.layers = nn.Sequential(*layers)
        self.out_channels = widths[-1] if code_dim is None else code_dim
        self.out_size = BOTTOM_SIZE if code_dim is None else 1

    def forward(
        self, images: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch out_channel out_height out_width"]:
        """Maps that a stream of the same `source_channels` and `source_size` decodes."""
        return self.layers(images)


def _normalized(dimensions: int, channels: int, epsilon: float = 1e-5) -> list[nn.Module]:
    return [batch_norm(dimensions, channels, epsilon=epsilon), nn.ReLU(inplace=True)]


def _doublings(dimensions: int, width: int, levels: int, outputs: int) -> list[nn.Module]:
    """Transposed convolutions that double every axis; the last has neither norm nor activation."""
    deconvolution = (
        QuickConvTranspose3d
        if dimensions == 3
        else partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1)
    )
    widths = [width * 2**level for level in reversed(range(levels))]
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [deconvolution(before, after), *_normalized(dimensions, after)]
    return [*layers, deconvolution(widths[-1], outputs)]


def initialize_streams_(module: nn.Module) -> None:
    """The authors' initialisation: weights N(0, 0.01²), BatchNorm scales N(1, 0.02²), rest 0.

    The article gives N(0, 0.01²) for all; scales near 0 would let no signal through.
    """
    for part in module.modules():
        if isinstance(part, _ConvNd):
            nn.init.normal_(part.weight, std=0.01)
        elif isinstance(part, _BatchNorm):
            nn.init.normal_(part.weight, mean=1.0, std=0.02)
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)
