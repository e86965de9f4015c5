"""From labelled videos to the file of a classifier, with its accuracy on held-out ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from data.batches import Batches
from data.progress import shown_progress
from data.videos import VideoClips
from vidgen.commands.clip_sets import Part
from vidgen.commands.fit_classifier import FitOptions
from vidgen.commands.outputs import say
from vidgen.errors import UserError
from vidgen.finetuning import default_held_out, split_by_group
from vidgen.metrics.extractors.fitting import fit_classifier, num_correct
from vidgen.metrics.extractors.own import ClassifierConfig, save_classifier

_TEST_CLIPS = 5


def train_classifier(data: dict[str, Any], options: FitOptions) -> None:
    """See `vidgen.commands.fit_classifier.fit`."""
    shape = {"num_frames": options.num_frames, "size": options.size, "channels": 3}
    source = VideoClips(**{**data, **shape})
    if len(source.classes) < 2:
        raise UserError(
            f"{data['root']} has {len(source.classes)} classes; a classifier needs two or more "
            "folders of videos, one a class"
        )
    for line in source.report():
        say(line)
    train, test = _split(source, options.held_out)
    config = ClassifierConfig(
        name=options.name or options.out.stem,
        classes=source.classes,
        num_frames=options.num_frames,
        height=options.size,
        width=options.size,
        channels=options.width,
        accuracy=-1.0,
        about={"data": source.fingerprint(), "steps": str(options.steps)},
    )
    with (
        closing(
            Batches(
                Part(source, train),
                options.batch_size,
                options.seed,
                num_workers=options.num_workers,
            )
        ) as batches,
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
    if test:
        correct, count = num_correct(network, _test_batches(source, test), options.device)
        config = replace(config, accuracy=correct / count)
        told = f"{config.accuracy:.1%} of {count} clips of {len(test)} held-out videos are right"
    save_classifier(options.out, config, network.state_dict())
    say(f"{options.out}: {len(config.classes)} classes, {len(train)} training videos; {told}")


def _split(source: VideoClips, held_out: str | None) -> tuple[list[int], list[int]]:
    """Numbers of the videos to train on, and to test on."""
    numbers = list(range(len(source)))
    if held_out == "none":
        return numbers, []
    if held_out is None and "" in source.groups:
        return [n for n in numbers if n % 5 != 4], numbers[4::5]
    if held_out is None:
        groups = default_held_out(source.groups)
        if len(set(source.groups)) == 1:
            return [n for n in numbers if n % 5 != 4], numbers[4::5]
    else:
        groups = [name.strip() for name in held_out.split(",")]
    return split_by_group(source.groups, groups)


def _test_batches(source: VideoClips, items: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
    """Clips evenly spaced over each video."""
    for item in items:
        clips = torch.from_numpy(source.spread(item, _TEST_CLIPS))
        yield clips, torch.full((len(clips),), source.labels[item])
