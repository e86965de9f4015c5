"""Motion control score (MCS): does a clip show the action that was asked for?

Source: MoCoGAN (Tulyakov et al., CVPR 2018), §4.2. The share of clips, made in equal numbers for
each category, that a classifier of real clips gives that category. Chance is 1 / number of
categories. It is as good as the classifier: give its accuracy on held-out real clips beside it.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from vidgen.metrics.inception import accuracy


def segments(
    clips: Float[Tensor, "batch channel time height width"], length: int
) -> Float[Tensor, "segment channel length height width"]:
    """Clips cut into pieces of equal length, all of the first clip before those of the second.

    Raises:
        ValueError: The length does not divide the clips'.
    """
    num_frames = clips.shape[2]
    if num_frames % length:
        raise ValueError(f"clips of {num_frames} frames cannot be cut into pieces of {length}")
    pieces = clips.unflatten(2, (num_frames // length, length))
    return pieces.transpose(1, 2).flatten(0, 1)


def motion_control_score(
    logits: Float[Tensor, "clip classes"], categories: Int[Tensor, " clip"]
) -> tuple[float, list[float]]:
    """The score, and that of each category in order.

    Args:
        logits: Of a classifier trained on labelled real clips.
        categories: What was asked for.
    """
    each = [
        accuracy(logits[categories == label], categories[categories == label])
        for label in categories.unique()
    ]
    return accuracy(logits, categories), each
