"""Metrics of synthetic clips move as expected when the clips are spoiled, the more the further."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import distortions
from benchmarks.expectations import (
    BETTER,
    METRICS,
    SPOILED,
    moves,
    order_lines,
    spoiled_lines,
)
from benchmarks.expectations import (
    STRENGTHS as STATED,
)
from benchmarks.metrics_order import KnownClips, PartlyCopied, SpoiledClips
from data.sources import Sample, Source
from data.synthetic import ShapeMotion
from vidgen.commands.clip_sets import NumberedClips, RecordedClips
from vidgen.commands.columns import Columns, Values, chunk_numbers, measured
from vidgen.commands.judging import METRICS as BY_NAME
from vidgen.commands.judging import Tools
from vidgen.commands.protocols import protocol_named
from vidgen.metrics.extractors.fitting import fit_classifier, num_correct
from vidgen.metrics.extractors.own import ClassifierConfig, OwnClassifier, save_classifier

FRAMES, SIDE, COUNT = 8, 32, 64
STRENGTHS = {
    "blur": (1.4, 2.8),
    "noise": (24, 64),
    "frozen": (0.5, 1),
    "shuffled": (0.5, 1),
    "brighter": (8, 32),
}
# What one flat shape on black can show of what is expected of films. Its color never changes and
# its pixels flicker as they are, so ACD and flicker have closed forms below.
EXPECTED = {
    "blur": {"up": "fid kvd swd ms_ssim", "down": "change flicker recall"},
    "noise": {"up": "fid kvd swd swd_motion change neighbours", "down": "ms_ssim"},
    "frozen": {"up": "fid kvd swd_motion freeze", "down": "change is"},
    "shuffled": {"up": "fid kvd change", "down": "is", "same": "swd acd"},
    "brighter": {"up": "fid kvd neighbours", "same": "swd change"},
}


class Kept(Columns):
    """Columns in memory."""

    def __init__(self, chunks: list[Values]) -> None:
        super().__init__(Path(), 0)
        self._chunks = chunks

    def chunks(self) -> Iterator[Values]:
        return iter(self._chunks)


def shape_motion(seed: int, count: int) -> NumberedClips:
    source = ShapeMotion(FRAMES, SIDE, num_clips=count, seed=seed)
    samples = [source.draw(item, np.random.default_rng(0)) for item in range(count)]
    clips = torch.from_numpy(np.stack([sample.clip for sample in samples])).float() / 127.5 - 1
    return NumberedClips(clips, torch.tensor([sample.label for sample in samples]))


@pytest.fixture(scope="module")
def tools(tmp_path_factory) -> Tools:
    """With a classifier of the directions, taught for a few seconds."""
    config = ClassifierConfig("small", ["up", "left"], FRAMES, SIDE, SIDE, 4, -1.0, {})
    known = shape_motion(7, 240)
    pixels = ((known.clips + 1) * 127.5).round().to(torch.uint8)

    def batches():
        while True:
            yield from zip(pixels.split(16), known.labels.split(16), strict=True)

    network = fit_classifier(config, batches(), 90, 3e-3, seed=0)
    correct, count = num_correct(network, [(pixels[:64], known.labels[:64])])
    assert correct / count > 0.9, "it has not learned enough to judge by"
    path = tmp_path_factory.mktemp("classifier") / "small.safetensors"
    save_classifier(path, config, network.state_dict())
    return Tools(protocol_named("default"), OwnClassifier(path))


def values(tools: Tools, made: NumberedClips, real: NumberedClips) -> dict[str, float]:
    """What each metric says of some clips."""
    kept: dict[tuple[str, bool], Kept] = {}

    def columns(measure, of_real: bool) -> Kept:
        key = measure.key, of_real
        if key not in kept:
            clips, labels = real if of_real else made
            pieces = [slice(n[0], n[-1] + 1) for n in chunk_numbers(len(clips))]
            kept[key] = Kept(
                [measured(measure, NumberedClips(clips[p], labels[p])) for p in pieces]
            )
        return kept[key]

    found = {}
    for name in METRICS:
        metric = BY_NAME[name]
        measure = metric.measure(tools)
        ours, theirs = columns(measure, False), columns(measure, True)
        found[name] = metric.value(ours, theirs, tools)["value"]
    return found


@pytest.fixture(scope="module")
def real() -> NumberedClips:
    return shape_motion(0, COUNT)


@pytest.fixture(scope="module")
def whole(tools, real) -> list[dict[str, float]]:
    return [values(tools, shape_motion(seed, COUNT), real) for seed in range(1, 5)]


def spread(whole, metric):
    return float(np.std([found[metric] for found in whole]))


@pytest.mark.parametrize("name", STRENGTHS)
def test_spoiled_clips_move_the_metrics_as_expected(tools, real, whole, name):
    clips, labels = shape_motion(1, COUNT)
    rows = [whole[0]]
    for strength in STRENGTHS[name]:
        spoiled = [
            distortions.BY_NAME[name](clip[None], strength, torch.Generator().manual_seed(number))
            for number, clip in enumerate(clips)
        ]
        rows.append(values(tools, NumberedClips(torch.cat(spoiled), labels), real))
    for way, metrics in EXPECTED[name].items():
        for metric in metrics.split():
            found = [row[metric] for row in rows]
            assert moves(found, spread(whole, metric), way), (metric, way, found)


def test_a_class_left_out_and_copies_are_noticed(tools, real, whole):
    clips, labels = shape_motion(1, 3 * COUNT)
    only = NumberedClips(clips[labels == 0][:COUNT], labels[labels == 0][:COUNT])
    found = values(tools, only, real)
    for way, metrics in {"up": "fid kvd", "down": "is recall"}.items():
        for metric in metrics.split():
            pair = [whole[0][metric], found[metric]]
            assert moves(pair, spread(whole, metric), way), (metric, way, pair)
    copies = values(tools, real, real)
    assert copies["neighbours"] == 0 < whole[0]["neighbours"]


def test_strong_noise_is_improbable(tools, real, whole):
    clips, labels = shape_motion(1, COUNT)
    noisy = distortions.noise(clips, 120, torch.Generator().manual_seed(0))
    found = values(tools, NumberedClips(noisy, labels), real)
    assert found["precision"] < whole[0]["precision"] - 0.25


def test_distortions_do_what_they_say():
    clips = torch.rand(2, 3, 6, 9, 8, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    generator = torch.Generator().manual_seed(0)
    still = distortions.freeze(clips, 1, generator)
    torch.testing.assert_close(still, clips[:, :, :1].expand_as(clips))
    half = distortions.freeze(clips, 0.6, generator)
    assert torch.equal(half[:, :, :3], clips[:, :, :3])
    assert torch.equal(half[:, :, 3:], clips[:, :, 2:3].expand(-1, -1, 3, -1, -1))
    moved = distortions.shuffle(clips, 0.5, generator)
    same = (moved == clips).flatten(3).all(dim=3).all(dim=1)
    assert same.sum(dim=1).tolist() == [3, 3], "half of the frames change places"
    torch.testing.assert_close(moved.sum(dim=2), clips.sum(dim=2))
    torch.testing.assert_close(distortions.brighten(clips, 12.75, generator), clips + 0.1)
    louder = distortions.noise(torch.zeros(1, 3, 8, 40, 40), 12.75, generator)
    assert float(louder.std()) == pytest.approx(0.1, rel=0.01)
    dot = torch.zeros(1, 1, 1, 31, 31)
    dot[..., 15, 15] = 1
    soft = distortions.blur(dot, 2, generator)[0, 0, 0]
    assert float(soft.sum()) == pytest.approx(1, rel=1e-5)
    places = torch.arange(31.0) - 15
    assert float((soft.sum(dim=0) * places**2).sum()) == pytest.approx(4, rel=0.05)


class Dice(Source):
    """Each draw of an item is another clip of the item's level."""

    classes, fps = ["low", "high"], 8.0

    def __len__(self):
        return 6

    def draw(self, item, generator):
        clip = 40 * item + generator.integers(0, 30, (3, 4, 8, 8), dtype=np.uint8)
        return Sample(clip.astype(np.uint8), item % 2)

    def fingerprint(self):
        return "dice"


def test_copies_are_of_the_clips_own_video_and_the_rest_stays():
    fresh, known = RecordedClips(Dice(), seed=1), RecordedClips(Dice())
    everything = PartlyCopied(fresh, known, 1.0).clips(range(12))
    items = [fresh.item(number) for number in range(12)]
    first = {known.item(number): known.clips([number]).clips[0] for number in range(6)}
    torch.testing.assert_close(everything.clips, torch.stack([first[item] for item in items]))
    assert everything.labels.tolist() == [item % 2 for item in items]
    half = PartlyCopied(fresh, known, 0.5).clips(range(12)).clips
    copied = (half == everything.clips).flatten(1).all(dim=1)
    kept = (half == fresh.clips(range(12)).clips).flatten(1).all(dim=1)
    assert torch.equal(kept, ~copied) and 0 < copied.sum() < 12


def test_a_clip_is_spoiled_alike_in_any_batch():
    whole = KnownClips(RecordedClips(Dice(), seed=1), 9)
    spoiled = SpoiledClips(whole, "noise", 20)
    together, alone = spoiled.clips(range(9)).clips, spoiled.clips([7]).clips
    assert torch.equal(together[7:8], alone) and not torch.equal(alone, whole.clips([7]).clips)
    assert spoiled.key != SpoiledClips(whole, "noise", 30).key


def test_a_move_is_judged_against_chance_and_may_not_turn_back():
    assert moves([1, 2, 3], 0.4, "up") and moves([3, 1, 1], 0.4, "down")
    assert not moves([1, 2, 3], 0.42, "up"), "within 4.8 standard deviations"
    assert not moves([1, 3, 2], 0.1, "up") and not moves([3, 2, 1], 0.1, "up")
    assert moves([1, 1.2, 0.9], 0.1, "same") and not moves([1, 1.2, 0.5], 0.1, "same")


ORDER = ("whole", "held out", "trained", "untrained")


def made_up_table(found):
    """Values of every metric: 10 for unspoiled clips, `found(way, number)` for the others."""
    table = {("whole", 0): {metric: [10.0, 10.1, 9.9] for metric in METRICS}}
    for name, strengths in STATED.items():
        for number, strength in enumerate(strengths, 1):
            row = {metric: [10.0] for metric in METRICS}
            for way, metrics in SPOILED[name].items():
                row |= {metric: [found(way, number)] for metric in metrics.split()}
            table[name, strength] = row
    for number, name in enumerate(ORDER[1:], 1):
        row = {metric: [10.0 + number] for metric in METRICS}
        row |= {metric: [found("down", number)] for metric in BETTER["higher"].split()}
        table[name, 0] = row
    return table


def test_the_tables_mark_what_holds_and_what_does_not():
    as_stated = made_up_table(lambda way, n: 10.0 + n * {"up": 1, "down": -1, "same": 0}[way])
    text = "\n".join([*order_lines(as_stated, ORDER), *spoiled_lines(as_stated)])
    assert "✗" not in text and "↑ ✓" in text and "↓ ✓" in text and "= ✓" in text
    reversed_ = made_up_table(lambda way, n: 10.0 + n * {"up": -1, "down": 1, "same": 1}[way])
    order = [line for line in order_lines(reversed_, ORDER) if "higher" in line]
    assert len(order) == 3 and all("✗" in line for line in order)
    assert "✓" not in "\n".join(spoiled_lines(reversed_))
