"""From a subject and metrics to scores, in one process or many."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from data.progress import shown_progress
from vidgen.adversarial.devices import make_fabric
from vidgen.adversarial.settings import TrainingSettings
from vidgen.commands.clip_sets import ClipSet, Draw, RecordedClips
from vidgen.commands.columns import Columns, ColumnStore, Measure
from vidgen.commands.duels import NAME as GAM
from vidgen.commands.duels import Duels, without_duels
from vidgen.commands.evaluate import EvaluateOptions
from vidgen.commands.extraction import chosen_embedder, chosen_extractor, label_map
from vidgen.commands.judging import Metric, Tools, chosen_metrics
from vidgen.commands.neighbour_pictures import write_neighbours
from vidgen.commands.outputs import say
from vidgen.commands.protocols import protocol_named
from vidgen.commands.scores import Score, append_score, score_table
from vidgen.commands.subjects import Subject, real_source, subject_of_folder, subjects_of_run
from vidgen.errors import UserError

# One process may find its whole share in the cache while another has hours to go.
_PATIENCE = timedelta(days=7)


def run_evaluation(run: Path | None, data: dict[str, Any], options: EvaluateOptions) -> None:
    """The whole command; see `vidgen.commands.evaluate.evaluate`."""
    others, with_rival = without_duels(options.metrics)
    if (options.rival is not None) and not with_rival:
        raise UserError(f"--rival {options.rival} is for --metrics {GAM}")
    metrics = chosen_metrics(others) if others else []
    fabric = make_fabric(TrainingSettings(accelerator=options.accelerator), _PATIENCE)
    tools = _tools(metrics, options, fabric)
    folder = options.generated
    if run is not None:
        out = options.out or run / "metrics"
        subjects = subjects_of_run(run, options, fabric.device)
    elif folder is not None:
        out = options.out or folder.with_name(f"{folder.name}-metrics")
        with fabric.rank_zero_first():
            scan = out / "generated-scan.json"
            subjects = iter([subject_of_folder(folder, options, fabric.device, scan)])
    else:
        raise ValueError("nothing to judge")
    scores: list[Score] = []
    for subject in subjects if metrics else ():
        judge = Judge(subject, data, metrics, tools, options, fabric, out)
        scores += judge.scores()
    if with_rival:
        if run is None:
            raise UserError(f"{GAM} sets a run against another: give RUN in place of --generated")
        scores += Duels(run, data, options, fabric, out).scores()
    if fabric.is_global_zero:
        say(score_table(scores))
        say(f"written to {out}")


def _tools(metrics: Sequence[Metric], options: EvaluateOptions, fabric: Fabric) -> Tools:
    protocol = protocol_named(options.protocol)
    extractor = embedder = None
    if any(metric.extractor for metric in metrics):
        extractor = chosen_extractor(options, protocol).to(fabric.device)
    if options.embedder is not None and any(metric.name == "acd" for metric in metrics):
        embedder = chosen_embedder(options).to(fabric.device)
    return Tools(protocol, extractor, embedder, options.shape_threshold, options.batch_size)


@dataclass(frozen=True)
class _Wanted:
    """A metric, and the columns that it is made of."""

    metric: Metric
    measure: Measure
    sets: list[ClipSet]
    num_real: int


class Judge:
    """Scores of one subject.

    Args:
        subject: What is judged.
        data: Options of real videos.
        metrics: By what.
        tools: What the metrics work with.
        options: How many clips, and how many at once.
        fabric: The processes.
        out: Folder for scores and caches.

    Raises:
        UserError: A metric needs what the subject has not.
    """

    def __init__(
        self,
        subject: Subject,
        data: dict[str, Any],
        metrics: Sequence[Metric],
        tools: Tools,
        options: EvaluateOptions,
        fabric: Fabric,
        out: Path,
    ) -> None:
        self._subject, self._options, self._fabric, self._out = subject, options, fabric, out
        asked = any(metric.draw == "balanced" for metric in metrics)
        self._tools = replace(
            tools, label_map=label_map(subject.classes, tools.extractor) if asked else None
        )
        if asked and not subject.num_classes:
            raise UserError(
                f"{subject.name} makes clips without classes; leave mcs, accuracy and intra_is out"
            )
        protocol = tools.protocol
        self._samples = options.samples or min(protocol.samples, subject.num_clips or 10**9)
        repeats = options.repeats or protocol.repeats
        self._store = ColumnStore(out / "cache", fabric.global_rank, fabric.world_size)
        self._real = self._real_clips(data, metrics)
        draws: set[Draw] = {metric.draw for metric in metrics}
        sets = {draw: [subject.clips(repeat, draw) for repeat in range(repeats)] for draw in draws}
        self._wanted = [
            _Wanted(m, m.measure(self._tools), sets[m.draw], self._num_real(m)) for m in metrics
        ]

    def scores(self) -> list[Score]:
        """Measures what is missing, and writes a line for each metric.

        Returns:
            The scores in the order of the metrics; none in processes other than the first.
        """
        began = time.monotonic()
        self._fill()
        self._fabric.barrier()
        if not self._fabric.is_global_zero:
            return []
        measuring = time.monotonic() - began
        scores = []
        for wanted in self._wanted:
            score = self._score(wanted, measuring)
            append_score(self._out, wanted.metric.name, score)
            scores.append(score)
            if wanted.metric.name == "neighbours" and self._real is not None:
                columns = [self._columns(wanted, clips) for clips in (wanted.sets[0], None)]
                write_neighbours(
                    self._out / f"neighbours-{self._subject.name}.png",
                    (wanted.sets[0], columns[0]),
                    (self._real, columns[1]),
                )
        return scores

    def _real_clips(self, data: dict[str, Any], metrics: Sequence[Metric]) -> RecordedClips | None:
        if data.get("root") is None:
            comparing = [metric.name for metric in metrics if metric.compares]
            if comparing:
                raise UserError(
                    f"{', '.join(comparing)} compare with real videos; give --data.root DIR"
                )
            return None
        if any(metric.draw == "balanced" for metric in metrics) and self._subject.classes:
            # The same numbers for the same classes.
            data = {**data, "classes": data.get("classes") or self._subject.classes}
        with self._fabric.rank_zero_first():
            source = real_source(data, self._subject.shape, self._out / "scan.json")
        return RecordedClips(source, device=self._fabric.device)

    def _num_real(self, metric: Metric) -> int:
        if self._real is None or metric.draw == "levels":
            return 0
        if metric.name == "neighbours":
            return len(self._real)  # each video once: two windows of one would be neighbours
        passes = self._tools.protocol.real_passes
        return self._samples if passes is None else passes * len(self._real)

    def _fill(self) -> None:
        todo: dict[str, tuple[ClipSet, int, str, dict[str, Measure]]] = {}
        for wanted in self._wanted:
            titled = [
                (clips, self._samples, f"{self._subject.name}, repeat {number + 1}")
                for number, clips in enumerate(wanted.sets)
            ]
            if self._real is not None and wanted.num_real:
                titled.append((self._real, wanted.num_real, "real clips"))
            for clips, count, title in titled:
                job = todo.setdefault(f"{clips.key} {count}", (clips, count, title, {}))
                job[3][wanted.measure.key] = wanted.measure
        for clips, count, title, measures in todo.values():
            with shown_progress(title) as progress:
                self._store.fill(
                    clips, list(measures.values()), count, self._options.batch_size, progress
                )

    def _columns(self, wanted: _Wanted, clips: ClipSet | None) -> Columns:
        """The columns of generated clips, or of the real ones for `None`."""
        if clips is None:
            if self._real is None:
                raise ValueError("there are no real clips")
            return self._store.columns(self._real, wanted.measure, wanted.num_real)
        return self._store.columns(clips, wanted.measure, self._samples)

    def _score(self, wanted: _Wanted, measuring: float) -> Score:
        began, metric, extractor = time.monotonic(), wanted.metric, self._tools.extractor
        real = self._columns(wanted, None) if wanted.num_real else None
        figures = [
            metric.value(self._columns(wanted, clips), real, self._tools) for clips in wanted.sets
        ]
        of_real = None
        if real is not None and not metric.compares:
            of_real = metric.value(real, None, self._tools)["value"]
        values = [figure.pop("value") for figure in figures]
        details: dict[str, list[Any]] = defaultdict(list)
        for figure in figures:
            for name, number in figure.items():
                details[name].append(number)
        judged = extractor if metric.extractor else None
        return Score(
            metric=metric.label(self._tools, self._samples),
            values=values,
            better=metric.better,
            protocol=self._protocol(wanted),
            num_generated=self._samples,
            num_real=wanted.num_real,
            checkpoint=self._subject.name,
            checkpoint_sha256=self._subject.sha256,
            extractor="" if judged is None else judged.name,
            extractor_sha256="" if judged is None else judged.sha256,
            seconds=round(measuring + time.monotonic() - began, 3),
            real=of_real,
            details=dict(details),
        )

    def _protocol(self, wanted: _Wanted) -> str:
        """All that must be equal where two scores are compared, in words."""
        tools = self._tools
        parts = [tools.protocol.name, wanted.measure.key, f"{self._samples} clips"]
        parts += [f"{name} {value}" for name, value in self._subject.shape.items()]
        if wanted.metric.name in ("is", "intra_is"):
            parts.append(f"epsilon {tools.epsilon:g}")
        if wanted.metric.compares and self._real is not None:
            parts.append(f"{wanted.num_real} real clips of {self._real.key['recorded'][:16]}")
        if self._options.truncation != 1:
            parts.append(f"truncation {self._options.truncation:g}")
        return "; ".join(parts)
