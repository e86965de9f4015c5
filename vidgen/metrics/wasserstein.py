"""Sliced Wasserstein distance between small patches, scale by scale; no trained network needed.

Source: ProGAN (Karras et al., 2018), §5 and the authors' code. Patches of 7 x 7 of a Laplacian
pyramid, of frames or of slices through space and time, so that motion counts too. Blind to what is
larger than a patch at the coarsest scale.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, pad

PATCH = 7
COARSEST = 16
NUM_PROJECTIONS = 512
_BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)


def laplacian_pyramid(
    images: Float[Tensor, "image channel height width"], coarsest: int = COARSEST
) -> list[Tensor]:
    """What each scale adds to the next coarser one, and last the coarsest image itself.

    Halved while both sides are even and the halves at least `coarsest`.
    """
    levels = []
    while all(side % 2 == 0 and side // 2 >= coarsest for side in images.shape[-2:]):
        smaller = _blurred(images)[..., ::2, ::2]
        levels.append(images - doubled(smaller))
        images = smaller
    return [*levels, images]


def doubled(
    images: Float[Tensor, "image channel height width"],
) -> Float[Tensor, "image channel large wide"]:
    """Images of twice the sides: zeros between the pixels, blurred, times 4."""
    height, width = images.shape[-2:]
    sparse = images.new_zeros(*images.shape[:2], 2 * height, 2 * width)
    sparse[..., ::2, ::2] = images
    return 4 * _blurred(sparse)


def random_patches(
    images: Float[Tensor, "image channel height width"],
    count: int,
    generator: torch.Generator,
    size: int = PATCH,
) -> Float[Tensor, "image count channel size size"]:
    """As many patches of each image, at random places, image by image.

    Raises:
        ValueError: An image is smaller than a patch.
    """
    height, width = images.shape[-2:]
    if min(height, width) < size:
        raise ValueError(f"images of {height} x {width} hold no patch of {size} x {size}")
    windows = images.unfold(2, size, 1).unfold(3, size, 1)  # (image, channel, row, column, 7, 7)
    patches = []
    for window in windows:
        rows = torch.randint(height - size + 1, (count,), generator=generator)
        columns = torch.randint(width - size + 1, (count,), generator=generator)
        patches.append(window[:, rows, columns].transpose(0, 1))
    return torch.stack(patches)


def standardized(
    patches: Float[Tensor, "patch channel rows columns"],
) -> Float[Tensor, "patch feature"]:
    """Flat patches, each channel with mean 0 and standard deviation 1 over the whole set.

    A channel without any variation stays 0.
    """
    mean = patches.mean(dim=(0, 2, 3), keepdim=True)
    spread = patches.std(dim=(0, 2, 3), keepdim=True, correction=0)
    return ((patches - mean) / torch.where(spread > 0, spread, 1.0)).flatten(1)


def sliced_wasserstein(
    first: Float[Tensor, "row feature"],
    second: Float[Tensor, "row feature"],
    num_projections: int = NUM_PROJECTIONS,
    seed: int = 0,
) -> float:
    """Mean distance between the sorted projections on random directions.

    Args:
        first: Points.
        second: As many of the other set.
        num_projections: Number of directions, of length 1.
        seed: Draws them.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(first.shape[1], num_projections, generator=generator)
    directions = (directions / directions.norm(dim=0)).to(first)
    # Some at a time: all projections of 65,536 patches would take 134 MB a set.
    distances = [
        ((first @ some).sort(dim=0).values - (second @ some).sort(dim=0).values).abs().mean(dim=0)
        for some in directions.split(64, dim=1)
    ]
    return float(torch.cat(distances).double().mean())


def space_time_slices(
    clips: Float[Tensor, "batch channel time height width"], rows: list[int]
) -> Float[Tensor, "batch channel time width"]:
    """One row of each clip's pixels over time, as an image."""
    return torch.stack([clip[:, :, row] for clip, row in zip(clips, rows, strict=True)])


def _blurred(images: Tensor) -> Tensor:
    """Filtered by [1 4 6 4 1] / 16 along both axes, mirrored at the border."""
    weights = torch.tensor(_BINOMIAL, dtype=images.dtype, device=images.device) / 16
    single = images.flatten(0, 1).unsqueeze(1)
    single = pad(single, (2, 2, 2, 2), mode="reflect")
    single = conv2d(conv2d(single, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
    return single.view_as(images)
