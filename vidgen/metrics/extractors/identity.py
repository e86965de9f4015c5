"""A network that tells who is shown, frame by frame: ACD on faces.

Source: MoCoGAN (Tulyakov et al., CVPR 2018), §4.1, with OpenFace's 128 numbers a face. The article
does not say how faces are found and aligned; here the whole frame is resized.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from vidgen.adversarial.integrity import file_hash
from vidgen.metrics.extractors.base import in_color, resized
from vidgen.metrics.extractors.i3d import load_torchscript
from vidgen.metrics.extractors.weights import existing_file

_ORIGIN = (
    "a TorchScript file that takes RGB faces (n, 3, side, side) in [0, 1] and gives a row of "
    "numbers for each, OpenFace for instance; it is a program that will be run"
)


class Embedder(nn.Module, ABC):
    """A fixed network that gives a vector a frame.

    Attributes:
        name: What its scores carry.
        protocol: Its preprocessing in words.
        sha256: Of its weights.
    """

    name: str
    protocol: str
    sha256: str

    @abstractmethod
    def forward(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch time feature"]:
        """A vector for each frame of clips in [-1, 1]."""


class FrameEmbedder(Embedder):
    """Vectors of frames by a TorchScript network.

    Args:
        program: The file.
        side: Height and width that it takes, in pixels.

    Raises:
        UserError: The file is missing or is no TorchScript.
    """

    def __init__(self, program: Path | None, side: int = 96) -> None:
        super().__init__()
        path = existing_file(program, "--embedder", "an identity network", _ORIGIN)
        self.name, self.sha256, self._side = path.stem, file_hash(path), side
        self.protocol = f"{self.name} on whole frames, bilinear to {side} x {side}"
        self.network: Any = load_torchscript(path)
        self.eval()
        self.requires_grad_(False)

    def forward(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch time feature"]:
        """See `Embedder`."""
        frames = resized(in_color(clips), (self._side, self._side), "bilinear", corners=False)
        rows = self.network((frames.transpose(1, 2).flatten(0, 1) + 1) / 2)
        return rows.unflatten(0, (len(clips), -1))
