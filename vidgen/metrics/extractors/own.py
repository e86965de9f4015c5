"""A small classifier of clips that the toolkit trains itself, so that clips can be judged offline.

It is C3D of a quarter of the width, with BatchNorm, at the clips' own resolution. Its scores carry
its name: they say which of two models is better on its classes, and cannot be compared with those
of the literature.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vidgen.adversarial.integrity import file_hash
from vidgen.errors import UserError
from vidgen.metrics.extractors.base import (
    Extractor,
    Judgement,
    first_frames,
    in_color,
    resized,
)
from vidgen.metrics.extractors.c3d import C3D
from vidgen.metrics.extractors.weights import existing_file, load_weights_
from vidgen.writing import replacing

# The one key of the header: the library writes several in an order of chance.
HEADER = "vidgen clip classifier 1"
_ORIGIN = "make one with `python -m vidgen fit_classifier --data.root DIR --out FILE`"


@dataclass(frozen=True)
class ClassifierConfig:
    """What is needed to rebuild a classifier, and what is known of it.

    Attributes:
        name: What its scores carry.
        classes: Names in the order of the logits.
        num_frames: Frames it looks at.
        height: Of its frames.
        width: Of its frames.
        channels: Of its first layer.
        accuracy: On held-out clips; -1 where none were held out.
        about: How it was trained.
    """

    name: str
    classes: list[str]
    num_frames: int
    height: int
    width: int
    channels: int
    accuracy: float
    about: dict[str, str]

    def network(self) -> C3D:
        """The network, with new weights."""
        size = (self.num_frames, self.height, self.width)
        return C3D(len(self.classes), self.channels, size, normalized=True)


class OwnClassifier(Extractor):
    """A classifier of `python -m vidgen fit_classifier`.

    Args:
        path: Its file.
        every: Step from one frame to the next.

    Raises:
        UserError: The file is missing or is none of these.
    """

    def __init__(self, path: Path | None, every: int = 1) -> None:
        super().__init__()
        file = existing_file(path, "--extractor", "a classifier of clips", _ORIGIN)
        self.config = read_config(file)
        self.name, self.sha256 = self.config.name, file_hash(file)
        self._every = every
        self.protocol = (
            f"{self.name}, first {self.config.num_frames} frames, every {every}, bilinear to "
            f"{self.config.height} x {self.config.width}"
        )
        with torch.device("meta"):  # whatever sizes the file asks for
            self.network = self.config.network()
        load_weights_(self.network, file)
        self.frozen()

    def preprocessed(
        self, clips: Float[Tensor, "batch channel time height width"]
    ) -> Float[Tensor, "batch 3 frames rows columns"]:
        """See `Extractor`; clips of the classifier's own size stay as they are."""
        size = (self.config.height, self.config.width)
        chosen = first_frames(in_color(clips), self.config.num_frames, self._every)
        if chosen.shape[-2:] == size:
            return chosen
        return resized(chosen, size, "bilinear", corners=False)

    def judged(self, seen: Float[Tensor, "batch 3 frames rows columns"]) -> Judgement:
        """See `Extractor`."""
        return self.network(seen)


def save_classifier(path: Path, config: ClassifierConfig, weights: Mapping[str, Tensor]) -> None:
    """Writes a classifier whole or not at all: safetensors, the configuration in its header.

    Raises:
        UserError: It cannot be written.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    header = {HEADER: json.dumps(asdict(config))}
    with replacing(path) as unfinished:
        save_file(plain, unfinished, header)


def read_config(path: Path) -> ClassifierConfig:
    """The configuration in the header of a classifier's file.

    Raises:
        UserError: The file is no such classifier.
    """
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
        if HEADER not in header:
            raise UserError(f"--extractor {path} is not a classifier of clips; {_ORIGIN}")
        return ClassifierConfig(**json.loads(header[HEADER]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"--extractor {path} cannot be read: {error}; {_ORIGIN}") from error
