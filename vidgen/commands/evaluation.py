"""From a run and metrics to scores: measures clips, in one process or many, and tells the result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from data.progress import shown_progress
from vidgen.adversarial.checkpoints import LoadedGame, load_game
from vidgen.adversarial.devices import make_fabric
from vidgen.adversarial.settings import TrainingSettings
from vidgen.commands.clip_sets import ClipSet, GeneratedClips, RecordedClips, checkpoint_hash
from vidgen.commands.columns import ColumnStore
from vidgen.commands.judging import Metric, Tools
from vidgen.commands.outputs import say
from vidgen.commands.scores import Score, append_score, score_table


class Evaluation:
    """Judges sets of clips by some metrics.

    Args:
        metrics: What to compute.
        tools: What they work with.
        samples: Clips of a repeat.
        repeats: How often other clips are drawn.
        batch_size: Clips made at once.
        accelerator: Kind of device.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        tools: Tools,
        samples: int,
        repeats: int,
        batch_size: int,
        accelerator: str,
    ) -> None:
        self._metrics, self._tools = metrics, tools
        self._samples, self._repeats, self._batch_size = samples, repeats, batch_size
        self._fabric = make_fabric(TrainingSettings(accelerator=cast(Any, accelerator)))

    def of_run(
        self,
        run: Path,
        checkpoint: str,
        data: dict[str, Any],
        out: Path,
        frames: int | None,
        truncation: float,
        allow: str,
    ) -> None:
        """Scores of a run's checkpoint: JSON lines in `out`, a table on the terminal."""
        allowed = [name.strip() for name in allow.split(",") if name.strip()]
        loaded = load_game(run, checkpoint, allow=allowed)
        loaded.game.to(self._fabric.device)
        real = self._real_clips(data, loaded, frames, out)
        store = ColumnStore(out / "cache", self._fabric.global_rank, self._fabric.world_size)
        sets = [
            GeneratedClips(loaded, repeat, frames, truncation) for repeat in range(self._repeats)
        ]
        began = time.monotonic()
        for repeat, clips in enumerate(sets):
            self._fill(store, clips, f"{loaded.folder.name}, repeat {repeat + 1}")
        if real is not None:
            self._fill(store, real, "real clips")
        self._fabric.barrier()
        if not self._fabric.is_global_zero:
            return
        seconds = time.monotonic() - began
        scores = [
            self._score(metric, store, sets, real, loaded, seconds) for metric in self._metrics
        ]
        for metric, score in zip(self._metrics, scores, strict=True):
            append_score(out, metric.name, score)
        say(score_table(scores))
        say(f"written to {out}")

    def _real_clips(
        self, data: dict[str, Any], loaded: LoadedGame, frames: int | None, out: Path
    ) -> RecordedClips | None:
        if data.get("root") is None:
            return None
        from data.videos import VideoClips

        options = {**data, **loaded.game.data_options()}
        if frames is not None:
            options["num_frames"] = frames
        options["scan_cache"] = options["scan_cache"] or out / "scan.json"
        with self._fabric.rank_zero_first():
            return RecordedClips(VideoClips(**options), device=self._fabric.device)

    def _fill(self, store: ColumnStore, clips: ClipSet, title: str) -> None:
        measures = {m.key: m for m in (metric.measure(self._tools) for metric in self._metrics)}
        with shown_progress(title) as progress:
            store.fill(clips, list(measures.values()), self._samples, self._batch_size, progress)

    def _score(
        self,
        metric: Metric,
        store: ColumnStore,
        sets: Sequence[ClipSet],
        real: ClipSet | None,
        loaded: LoadedGame,
        seconds: float,
    ) -> Score:
        measure = metric.measure(self._tools)
        reference = None if real is None else store.columns(real, measure, self._samples)
        figures = [
            metric.value(store.columns(clips, measure, self._samples), reference, self._tools)
            for clips in sets
        ]
        return Score(
            metric=metric.name,
            values=[figure.pop("value") for figure in figures],
            better=metric.better,
            protocol=measure.key,
            num_generated=self._samples,
            num_real=0 if reference is None else reference.count,
            checkpoint=loaded.folder.name,
            checkpoint_sha256=checkpoint_hash(loaded),
            extractor="",
            extractor_sha256="",
            seconds=round(seconds, 3),
            real=None if reference is None else metric.value(reference, None, self._tools)["value"],
            details={name: [figure[name] for figure in figures] for name in figures[0]},
        )
