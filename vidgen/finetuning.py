"""VGAN's representation learning: how few labels its discriminator needs to tell actions apart.

Source: VGAN (Vondrick et al., 2016), §4.2, and the authors' code. A discriminator that was trained
without labels becomes a classifier (`vidgen.vgan_classifier`), which learns from a fraction of the
labelled videos and is tested on people it has not seen; so does the same network from scratch.

Where this differs from the paper
    - The paper fine-tunes on UCF-101 in batches of 256 for up to about 1,000 steps. Here the
      defaults, 16 and 60, suit a hundred videos; Adam's settings are the paper's.
    - The paper leaves open how long a smaller fraction is trained: here every fraction takes the
      same number of steps, so that only the labels differ.
    - It leaves open which videos a fraction holds: here as many of each class, at least one, and
      those of a smaller fraction are among those of a larger one of the same seed.
    - The code predicts the class of one clip. Here a video's class is that of the highest mean
      probability over clips evenly spaced in it.
    - The paper's GAN learned from films of its own. One trained on the folder that it is tested on
      has seen the held-out people, though without their labels; train it on the others alone
      (`--data.split train`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from vidgen.adversarial.game import Game, evaluation
from vidgen.errors import UserError
from vidgen.vgan import ADAM
from vidgen.vgan_classifier import ActionClassifier, action_classifier

Start = Literal["scratch", "gan", "probe"]
# Whether it begins with the game's weights, and whether only its last layer learns.
STARTS: dict[Start, tuple[bool, bool]] = {
    "scratch": (False, False),
    "gan": (True, False),
    "probe": (True, True),
}


@dataclass(frozen=True)
class LabelledVideos:
    """Videos in memory, each as a few clips of it.

    Attributes:
        clips: Pixels.
        labels: Class of each video.
    """

    clips: UInt8[Tensor, "video clip channel time height width"]
    labels: Int64[Tensor, " video"]

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, numbers: Sequence[int]) -> LabelledVideos:
        """Some of the videos."""
        return LabelledVideos(self.clips[list(numbers)], self.labels[list(numbers)])


@dataclass(frozen=True)
class Schedule:
    """How long a classifier learns, and how fast.

    Args:
        steps: Steps of one training, the same for every fraction.
        batch_size: Clips of a step.
        learning_rate: Adam's, the same all the time.
        dropout: Share of the trunk's maps that are left out in training.
    """

    steps: int = 60
    batch_size: int = 16
    learning_rate: float = ADAM.learning_rate
    dropout: float = 0.5


def default_held_out(groups: Sequence[str]) -> list[str]:
    """The last fifth of the groups by name, at least one: g08 and g09 of nine."""
    names = sorted(set(groups))
    return names[-math.ceil(len(names) / 5) :]


def split_by_group(groups: Sequence[str], held_out: Collection[str]) -> tuple[list[int], list[int]]:
    """Numbers of the videos to train on, and of those of the held-out groups.

    Args:
        groups: Group of each video.
        held_out: Names of the groups to test on.

    Raises:
        UserError: There is no such group, or one of the two parts would be empty.
    """
    if "" in groups:
        raise UserError(
            f"{list(groups).count('')} of {len(groups)} videos belong to no group that could be "
            "held out; name files as UCF-101 does, v_Class_g01_c01.avi"
        )
    unknown = sorted(set(held_out) - set(groups))
    if unknown:
        raise UserError(
            f"no video belongs to the held-out group {unknown[0]!r}; the groups are "
            f"{', '.join(sorted(set(groups)))}"
        )
    test = [number for number, group in enumerate(groups) if group in held_out]
    train = [number for number, group in enumerate(groups) if group not in held_out]
    if not (train and test):
        missing = "test" if train else "train"
        raise UserError(
            f"the held-out groups {', '.join(sorted(held_out)) or '(none)'} leave no video to "
            f"{missing} on; the groups are {', '.join(sorted(set(groups)))}"
        )
    return train, test


def nested_subset(labels: Int64[Tensor, " video"], fraction: float, seed: int) -> list[int]:
    """Numbers of a fraction of the videos, the same share of each class, at least one of each.

    Of one seed, a smaller fraction's videos are among those of a larger one, so that the
    difference between two fractions is what the added labels make.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen: list[int] = []
    for label in labels.unique().tolist():
        videos = (labels == label).nonzero().flatten()
        order = torch.randperm(len(videos), generator=generator)
        count = max(1, math.floor(fraction * len(videos) + 0.5))
        chosen += videos[order[:count]].tolist()
    return sorted(chosen)


def fine_tuned(
    game: Game,
    start: Start,
    videos: LabelledVideos,
    num_classes: int,
    schedule: Schedule,
    seed: int,
    after_step: Callable[[float], None] | None = None,
) -> ActionClassifier:
    """A classifier trained on labelled videos; equal seeds give equal weights on a CPU.

    Of one seed, every start has the same last layer to begin with, the same clips in the same
    order, and the same dropout. Torch's own generator is left as it was.

    Args:
        game: One of VGAN's, in which nothing is changed.
        start: Its weights (gan), those but only the last layer learns (probe), or none (scratch).
        videos: What to learn from.
        num_classes: K, more than the highest label.
        schedule: How long, and how fast.
        seed: Draws the initial weights, the clips and the dropout.
        after_step: Called with the loss of each step.

    Raises:
        UserError: The game has no discriminator that could be fine-tuned, or the loss is not
            finite.
    """
    pretrained, frozen = STARTS[start]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        classifier = action_classifier(game, num_classes, schedule.dropout, pretrained, frozen)
        torch.manual_seed(seed)  # a trunk from scratch has drawn numbers, the others have not
        weights = [weight for weight in classifier.parameters() if weight.requires_grad]
        optimizer = replace(ADAM, learning_rate=schedule.learning_rate).build(weights)
        for pixels, labels in _drawn_batches(videos, schedule, seed):
            optimizer.zero_grad(set_to_none=True)
            logits = classifier(game.from_pixels(pixels.to(game.device)))
            loss = cross_entropy(logits.float(), labels.to(game.device))
            loss.backward()
            optimizer.step()
            value = loss.item()
            if not math.isfinite(value):
                raise UserError(
                    f"the classifier's loss became {value}; give a --learning_rate below "
                    f"{schedule.learning_rate:g}"
                )
            if after_step is not None:
                after_step(value)
    return classifier


def _drawn_batches(
    videos: LabelledVideos, schedule: Schedule, seed: int
) -> Iterator[tuple[UInt8[Tensor, "batch channel time height width"], Int64[Tensor, " batch"]]]:
    """Each pass shows every video once, by one of its clips; a batch may belong to two passes."""
    generator = torch.Generator().manual_seed(seed)
    count = schedule.steps * schedule.batch_size
    passes = range(math.ceil(count / len(videos)))
    order = torch.cat([torch.randperm(len(videos), generator=generator) for _ in passes])[:count]
    places = torch.randint(videos.clips.shape[1], (count,), generator=generator)
    for numbers, place in zip(
        order.split(schedule.batch_size), places.split(schedule.batch_size), strict=True
    ):
        yield videos.clips[numbers, place], videos.labels[numbers]


def video_probabilities(
    classifier: nn.Module, game: Game, videos: LabelledVideos, batch_size: int = 16
) -> Float[Tensor, "video classes"]:
    """Probability of each class for each video: the mean over its clips, on the CPU.

    Args:
        classifier: Used in evaluation mode.
        game: Knows the range of the pixels.
        videos: What to classify.
        batch_size: Clips at once.
    """
    clips = videos.clips.flatten(0, 1)
    with evaluation(classifier):
        probabilities = [
            classifier(game.from_pixels(pixels.to(game.device))).float().softmax(dim=1).cpu()
            for pixels in clips.split(batch_size)
        ]
    return torch.cat(probabilities).unflatten(0, videos.clips.shape[:2]).mean(dim=1)


def num_correct(classifier: nn.Module, game: Game, videos: LabelledVideos) -> int:
    """How many videos are of the class that is most probable over their clips."""
    predicted = video_probabilities(classifier, game, videos).argmax(dim=1)
    return int((predicted == videos.labels).sum())
