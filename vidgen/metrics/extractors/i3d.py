"""I3D as a TorchScript file: the network behind FVD.

Source: StyleGAN-V (Skorokhodov et al., CVPR 2022), whose protocol `fvd2048_16f` reproduces the
FVD of Unterthiner et al. (2018) with a copy of their I3D (Kinetics-400). The file takes levels from
0 to 255, and rescales and resizes them itself. Its 400 outputs before the softmax are the features.

A TorchScript file is a program: loading it runs what is in it. Load only one you trust.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vidgen.adversarial.integrity import file_hash
from vidgen.errors import UserError
from vidgen.metrics.extractors.base import Extractor, Judgement, first_frames, in_color
from vidgen.metrics.extractors.weights import existing_file

_ORIGIN = (
    "i3d_torchscript.pt, to which the code of StyleGAN-V links; it is a program that will be run, "
    "take it from nowhere else"
)


class I3DExtractor(Extractor):
    """The TorchScript I3D and the preprocessing of StyleGAN-V's tool.

    Args:
        weights: The TorchScript file.
        num_frames: Frames it looks at, from the first one on.
        every: Step from one to the next.

    Raises:
        UserError: The file is missing or is no TorchScript.
    """

    literature = True
    # As in StyleGAN-V's tool.
    sample_covariance = False

    def __init__(self, weights: Path | None, num_frames: int = 16, every: int = 1) -> None:
        super().__init__()
        path = existing_file(weights, "--weights", "the I3D", _ORIGIN)
        self.name = "i3d"
        self.sha256 = file_hash(path)
        self.protocol = f"i3d styleganv, first {num_frames} frames, every {every}, uint8"
        self._num_frames, self._every = num_frames, every
        self.network = load_torchscript(path)
        self.frozen()

    def preprocessed(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch 3 frames height width"]:
        """Levels 0 to 255, cut off after the point as StyleGAN-V cuts them."""
        chosen = first_frames(in_color(clips), self._num_frames, self._every)
        return (chosen * 127.5 + 128).clamp(0, 255).floor()

    def judged(self, seen: Float[Tensor, "batch 3 time height width"]) -> Judgement:
        """See `Extractor`."""
        outputs = self.network(seen, rescale=True, resize=True, return_features=True)
        return Judgement(outputs, outputs)


def load_torchscript(path: Path) -> Any:
    """The program of a TorchScript file, which the user has chosen to run.

    Raises:
        UserError: It is none.
    """
    try:
        return torch.jit.load(str(path), map_location="cpu")
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{path} is not a TorchScript file: {reason}") from error
