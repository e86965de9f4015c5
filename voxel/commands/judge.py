"""Scores of one model of shapes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric

from data.progress import shown_progress
from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.commands.clip_sets import ClipSet, GeneratedClips
from vidgen.commands.columns import Columns, ColumnStore, Measure
from vidgen.commands.outputs import ability
from vidgen.commands.scores import Score, append_score
from vidgen.errors import UserError
from voxel.commands.distances import Distance, DistanceStore, Pairing
from voxel.commands.evaluate import ShapeEvaluateOptions
from voxel.commands.evidence import DRAWN, Evidence, SetName, ShapeMetric, ShapeTools
from voxel.commands.real_shapes import RealShapes
from voxel.commands.shape_sets import Reconstructions

# Where no real shapes say how many are wanted.
SAMPLES = 256


class ShapeJudge:
    """Judges a model by metrics.

    Args:
        loaded: The model.
        real: The real shapes.
        metrics: By what.
        tools: What the metrics work with.
        options: How many shapes, and how many at once.
        fabric: The processes.
        out: Folder for scores and caches.

    Raises:
        UserError: A metric needs what the model or the data has not.
    """

    def __init__(
        self,
        loaded: LoadedGame,
        real: RealShapes,
        metrics: Sequence[ShapeMetric],
        tools: ShapeTools,
        options: ShapeEvaluateOptions,
        fabric: Fabric,
        out: Path,
    ) -> None:
        self._loaded, self._real, self._tools = loaded, real, tools
        self._metrics, self._options, self._fabric, self._out = metrics, options, fabric, out
        ranks = (fabric.global_rank, fabric.world_size)
        self._columns = ColumnStore(out / "cache", *ranks)
        self._distances = DistanceStore(out / "cache", *ranks)
        comparing = [m.name for m in metrics if set(m.sets) - {"generated", "balanced"}]
        if comparing and not real.given:
            raise UserError(f"{', '.join(comparing)} need real shapes; give --data.root DIR")
        asked: set[SetName] = {name for metric in metrics for name in metric.sets}
        if "pairs" in asked:
            ability(loaded, "reconstruct", "reconstruct shapes: leave ap, iou, fscore and such out")
        described = real.given and any(metric.describes for metric in metrics)
        if described:
            asked.add("reference")
        self._sets = {name: self._drawn(name) for name in sorted(asked)}

    def scores(self) -> list[Score]:
        """Measures what is missing, and writes a line for each metric.

        Returns:
            The scores in the order of the metrics; none in processes other than the first.
        """
        began = time.monotonic()
        self._fill_columns()
        self._fabric.barrier()
        self._fill_distances()
        self._fabric.barrier()
        if not self._fabric.is_global_zero:
            return []
        measuring = time.monotonic() - began
        scores = []
        for metric in self._metrics:
            score = self._score(metric, measuring)
            append_score(self._out, metric.name, score)
            scores.append(score)
        return scores

    def _drawn(self, name: SetName) -> Sequence[ClipSet]:
        """The sets of this name, one a repeat, or one for all."""
        game: Any = self._loaded.game
        origin, repeats = self._tools.origin, range(self._options.repeats)
        if name == "reference":
            return [self._real.reference]
        if name == "train":
            return [self._real.train]
        if name == "pairs":
            pairs = self._real.pairs
            return [Reconstructions(game, origin, pairs, repeat) for repeat in repeats]
        draw = "balanced" if name == "balanced" else "prior"
        truncation = self._options.truncation
        return [GeneratedClips(game, origin, n, None, truncation, draw) for n in repeats]

    def _count(self, metric: ShapeMetric, name: SetName) -> int:
        """How many shapes of a set a metric sees."""
        samples = self._options.samples
        if name == "pairs":
            return samples or len(self._real.pairs)
        if metric.equal:
            return min(samples or len(self._real.reference), len(self._real.reference))
        if name in DRAWN:
            return samples or SAMPLES
        return len(self._real.train if name == "train" else self._real.reference)

    def _seen(self, metric: ShapeMetric) -> list[SetName]:
        """The sets of a metric, and the real shapes that it is shown beside."""
        beside: list[SetName] = []
        if metric.describes and "reference" in self._sets:
            beside = ["reference"]
        return [*metric.sets, *beside]

    def _fill_columns(self) -> None:
        todo: dict[str, tuple[ClipSet, int, str, dict[str, Measure]]] = {}
        for metric in self._metrics:
            measure = metric.measure(self._tools)
            for name in self._seen(metric):
                count = self._count(metric, name)
                for number, shapes in enumerate(self._sets[name]):
                    title = f"{self._loaded.folder.name}, {name} {number + 1}"
                    key = f"{shapes.key} {count}"
                    job = todo.setdefault(key, (shapes, count, title, {}))
                    job[3][measure.key] = measure
        for shapes, count, title, measures in todo.values():
            with shown_progress(title) as progress:
                self._columns.fill(
                    shapes, list(measures.values()), count, self._options.batch_size, progress
                )

    def _fill_distances(self) -> None:
        for metric in self._metrics:
            for repeat in range(self._repeats(metric)):
                columns = self._known(metric, repeat)
                for distance, one, other in metric.pairings:
                    title = f"distances {distance} from {one} to {other} shapes"
                    with shown_progress(title) as progress:
                        pairing = Pairing(distance, columns[one], columns[other])
                        self._distances.fill(pairing, progress)

    def _repeats(self, metric: ShapeMetric) -> int:
        """One, where nothing is drawn anew."""
        return self._options.repeats if set(metric.sets) & set(DRAWN) else 1

    def _known(self, metric: ShapeMetric, repeat: int) -> dict[SetName, Columns]:
        measure = metric.measure(self._tools)
        known: dict[SetName, Columns] = {}
        for name in self._seen(metric):
            sets = self._sets[name]
            count = self._count(metric, name)
            known[name] = self._columns.columns(sets[repeat % len(sets)], measure, count)
        return known

    def _figures(self, metric: ShapeMetric, columns: dict[SetName, Columns]) -> dict[str, Any]:
        def matrix(distance: Distance, one: SetName, other: SetName) -> np.ndarray:
            return self._distances.matrix(Pairing(distance, columns[one], columns[other]))

        classes = self._real.pairs.classes if "pairs" in metric.sets else ()
        return metric.value(Evidence(columns, matrix, self._tools, classes))

    def _score(self, metric: ShapeMetric, measuring: float) -> Score:
        began = time.monotonic()
        each = [self._known(metric, repeat) for repeat in range(self._repeats(metric))]
        figures = [self._figures(metric, columns) for columns in each]
        of_real = None
        if metric.describes and "reference" in each[0]:
            of_real = self._figures(metric, {"generated": each[0]["reference"]})["value"]
        values = [figure.pop("value") for figure in figures]
        details: dict[str, list[Any]] = defaultdict(list)
        for figure in figures:
            for name, number in figure.items():
                details[name].append(number)
        counts: dict[SetName, int] = {name: columns.count for name, columns in each[0].items()}
        judge = self._tools.clips.extractor if metric.extractor else None
        return Score(
            metric=metric.label(self._tools),
            values=values,
            better=metric.better,
            protocol=self._protocol(metric, counts),
            num_generated=sum(count for name, count in counts.items() if name in DRAWN),
            num_real=sum(count for name, count in counts.items() if name not in DRAWN),
            checkpoint=self._loaded.folder.name,
            checkpoint_sha256=self._tools.origin,
            extractor="" if judge is None else judge.name,
            extractor_sha256="" if judge is None else judge.sha256,
            seconds=round(measuring + time.monotonic() - began, 3),
            real=of_real,
            details=dict(details),
        )

    def _protocol(self, metric: ShapeMetric, counts: dict[SetName, int]) -> str:
        """All that must be equal where two scores are compared, in words."""
        measure = metric.measure(self._tools).key.replace(self._tools.origin, "the model itself")
        parts = [measure, f"size {self._loaded.game.example_shape[-1]}"]
        parts += sorted({f"distance {distance}" for distance, _, _ in metric.pairings})
        for name in metric.sets:
            part = f"{counts[name]} {name}"
            if name not in ("generated", "balanced"):
                recorded = self._sets[name][0].key["recorded"]
                part += f" of {recorded[:16]}"
            parts.append(part)
        if self._options.truncation != 1 and {"generated", "balanced"} & set(metric.sets):
            parts.append(f"truncation {self._options.truncation:g}")
        return "; ".join(parts)
