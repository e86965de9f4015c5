"""Ways to spoil real clips by a known amount, to see which metrics notice.

Each takes clips `(batch, channel, time, height, width)` in [-1, 1] and a strength, and gives clips
of the same shape and range. What is drawn by chance comes from the generator alike for every
strength: a greater one spoils more of the same.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

Distortion = Callable[[Tensor, float, torch.Generator], Tensor]


def blur(clips: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Each frame through a Gaussian of `sigma` pixels, mirrored at the border."""
    del generator
    reach = min(round(3 * sigma), min(clips.shape[-2:]) - 1)
    places = torch.arange(-reach, reach + 1, dtype=clips.dtype)
    weights = (-0.5 * (places / sigma) ** 2).exp()
    weights = weights / weights.sum()
    planes = clips.flatten(0, 2).unsqueeze(1)  # (batch * channel * time, 1, height, width)
    planes = pad(planes, (reach, reach, reach, reach), mode="reflect")
    planes = conv2d(conv2d(planes, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
    return planes.view_as(clips)


def noise(clips: Tensor, levels: float, generator: torch.Generator) -> Tensor:
    """Independent Gaussian noise on each value, its standard deviation in levels of 255."""
    drawn = torch.randn(clips.shape, generator=generator)
    return (clips + drawn * (levels / 127.5)).clamp(-1, 1)


def freeze(clips: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """The last share of a clip's changes does not happen: a frame stays to the end."""
    del generator
    num_changes = clips.shape[2] - 1
    last = num_changes - round(share * num_changes)
    return clips[:, :, torch.arange(clips.shape[2]).clamp(max=last)]


def shuffle(clips: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A share of the frames, drawn for each clip, change places in a circle."""
    num_frames = clips.shape[2]
    num_moved = round(share * num_frames)
    spoiled = []
    for clip in clips:
        places = torch.randperm(num_frames, generator=generator)
        order = torch.arange(num_frames)
        order[places[:num_moved]] = places[:num_moved].roll(1)
        spoiled.append(clip[:, order])
    return torch.stack(spoiled)


def brighten(clips: Tensor, levels: float, generator: torch.Generator) -> Tensor:
    """All pixels brighter by as many levels of 255, white at most."""
    del generator
    return (clips + levels / 127.5).clamp(-1, 1)


BY_NAME: dict[str, Distortion] = {
    "blur": blur,
    "noise": noise,
    "frozen": freeze,
    "shuffled": shuffle,
    "brighter": brighten,
}
