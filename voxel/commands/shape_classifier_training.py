"""From labelled shapes to the file of a classifier, with its accuracy on the test split.

A volume is a grey clip whose frames are its slices: the network is the small C3D of
`vidgen fit_classifier`, and its file is read by the same code.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data.batches import Batches
from data.progress import shown_progress
from data.shapes import Shapes
from data.sources import DataError
from vidgen.commands.outputs import say
from vidgen.errors import UserError
from vidgen.metrics.extractors.fitting import fit_classifier, num_correct
from vidgen.metrics.extractors.own import ClassifierConfig, save_classifier
from voxel.commands.fit_classifier import FitShapesOptions


def train_classifier(data: dict[str, Any], options: FitShapesOptions) -> None:
    """See `voxel.commands.fit_classifier.fit`."""
    train, test = _splits(data, options.size)
    if len(train.classes) < 2:
        raise UserError(
            f"{data['root']} has {len(train.classes)} classes; a classifier needs two or more "
            "folders of shapes, one a class"
        )
    for line in train.report():
        say(line)
    config = ClassifierConfig(
        name=options.name or options.out.stem,
        classes=train.classes,
        num_frames=options.size,
        height=options.size,
        width=options.size,
        channels=options.width,
        accuracy=-1.0,
        about={"data": train.fingerprint(), "steps": str(options.steps)},
    )
    with (
        closing(Batches(train, options.batch_size, options.seed)) as batches,
        shown_progress(f"Training {config.name}") as progress,
    ):

        def after_step(step: int, loss: float) -> None:
            del loss
            progress(step, options.steps)

        network = fit_classifier(
            config,
            (batch[:2] for batch in batches),
            options.steps,
            options.learning_rate,
            options.seed,
            options.device,
            after_step,
        )
    told = "tested on nothing"
    if test is not None:
        correct, count = num_correct(network, _singly(test), options.device)
        config = replace(config, accuracy=correct / count)
        told = f"{config.accuracy:.1%} of {count} test shapes are right"
    save_classifier(options.out, config, network.state_dict())
    say(f"{options.out}: {len(config.classes)} classes, {len(train)} training shapes; {told}")


def _splits(data: dict[str, Any], size: int) -> tuple[Shapes, Shapes | None]:
    """Training and test shapes; all and none of an undivided folder."""
    try:
        train = Shapes(**data, size=size, split="train")
    except DataError:
        return Shapes(**data, size=size), None  # another mistake is made again
    still = {"rotations": 1, "flip": False, "max_shift": 0, "classes": train.classes}
    try:
        return train, Shapes(**{**data, **still}, size=size, split="test")
    except DataError:
        return train, None


def _singly(shapes: Shapes) -> Iterator[tuple[Tensor, Tensor]]:
    for item in range(len(shapes)):
        sample = shapes.draw(item, np.random.default_rng(0))
        yield torch.from_numpy(sample.clip)[None], torch.tensor([sample.label])
