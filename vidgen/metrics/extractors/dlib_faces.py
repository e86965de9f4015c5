"""dlib's face recognition: 128 numbers of each frame, for ACD on faces.

MoCoGAN (§4.1) takes OpenFace's 128 numbers; dlib's network is another one, trained on other faces,
so the values are not the article's. The article does not say how faces are found and aligned: here
the frame is the face's box, five landmarks are found in it, and the face is turned upright by them.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from vidgen.adversarial.integrity import file_hash
from vidgen.errors import UserError
from vidgen.metrics.extractors.base import in_color, resized
from vidgen.metrics.extractors.identity import Embedder

_SIDE = 150  # what the network takes
_NETWORK = "dlib_face_recognition_resnet_model_v1.dat"
_LANDMARKS = "shape_predictor_5_face_landmarks.dat"
_MISSING = (
    "--embedder dlib needs the packages dlib-bin and face-recognition-models; "
    "`pip install 'vidgen[faces]'`"
)


class DlibFaces(Embedder):
    """Vectors of frames, each with one face that fills it.

    Raises:
        UserError: The packages are not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        dlib, models = _installed()
        self._dlib: Any = dlib
        self._find = dlib.shape_predictor(str(models / _LANDMARKS))
        self._recognize = dlib.face_recognition_model_v1(str(models / _NETWORK))
        self.name = "dlib"
        self.protocol = f"dlib, frames as boxes of faces, upright by 5 landmarks, {_SIDE} pixels"
        hashes = [file_hash(models / name) for name in (_NETWORK, _LANDMARKS)]
        self.sha256 = hashlib.sha256(" ".join(hashes).encode()).hexdigest()

    def forward(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch time 128"]:
        """A vector for each frame of clips in [-1, 1]."""
        frames = resized(in_color(clips), (_SIDE, _SIDE), "bilinear", corners=False)
        levels = ((frames + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        # dlib takes whole arrays only; (B*T, H, W, 3).
        pixels = levels.permute(0, 2, 3, 4, 1).contiguous().flatten(0, 1).numpy(force=True)
        box = self._dlib.rectangle(0, 0, _SIDE - 1, _SIDE - 1)
        chips = [self._dlib.get_face_chip(each, self._find(each, box), _SIDE) for each in pixels]
        rows = [list(vector) for vector in self._recognize.compute_face_descriptor(chips)]
        return torch.tensor(rows, device=clips.device).unflatten(0, (len(clips), -1))


def _installed() -> tuple[Any, Path]:
    """The module, and the folder of the networks."""
    try:
        import dlib
    except ImportError as error:
        raise UserError(_MISSING) from error
    # Not imported: its first line needs a module that Python no longer brings.
    found = find_spec("face_recognition_models")
    if found is None or found.origin is None:
        raise UserError(_MISSING)
    return dlib, Path(found.origin).parent / "models"
