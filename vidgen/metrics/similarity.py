"""PSNR, SSIM and MS-SSIM: how alike two clips are, frame by frame.

Sources: Wang et al. (2004) for SSIM, Wang et al. (2003) for MS-SSIM; TGANv2 (Saito et al., 2020),
§5.6, between its levels; ProGAN (Karras et al., 2018), §6.1, for the diversity of samples. Frames
are in [-1, 1]: the range of the data is 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, interpolate

DATA_RANGE = 2.0
WINDOW, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def psnr_per_frame(
    first: Float[Tensor, "batch channel time height width"],
    second: Float[Tensor, "batch channel time height width"],
) -> Float64[Tensor, "batch time"]:
    """Peak signal to noise ratio in dB of each frame; infinite for equal ones."""
    error = (first.double() - second.double()).square().mean(dim=(1, 3, 4))
    return 10 * (DATA_RANGE**2 / error).log10()


def ssim_per_frame(
    first: Float[Tensor, "batch channel time height width"],
    second: Float[Tensor, "batch channel time height width"],
) -> Float64[Tensor, "batch time"]:
    """Structural similarity of each frame, channels averaged; 1 for equal ones.

    Windows are whole ones only, as in the authors' code; frames smaller than 11 pixels get a
    smaller window.
    """
    batch, _, num_frames = first.shape[:3]
    luminance, contrast = _similarity_maps(_images(first), _images(second))
    return (luminance * contrast).mean(dim=(1, 2, 3)).view(batch, num_frames)


def ms_ssim_per_frame(
    first: Float[Tensor, "batch channel time height width"],
    second: Float[Tensor, "batch channel time height width"],
    weights: Sequence[float] = SCALE_WEIGHTS,
) -> Float64[Tensor, "batch time"]:
    """SSIM over scales, each half as large: contrast at all of them, luminance at the last.

    Frames below 176 pixels have smaller windows at the last scales; a mean contrast below 0 counts
    as 0, since its power would be no number.

    Raises:
        ValueError: The frames are too small to be halved so often.
    """
    ours, theirs = _images(first), _images(second)
    if min(ours.shape[-2:]) < 2 ** (len(weights) - 1):
        raise ValueError(
            f"frames of {tuple(ours.shape[-2:])} have fewer than {len(weights)} scales"
        )
    product = torch.ones(len(ours), dtype=torch.float64, device=ours.device)
    for scale, weight in enumerate(weights):
        luminance, contrast = _similarity_maps(ours, theirs)
        last = scale == len(weights) - 1
        term = (luminance * contrast if last else contrast).mean(dim=(1, 2, 3))
        product = product * term.clamp(min=0) ** weight
        if not last:
            ours, theirs = avg_pool2d(ours, 2), avg_pool2d(theirs, 2)
    return product.view(first.shape[0], first.shape[2])


def enlarged_to(
    coarse: Float[Tensor, "batch channel time height width"], size: tuple[int, int]
) -> Float[Tensor, "batch channel time large wide"]:
    """A coarse level's clip at another level's height and width, bilinearly."""
    batch = len(coarse)
    frames = interpolate(_frames(coarse), size, mode="bilinear", align_corners=False)
    return frames.unflatten(0, (batch, -1)).transpose(1, 2)


def mean_and_interval(
    values: Float[Tensor, "clip time"],
) -> tuple[Float64[Tensor, " time"], Float64[Tensor, " time"]]:
    """Mean over clips at each time, and half the width of its 95 % interval, 1.96 std / √n."""
    values = values.double()
    return values.mean(dim=0), 1.96 * values.std(dim=0) / len(values) ** 0.5


def _frames(clips: Tensor) -> Float[Tensor, "frame channel height width"]:
    return clips.transpose(1, 2).flatten(0, 1)


def _images(clips: Tensor) -> Float64[Tensor, "frame channel height width"]:
    return _frames(clips).double()


def _similarity_maps(
    first: Float64[Tensor, "frame channel height width"],
    second: Float64[Tensor, "frame channel height width"],
) -> tuple[Float64[Tensor, "frame channel rows columns"], ...]:
    """Luminance, and contrast times structure, at each place of the window."""
    kernels = _gaussian_kernels(first.shape[-2:], first.device)
    # From 0 to 2: the luminance term is one of brightness, which has no sign.
    first, second = first + 1, second + 1
    c1, c2 = (0.01 * DATA_RANGE) ** 2, (0.03 * DATA_RANGE) ** 2
    mean_1, mean_2 = _blurred(first, kernels), _blurred(second, kernels)
    variance_1 = _blurred(first * first, kernels) - mean_1**2
    variance_2 = _blurred(second * second, kernels) - mean_2**2
    covariance = _blurred(first * second, kernels) - mean_1 * mean_2
    luminance = (2 * mean_1 * mean_2 + c1) / (mean_1**2 + mean_2**2 + c1)
    return luminance, (2 * covariance + c2) / (variance_1 + variance_2 + c2)


def _gaussian_kernels(size: torch.Size, device: torch.device) -> list[Tensor]:
    """Vertical and horizontal weights; σ shrinks with the window, as in ProGAN's code."""
    window = min(WINDOW, *size)
    places = torch.arange(window, dtype=torch.float64, device=device) - (window - 1) / 2
    weights = (-0.5 * (places / (SIGMA * window / WINDOW)) ** 2).exp()
    weights = weights / weights.sum()
    return [weights.view(1, 1, -1, 1), weights.view(1, 1, 1, -1)]


def _blurred(images: Tensor, kernels: Sequence[Tensor]) -> Tensor:
    single = images.flatten(0, 1).unsqueeze(1)
    for kernel in kernels:
        single = conv2d(single, kernel)
    return single.view(*images.shape[:2], *single.shape[-2:])
