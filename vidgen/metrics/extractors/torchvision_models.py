"""torchvision's classifiers: of videos (Kinetics-400), and of images frame by frame (ImageNet).

Their preprocessing is the one that torchvision keeps with its weights. None of them is what the
scores of the literature are made with, so their scores carry their names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vidgen.adversarial.integrity import file_hash
from vidgen.compiled_ops import import_torchvision
from vidgen.errors import UserError
from vidgen.metrics.extractors.base import Extractor, Judgement, in_color
from vidgen.metrics.extractors.weights import existing_file, load_weights_

VIDEO_MODELS = (
    "r3d_18",
    "mc3_18",
    "r2plus1d_18",
    "s3d",
    "mvit_v1_b",
    "mvit_v2_s",
    "swin3d_t",
    "swin3d_s",
    "swin3d_b",
)
IMAGE_MODELS = ("resnet18", "resnet50", "inception_v3", "vgg16", "efficientnet_b0")
_ORIGIN = "a state dict of torchvision's model, or the word `download` where the network allows it"


class VideoModel(Extractor):
    """One of torchvision's video classifiers, with the preset of its weights.

    Args:
        model: Its name in torchvision.
        weights: File with its state dict, or the path `download`.

    Raises:
        UserError: There is no such model or file, or it cannot be downloaded.
    """

    def __init__(self, model: str, weights: Path | None) -> None:
        super().__init__()
        self.name = model
        self.network, self._preset, self.sha256 = _with_weights(model, weights)
        self._tap = _InputOfLastLayer(self.network)
        self.protocol = f"{model}, torchvision's preset"
        self.frozen()

    def preprocessed(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch 3 time rows columns"]:
        """See `Extractor`."""
        return self._preset((in_color(clips).transpose(1, 2) + 1) / 2)

    def judged(self, seen: Float[Tensor, "batch 3 time rows columns"]) -> Judgement:
        """See `Extractor`; the features are what the last layer sees."""
        logits = self.network(seen)
        return Judgement(logits, self._tap.seen)


class FrameModel(Extractor):
    """One of torchvision's image classifiers on every frame; a clip's row is the mean over them.

    Args:
        model: Its name in torchvision.
        weights: File with its state dict, or the path `download`.

    Raises:
        UserError: There is no such model or file, or it cannot be downloaded.
    """

    def __init__(self, model: str, weights: Path | None) -> None:
        super().__init__()
        self.name = f"{model}-frames"
        self.network, self._preset, self.sha256 = _with_weights(model, weights)
        self._tap = _InputOfLastLayer(self.network)
        self.protocol = f"{model} on every frame, torchvision's preset, mean over frames"
        self.frozen()

    def preprocessed(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch time 3 rows columns"]:
        """See `Extractor`."""
        frames = in_color(clips).transpose(1, 2)
        return self._preset((frames.flatten(0, 1) + 1) / 2).unflatten(0, frames.shape[:2])

    def judged(self, seen: Float[Tensor, "batch time 3 rows columns"]) -> Judgement:
        """See `Extractor`."""
        logits = self.network(seen.flatten(0, 1)).unflatten(0, seen.shape[:2])
        features = self._tap.seen.unflatten(0, seen.shape[:2])
        return Judgement(logits.mean(dim=1), features.mean(dim=1))


class _InputOfLastLayer:
    """Remembers what the last linear layer or convolution sees, averaged over places."""

    def __init__(self, network: nn.Module) -> None:
        layers = [part for part in network.modules() if isinstance(part, nn.Linear | nn.Conv3d)]
        self.seen = torch.empty(0)
        layers[-1].register_forward_pre_hook(self._remember)

    def _remember(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        del layer
        self.seen = inputs[0].flatten(2).mean(dim=2) if inputs[0].ndim > 2 else inputs[0]


def _with_weights(model: str, weights: Path | None) -> tuple[nn.Module, Any, str]:
    """Network, preset and hash of the weights."""
    import_torchvision()
    from torchvision.models import get_model, get_model_weights

    if model not in (*VIDEO_MODELS, *IMAGE_MODELS):
        raise UserError(f"there is no model {model!r}; there are {VIDEO_MODELS + IMAGE_MODELS}")
    default: Any = get_model_weights(model)["DEFAULT"]
    if str(weights) == "download":
        try:
            return get_model(model, weights=default), default.transforms(), str(default)
        except (URLError, OSError, RuntimeError) as error:
            raise UserError(
                f"the weights of {model} cannot be downloaded: {error}; give a file with --weights"
            ) from error
    path = existing_file(weights, "--weights", f"the weights of {model}", _ORIGIN)
    options = {"aux_logits": True, "init_weights": False} if model == "inception_v3" else {}
    network = get_model(model, weights=None, **options)
    load_weights_(network, path)
    return network, default.transforms(), file_hash(path)
