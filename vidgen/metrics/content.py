"""Average content distance (ACD): how much what is shown changes within a clip.

Source: MoCoGAN (Tulyakov et al., CVPR 2018), §4.1. 0 for a still clip; blind to the order of the
frames, and to what a clip shows.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

# The article does not say how the shape is found; its background is black.
SHAPE_THRESHOLD = 25.0


def average_content_distance(
    vectors: Float[Tensor, "batch time feature"],
) -> Float64[Tensor, " batch"]:
    """ACD of each clip: the mean distance over all pairs of its frames' vectors.

    2/(T(T-1)) Σ_{i<j} ‖v_i - v_j‖₂.

    Raises:
        ValueError: A clip has fewer than two frames.
    """
    num_frames = vectors.shape[1]
    if num_frames < 2:
        raise ValueError(f"a clip of {num_frames} frames has no pair of frames to compare")
    first, second = torch.triu_indices(num_frames, num_frames, offset=1).to(vectors.device)
    vectors = vectors.double()
    return (vectors[:, first] - vectors[:, second]).norm(dim=2).mean(dim=1)


def shape_colors(
    clips: Float[Tensor, "batch channel time height width"], threshold: float = SHAPE_THRESHOLD
) -> tuple[Float64[Tensor, "batch time channel"], Int64[Tensor, " batch"]]:
    """Mean color of the shape in each frame, and how many frames of each clip show none.

    Args:
        clips: In [-1, 1].
        threshold: A pixel is the shape's where its brightest channel is above it, of 255.

    Returns:
        Colors from 0 to 255, 0 in a frame without a shape; numbers of such frames.
    """
    levels = (clips.double() + 1) * 127.5
    shape = (levels.amax(dim=1, keepdim=True) > threshold).double()
    num_pixels = shape.sum(dim=(3, 4))  # (batch, 1, time)
    colors = (levels * shape).sum(dim=(3, 4)) / num_pixels.clamp(min=1)
    return colors.transpose(1, 2), (num_pixels[:, 0] == 0).sum(dim=1)
