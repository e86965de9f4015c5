"""Scores of a game while it trains, from clips of its own seeds and of its training data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from data.sources import DataError, Source
from vidgen.adversarial.best import Judgement
from vidgen.adversarial.game import Game
from vidgen.adversarial.settings import TrainingSettings
from vidgen.commands.clip_sets import ClipSet, GeneratedClips, NumberedClips, RecordedClips
from vidgen.commands.columns import Columns, Measure, Values, chunk_numbers, measured
from vidgen.commands.judging import Metric, Tools, chosen_metrics
from vidgen.commands.protocols import PROTOCOLS
from vidgen.errors import UserError
from vidgen.metrics.extractors.own import OwnClassifier

# As with the sample pictures, memory should not be what ends a training.
_CLIPS_AT_ONCE = 8


class _KeptColumns(Columns):
    """Columns in memory: the weights of a training change too often to be worth a cache."""

    def __init__(self, kept: list[Values], count: int) -> None:
        super().__init__(Path(), count)
        self._kept = kept

    def chunks(self) -> Iterator[Values]:
        """See `Columns`."""
        return iter(self._kept)


class TrainingScores:
    """Judges a game, always on the clips of the same seeds, by metrics that `evaluate.py` knows.

    It draws nothing from the generators of the game or of torch: a training is the same, bit for
    bit, with and without it.

    Args:
        settings: Which metrics, of how many clips, with which network.
        game: What will be judged; only its shapes are looked at.
        source: The training data, drawn from once, at the first judgement.

    Raises:
        UserError: A metric cannot be used so.
    """

    def __init__(self, settings: TrainingSettings, game: Game, source: Source) -> None:
        if "num_frames" not in game.data_options():
            raise UserError("--training.evaluate_every: only clips can be judged; leave it out")
        self._metrics = chosen_metrics(settings.evaluate, "--training.evaluate")
        self._count, self._source = settings.evaluate_samples, source
        self._real: dict[str, Columns] = {}
        extractor = None
        if settings.extractor is not None:
            extractor = OwnClassifier(Path(settings.extractor))
        for metric in self._metrics:
            _check(metric, extractor is not None)
        self._tools = Tools(PROTOCOLS["default"], extractor, batch_size=_CLIPS_AT_ONCE)
        self._measures = {metric.name: metric.measure(self._tools) for metric in self._metrics}
        self._rehearse(game)

    def __call__(self, game: Game) -> Judgement:
        """The scores; none, and a line that says why, where they cannot be had."""
        if self._tools.extractor is not None:
            self._tools.extractor.to(game.device)
        try:
            made = self._columns(GeneratedClips(game, "training"), self._metrics)
            comparing = [metric for metric in self._metrics if metric.compares]
            if comparing and not self._real:
                real = RecordedClips(self._source, device=game.device)
                self._real = self._columns(real, comparing)
            scores = {
                metric.name: metric.value(
                    made[self._key(metric)], self._real.get(self._key(metric)), self._tools
                )["value"]
                for metric in self._metrics
            }
        except (UserError, DataError) as error:
            sys.stdout.write(f"not judged: {error}\n")
            return Judgement()
        better = {metric.name: metric.better for metric in self._metrics}
        return Judgement(
            scores, {name: way for name, way in better.items() if way in ("higher", "lower")}
        )

    def _key(self, metric: Metric) -> str:
        return self._measures[metric.name].key

    def _columns(self, clips: ClipSet, metrics: list[Metric]) -> dict[str, Columns]:
        """The columns of each measure, by its key; each clip is made once for all."""
        wanted: dict[str, Measure] = {
            self._key(metric): self._measures[metric.name] for metric in metrics
        }
        kept: dict[str, list[Values]] = {key: [] for key in wanted}
        for numbers in chunk_numbers(self._count):
            made = clips.clips_in_parts(numbers, _CLIPS_AT_ONCE)
            for key, measure in wanted.items():
                kept[key].append(measured(measure, made))
        return {key: _KeptColumns(values, self._count) for key, values in kept.items()}

    def _rehearse(self, game: Game) -> None:
        """Clips too small or too short for a metric are told before the training, not in it."""
        blank = NumberedClips(torch.zeros(2, *game.example_shape), torch.zeros(2).long())
        for name, measure in self._measures.items():
            try:
                measured(measure, blank)
            except ValueError as error:
                raise UserError(f"--training.evaluate {name}: {error}") from error


def _check(metric: Metric, has_extractor: bool) -> None:
    if metric.draw != "prior" or metric.name == "neighbours":
        raise UserError(
            f"--training.evaluate {metric.name}: this one is for evaluate.py, after the training"
        )
    if metric.extractor and not has_extractor:
        raise UserError(
            f"--training.evaluate {metric.name} needs a network: give --training.extractor FILE, "
            "made by `python -m vidgen fit_classifier --data.root DIR --out FILE`"
        )
