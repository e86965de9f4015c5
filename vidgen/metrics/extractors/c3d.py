"""C3D, the classifier behind the Inception score and FID of the literature on videos.

Source: Tran et al. (2015), "version 1": trained on Sports-1M, tuned on UCF-101. Top to bottom:

    clip 3×16×112×112
    conv1a 64 → pool 64×16×56×56 → conv2a 128 → pool 128×8×28×28
    conv3a, conv3b 256 → pool 256×4×14×14 → conv4a, conv4b 512 → pool 512×2×7×7
    conv5a, conv5b 512 → pool 512×1×4×4 (its last window is partial)
    fc6 4096 → fc7 4096, the features → fc8, 101 logits

Preprocessing differs between the tools of two papers, and so do the scores:

    tgan     x·128 + 128; bicubic to 128×128; BGR; minus the mean volume's columns 21 to 148;
             centre 112×112. TGAN, MoCoGAN, latent ODEs.
    tganv2   clipped, x·128 + 128; bilinear to 112×112, corners aligned; BGR; minus the mean
             volume's rows 8 to 119 and columns 8 to 119. TGANv2's code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidgen.adversarial.integrity import file_hash
from vidgen.errors import UserError
from vidgen.metrics.extractors.base import (
    Extractor,
    Judgement,
    first_frames,
    in_color,
    resized,
)
from vidgen.metrics.extractors.weights import existing_file, load_weights_

Pipeline = Literal["tgan", "tganv2"]
# Per channel, blue first, where the mean volume's file is not at hand: its means over TGAN's crop.
CHANNEL_MEANS = (95.14, 102.86, 107.76)
_MEAN_SHAPE = (3, 16, 128, 171)
_NUM_FRAMES = 16
_ORIGIN = (
    "it is the npz of C3D tuned on UCF-101 (keys conv1a/W ... fc8/b) that the code of TGAN and "
    "TGANv2 fetches, or a state dict of the same layers"
)


class C3D(nn.Module):
    """The network, for clips that are preprocessed.

    Args:
        num_classes: Logits.
        width: Channels of the first layer; 64 is the published network.
        clip_size: Frames, height and width of a clip.
        normalized: BatchNorm after each convolution, which the published network has not: from
            scratch on few videos it learns in a fraction of the steps.
    """

    def __init__(
        self,
        num_classes: int = 101,
        width: int = 64,
        clip_size: tuple[int, int, int] = (16, 112, 112),
        normalized: bool = False,
    ) -> None:
        super().__init__()
        widths = {"1a": 1, "2a": 2, "3a": 4, "3b": 4, "4a": 8, "4b": 8, "5a": 8, "5b": 8}
        channels = 3
        self._layers = list(widths)
        for name, factor in widths.items():
            setattr(self, f"conv{name}", nn.Conv3d(channels, factor * width, 3, padding=1))
            channels = factor * width
            if normalized:
                setattr(self, f"norm{name}", nn.BatchNorm3d(channels))
        self._normalized = normalized
        size = clip_size
        for number in range(5):
            size = tuple(
                -(-side // stride) for side, stride in zip(size, _pool(number), strict=True)
            )
        self.fc6 = nn.Linear(channels * size[0] * size[1] * size[2], 64 * width)
        self.fc7 = nn.Linear(64 * width, 64 * width)
        self.fc8 = nn.Linear(64 * width, num_classes)
        self.dropout = nn.Dropout(0.5)

    def maps(
        self, clips: Float[Tensor, "batch 3 time height width"]
    ) -> Float[Tensor, "batch channel frames rows columns"]:
        """What the last pooling gives."""
        x = clips
        for name in self._layers:
            x = getattr(self, f"conv{name}")(x)
            if self._normalized:
                x = getattr(self, f"norm{name}")(x)
            x = x.relu()
            if name in ("1a", "2a", "3b", "4b", "5b"):
                # Ceil mode matters at pool5 alone: of 7 rows the last has a window of its own.
                x = nn.functional.max_pool3d(x, _pool(int(name[0]) - 1), ceil_mode=True)
        return x

    def forward(self, clips: Float[Tensor, "batch 3 time height width"]) -> Judgement:
        """Logits of fc8, and the features: fc7 after its ReLU."""
        x = self.maps(clips).flatten(1)
        x = self.dropout(self.fc6(x).relu())
        features = self.fc7(x).relu()
        return Judgement(self.fc8(self.dropout(features)), features)


class C3DExtractor(Extractor):
    """C3D with weights from a file and the preprocessing of a paper's tool.

    Args:
        weights: The published npz, or a state dict.
        pipeline: Whose preprocessing.
        mean: npz with the mean volume as `mean`; `None` subtracts a number a channel.
        every: Step from one frame to the next; 2 for VGAN's clips of 32 frames.

    Raises:
        UserError: A file is missing, or is not what it should be.
    """

    literature = True

    def __init__(
        self,
        weights: Path | None,
        pipeline: Pipeline = "tgan",
        mean: Path | None = None,
        every: int = 1,
    ) -> None:
        super().__init__()
        path = existing_file(weights, "--weights", "the weights of C3D", _ORIGIN)
        self.name = "c3d"
        self.sha256 = file_hash(path)
        self._pipeline: Pipeline = pipeline
        self._every = every
        volume = channel_mean() if mean is None else mean_volume(mean)
        self.protocol = f"c3d pipeline {pipeline}, first 16 frames, every {every}, mean " + (
            "of channels" if mean is None else f"volume {file_hash(mean)[:12]}"
        )
        self.register_buffer("mean", volume, persistent=False)
        self.mean: Tensor
        with torch.device("meta"):
            self.network = C3D()
        load_weights_(self.network, path)
        self.frozen()

    def preprocessed(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch 3 16 112 112"]:
        """See `Extractor`."""
        chosen = first_frames(in_color(clips), _NUM_FRAMES, self._every)
        return preprocessed(chosen, self.mean, self._pipeline)

    def judged(self, seen: Float[Tensor, "batch 3 16 112 112"]) -> Judgement:
        """See `Extractor`."""
        return self.network(seen)


def preprocessed(
    clips: Float[Tensor, "batch 3 time height width"],
    mean: Float[Tensor, "3 time 128 171"],
    pipeline: Pipeline = "tgan",
) -> Float[Tensor, "batch 3 time 112 112"]:
    """Clips in [-1, 1], red first, as C3D sees them: blue first, from about -128 to 128.

    Args:
        clips: RGB.
        mean: The mean volume, blue first.
        pipeline: Whose tool.
    """
    if pipeline == "tgan":
        levels = resized(clips * 128 + 128, (128, 128), "bicubic", corners=False).flip(1)
        return (levels - mean[..., 21:149])[..., 8:120, 8:120]
    levels = resized(clips.clamp(-1, 1) * 128, (112, 112), "bilinear", corners=True).flip(1)
    return levels + 128 - mean[..., 8:120, 8:120]


def channel_mean() -> Float[Tensor, "3 16 128 171"]:
    """A mean volume of one number a channel."""
    return torch.tensor(CHANNEL_MEANS).view(3, 1, 1, 1).expand(_MEAN_SHAPE).clone()


def mean_volume(path: Path) -> Float[Tensor, "3 16 128 171"]:
    """The mean volume of a file.

    Raises:
        UserError: The file is missing or holds none.
    """
    origin = "the npz with key `mean` that comes with TGAN's C3D; without it leave --mean out"
    path = existing_file(path, "--mean", "C3D's mean volume", origin)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            mean = arrays["mean"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise UserError(f"--mean {path} holds no array `mean`: {error}") from error
    if mean.shape != _MEAN_SHAPE:
        raise UserError(f"--mean {path} has shape {mean.shape}; C3D's is {_MEAN_SHAPE}")
    return torch.from_numpy(mean).float()


def _pool(number: int) -> tuple[int, int, int]:
    """Window and stride of a pooling; the first keeps all frames."""
    return (1, 2, 2) if number == 0 else (2, 2, 2)
