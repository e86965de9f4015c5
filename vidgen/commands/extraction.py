"""The network that the command line asks for, and its names for classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vidgen.commands.evaluate import EvaluateOptions
from vidgen.commands.protocols import Protocol
from vidgen.errors import UserError
from vidgen.metrics.extractors.base import Extractor
from vidgen.metrics.extractors.c3d import C3DExtractor
from vidgen.metrics.extractors.dlib_faces import DlibFaces
from vidgen.metrics.extractors.i3d import I3DExtractor
from vidgen.metrics.extractors.identity import Embedder, FrameEmbedder
from vidgen.metrics.extractors.own import OwnClassifier
from vidgen.metrics.extractors.torchvision_models import (
    IMAGE_MODELS,
    VIDEO_MODELS,
    FrameModel,
    VideoModel,
)

DLIB = Path("dlib")


def chosen_extractor(options: EvaluateOptions, protocol: Protocol) -> Extractor:
    """The network with its weights.

    Raises:
        UserError: None is named, there is none of this name, or its file is missing.
    """
    name, weights = options.extractor, options.weights
    if name is None:
        raise UserError(
            f"--metrics {options.metrics} needs a network: give --extractor c3d --weights FILE (or "
            "i3d, or a torchvision model), or --extractor FILE, a classifier made by "
            "`python -m vidgen fit_classifier --data.root DIR --out FILE`"
        )
    if name == "c3d":
        return C3DExtractor(weights, protocol.pipeline, options.mean, options.every)
    if name == "i3d":
        return I3DExtractor(weights, 16, options.every)
    if name in VIDEO_MODELS:
        return VideoModel(name, weights)
    if name in IMAGE_MODELS:
        return FrameModel(name, weights)
    if name.endswith(".safetensors"):
        return OwnClassifier(Path(name), options.every)
    known = ", ".join(("c3d", "i3d", *VIDEO_MODELS, *IMAGE_MODELS))
    raise UserError(
        f"--extractor {name}: give {known}, or a .safetensors file of `vidgen fit_classifier`"
    )


def chosen_embedder(options: EvaluateOptions) -> Embedder:
    """The network that tells faces.

    Raises:
        UserError: Its file or packages are missing.
    """
    if options.embedder == DLIB:
        return DlibFaces()
    return FrameEmbedder(options.embedder, options.embedder_side)


def label_map(classes: Sequence[str], extractor: Extractor | None) -> list[int] | None:
    """A classifier's number for each class of a model, by their names; `None` is the same numbers.

    Raises:
        UserError: It does not know one of them.
    """
    if not isinstance(extractor, OwnClassifier) or not classes:
        return None
    known = extractor.config.classes
    unknown = [name for name in classes if name not in known]
    if unknown:
        raise UserError(
            f"the classifier {extractor.name} does not know the class {unknown[0]!r}; it knows "
            f"{', '.join(known)}"
        )
    return [known.index(name) for name in classes]
