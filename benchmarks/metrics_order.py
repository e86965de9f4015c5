"""Do the metrics put clips in the right order, and do they notice what is spoiled, and how much?

    python -m vidgen fit_classifier --data.root weizmann/videos --held_out g08,g09 \\
        --size 32 --steps 150 --out weizmann32.safetensors
    python benchmarks/metrics_order.py --data weizmann/videos --run runs/weizmann \\
        --extractor weizmann32.safetensors --out order

Judges, against clips of the training people: other clips of theirs, the same spoiled in every way
of `distortions.py`, with classes left out, and partly replaced by the very clips that `neighbours`
knows; clips of the people held out; a trained model; and the same model untrained. Those that are
not spoiled are also judged against clips of the people held out, to whom clips of the training
people and of the model are equally foreign. What is expected of each metric is written in
`expectations.py`; the tables, which also go to order.md, mark where it holds (✓) and where it does
not (✗). Stopped, the same command goes on.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.distortions import BY_NAME
from benchmarks.expectations import METRICS, STRENGTHS, Table, order_lines, spoiled_lines
from data.videos import VideoClips
from vidgen.adversarial.checkpoints import load_game
from vidgen.adversarial.described import build
from vidgen.adversarial.devices import make_fabric
from vidgen.adversarial.settings import TrainingSettings
from vidgen.commands.clip_sets import (
    ClipSet,
    GeneratedClips,
    NumberedClips,
    RecordedClips,
    checkpoint_hash,
)
from vidgen.commands.evaluate import EvaluateOptions
from vidgen.commands.evaluation import Judge
from vidgen.commands.judging import Tools, chosen_metrics
from vidgen.commands.protocols import protocol_named
from vidgen.commands.subjects import Subject
from vidgen.metrics.extractors.own import OwnClassifier

REPEATS = 10  # of unspoiled clips: how far chance alone moves a value


class KnownClips(ClipSet):
    """Clips in memory.

    Args:
        drawn: Where they come from.
        count: How many.
    """

    def __init__(self, drawn: ClipSet, count: int) -> None:
        self._made, self.key = drawn.clips(range(count)), drawn.key

    def clips(self, numbers: Sequence[int]) -> NumberedClips:
        rows = torch.tensor(list(numbers))
        return NumberedClips(self._made.clips[rows], self._made.labels[rows])


class SpoiledClips(ClipSet):
    """Clips after a distortion; what is drawn by chance depends on the clip's number alone.

    Args:
        whole: The clips.
        name: Of the distortion.
        strength: Its strength.
    """

    def __init__(self, whole: ClipSet, name: str, strength: float) -> None:
        self._whole, self._distort, self._strength = whole, BY_NAME[name], strength
        self.key = {"clips": whole.key, "distortion": name, "strength": strength}

    def clips(self, numbers: Sequence[int]) -> NumberedClips:
        made = self._whole.clips(numbers)
        spoiled = [
            self._distort(clip[None], self._strength, torch.Generator().manual_seed(number))
            for number, clip in zip(numbers, made.clips, strict=True)
        ]
        return NumberedClips(torch.cat(spoiled), made.labels)


class PartlyCopied(ClipSet):
    """Clips of which some are replaced by one and the same clip of their video.

    Args:
        fresh: The clips.
        known: Other clips of the same videos; the first one of each is what is copied.
        share: Of the clips that are copies.
    """

    def __init__(self, fresh: RecordedClips, known: RecordedClips, share: float) -> None:
        self._fresh, self._known, self._share = fresh, known, share
        self._of_video = {known.item(number): number for number in range(len(known))}
        self.key = {"clips": fresh.key, "copies": known.key, "share": share}

    def clips(self, numbers: Sequence[int]) -> NumberedClips:
        fresh = self._fresh.clips(numbers)
        copies = self._known.clips([self._of_video[self._fresh.item(n)] for n in numbers])
        drawn = [torch.rand((), generator=torch.Generator().manual_seed(n)) for n in numbers]
        copied = torch.stack(drawn) < self._share
        return NumberedClips(
            torch.where(copied.view(-1, 1, 1, 1, 1), copies.clips, fresh.clips), fresh.labels
        )


def videos(options: argparse.Namespace, shape: dict[str, Any], **wanted: Any) -> VideoClips:
    cache = options.out / f"{wanted['split']}.json"
    return VideoClips(options.data, **shape, scan_cache=cache, **wanted)


def subjects(options: argparse.Namespace) -> Iterator[tuple[str, float, Subject]]:
    """Name, strength and clips of everything that is judged; the unspoiled clips first."""
    loaded = load_game(options.run, options.checkpoint)
    # Read now: a training that goes on removes its older checkpoints.
    weights = checkpoint_hash(loaded)
    shape = loaded.game.data_options()
    train = videos(options, shape, split="train")
    count, classes = options.samples, train.classes

    def subject(name: str, strength: float, sets: Sequence[ClipSet]) -> tuple[str, float, Subject]:
        title = f"{name}-{strength:g}" if strength else name
        return (
            name,
            strength,
            Subject(title, "", shape, 0, [], None, train.fps, lambda repeat, draw: sets[repeat]),
        )

    # Repeat 0 of the reference has seed 0.
    fresh = [RecordedClips(train, seed=1 + repeat) for repeat in range(REPEATS)]
    whole = KnownClips(fresh[0], count)
    yield subject("whole", 0, [whole, *fresh[1:]])
    for name in BY_NAME:
        for strength in STRENGTHS[name]:
            yield subject(name, strength, [SpoiledClips(whole, name, strength)])
    for dropped in STRENGTHS["dropped classes"]:
        rest = videos(options, shape, split="train", classes=classes[: -int(dropped)])
        yield subject("dropped classes", dropped, [RecordedClips(rest, seed=1)])
    for share in STRENGTHS["copies"]:
        yield subject("copies", share, [PartlyCopied(fresh[0], RecordedClips(train), share)])
    held_out = RecordedClips(videos(options, shape, split="test"), seed=1)
    yield subject("held out", 0, [held_out])
    yield subject("trained", 0, [GeneratedClips(loaded.game, weights)])
    torch.manual_seed(0)
    untrained = build(loaded.game.describe()).eval()
    origin = f"seed 0, untrained: {untrained.describe()}"
    yield subject("untrained", 0, [GeneratedClips(untrained, origin)])


def judged(options: argparse.Namespace) -> tuple[Table, Table]:
    """The values of every metric: of all clips against the training people, and of those that are
    not spoiled against the people held out.
    """
    tools = Tools(protocol_named("default"), OwnClassifier(options.extractor))
    fabric = make_fabric(TrainingSettings(accelerator="cpu"))
    metrics = chosen_metrics(",".join(METRICS))

    def values(subject: Subject, split: str, repeats: int = 1) -> dict[str, list[float]]:
        data = {"root": options.data, "split": split, "scan_cache": options.out / f"{split}.json"}
        asked = EvaluateOptions(samples=options.samples, repeats=repeats)
        scores = Judge(subject, data, metrics, tools, asked, fabric, options.out).scores()
        return {metric: score.values for metric, score in zip(METRICS, scores, strict=True)}

    table: Table = {}
    against_others: Table = {}
    for name, strength, subject in subjects(options):
        began = time.perf_counter()
        table[name, strength] = values(subject, "train", REPEATS if name == "whole" else 1)
        if name in ("whole", "held out", "trained", "untrained"):
            against_others[name, 0] = values(subject, "test")
        seconds = time.perf_counter() - began
        sys.stderr.write(f"{subject.name}: {seconds:.0f} s\n")
    return table, against_others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="labelled videos with a split")
    parser.add_argument("--run", type=Path, required=True, help="a training on the train split")
    parser.add_argument("--checkpoint", default="latest", help="which one of the run")
    parser.add_argument("--extractor", type=Path, required=True, help="a file of fit_classifier")
    parser.add_argument("--out", type=Path, required=True, help="folder for scores and caches")
    parser.add_argument("--samples", type=int, default=256, help="clips of each set")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    table, against_others = judged(options)
    first = order_lines(table, ("whole", "held out", "trained", "untrained"))
    second = order_lines(against_others, ("held out", "whole", "trained", "untrained"))
    text = "\n".join([*first, "", *second, "", *spoiled_lines(table), ""])
    (options.out / "order.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
