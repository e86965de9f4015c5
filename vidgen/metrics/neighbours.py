"""The training clips nearest to generated ones: is the model a memory?

Sources: 3D-GAN (Wu et al., 2016), §4.1; BigGAN (Brock et al., 2019), appendix A.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64, Int64, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool3d

_FRAMES, _SIDE = 8, 16
_ROWS_AT_ONCE = 256


def thumbnails(
    clips: Float[Tensor, "batch channel time height width"],
) -> Float[Tensor, "batch feature"]:
    """Each clip as at most 8 frames of 16 x 16, flat: near is what looks alike from afar."""
    size = (
        min(_FRAMES, clips.shape[2]),
        min(_SIDE, clips.shape[3]),
        min(_SIDE, clips.shape[4]),
    )
    return adaptive_avg_pool3d(clips.float(), size).flatten(1)


def nearest(
    queries: Float[Tensor, "query feature"], known: Float[Tensor, "row feature"]
) -> tuple[Int64[Tensor, " query"], Float64[Tensor, " query"]]:
    """Row of the nearest known feature for each query, and its Euclidean distance."""
    rows, distances = [], []
    for some in queries.double().split(_ROWS_AT_ONCE):
        found = torch.cdist(some, known.double(), compute_mode="donot_use_mm_for_euclid_dist").min(
            dim=1
        )
        rows.append(found.indices)
        distances.append(found.values)
    return torch.cat(rows), torch.cat(distances)


def memorisation_ratio(
    generated_distances: Float[Tensor, " generated"], test_distances: Float[Tensor, " test"]
) -> float:
    """Median distance of generated clips to the training set over that of real test clips.

    0 for copies, about 1 for clips as new as those of the test set.
    """
    return float(generated_distances.double().median() / test_distances.double().median())


def side_by_side(
    generated: UInt8[Tensor, "count channel time height width"],
    neighbours: UInt8[Tensor, "count channel time height width"],
) -> UInt8[Tensor, "both channel time height width"]:
    """Each generated clip followed by its neighbour, for a sheet of frames with a row a clip."""
    return torch.stack([generated, neighbours], dim=1).flatten(0, 1)
