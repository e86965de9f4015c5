"""GAM: a run against its rival, each with the other's discriminator.

Source: TGAN (Saito et al., ICCV 2017), §6.5; see `vidgen.metrics.gam`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from data.progress import shown_progress
from vidgen.adversarial.checkpoints import LoadedGame, load_game
from vidgen.commands.clip_sets import (
    ClipSet,
    Draw,
    GeneratedClips,
    NumberedClips,
    RecordedClips,
    checkpoint_hash,
)
from vidgen.commands.columns import ColumnStore
from vidgen.commands.evaluate import EvaluateOptions
from vidgen.commands.outputs import ability, say
from vidgen.commands.protocols import protocol_named
from vidgen.commands.scores import Score, append_score
from vidgen.commands.subjects import checkpoints, real_source
from vidgen.errors import UserError
from vidgen.metrics.gam import (
    TOLERANCE,
    Duel,
    Opponent,
    best_threshold,
    duel,
    fake_error_rate,
    real_error_rate,
)

NAME = "gam"


def without_duels(names: str) -> tuple[str, bool]:
    """The other metrics of a list with commas, and whether GAM is among them."""
    listed = [name.strip() for name in names.split(",")]
    return ",".join(name for name in listed if name != NAME), NAME in listed


class Opinion:
    """A measure: how real a model's discriminator thinks each clip is.

    Args:
        loaded: The model.

    Raises:
        UserError: It has no discriminator of clips.
    """

    def __init__(self, loaded: LoadedGame) -> None:
        self._judge = ability(
            loaded, "realness", "play against a rival: nothing in it judges clips"
        )
        self._game = loaded.game
        self.key = f"realness by {checkpoint_hash(loaded)}"

    def __call__(self, made: NumberedClips) -> dict[str, Tensor]:
        """`realness`; higher is more real."""
        labels = made.labels if self._game.num_classes else None
        return {"realness": self._judge(made.clips.to(self._game.device), labels)}


@dataclass(frozen=True)
class _Side:
    """A model, its opinion, and the clips that it makes in a repeat."""

    loaded: LoadedGame
    opinion: Opinion
    made: list[ClipSet]

    @property
    def neutral(self) -> float | None:
        """Where its discriminator is undecided; `None` for critics."""
        game: Any = self.loaded.game
        return game.loss.neutral


class Duels:
    """Each asked checkpoint of a run against the rival's.

    Of n samples, n clips of each model are shown to the other, and n real clips to both; n further
    ones of its own and n further real ones fix the threshold of a critic.

    Args:
        run: Folder of the first model's training.
        data: Options of real videos.
        options: The rival, and how many clips.
        fabric: The processes.
        out: Folder for scores and caches.

    Raises:
        UserError: There is no rival or no real clip, or the models cannot be compared.
    """

    def __init__(
        self,
        run: Path,
        data: dict[str, Any],
        options: EvaluateOptions,
        fabric: Fabric,
        out: Path,
    ) -> None:
        if options.rival is None:
            raise UserError("gam sets a run against another: give --rival RUN")
        if data.get("root") is None:
            raise UserError("gam shows real videos to both discriminators; give --data.root DIR")
        protocol = protocol_named(options.protocol)
        self._run, self._options, self._fabric, self._out = run, options, fabric, out
        self._count = options.samples or protocol.samples
        self._repeats = options.repeats or protocol.repeats
        self._allowed = [name.strip() for name in options.allow.split(",") if name.strip()]
        self._data, self._rival = data, self._side(options.rival, "latest")
        self._store = ColumnStore(out / "cache", fabric.global_rank, fabric.world_size)

    def scores(self) -> list[Score]:
        """A score for each checkpoint; none in processes other than the first."""
        found = []
        for name in checkpoints(self._run, self._options.checkpoint):
            began, ours = time.monotonic(), self._side(self._run, name)
            self._refuse_unlike(ours)
            self._fill(ours)
            self._fabric.barrier()
            if self._fabric.is_global_zero:
                found.append(self._score(ours, began))
                append_score(self._out, NAME, found[-1])
        return found

    @cached_property
    def _real(self) -> RecordedClips:
        """Real videos in the shape of the clips, with the same numbers for the same classes."""
        game, data, classes = self._rival.loaded.game, self._data, self._rival.loaded.classes
        if game.num_classes and game.told_classes and classes:
            data = {**data, "classes": data.get("classes") or classes}
        with self._fabric.rank_zero_first():
            source = real_source(data, dict(game.data_options()), self._out / "scan.json")
        return RecordedClips(source, device=self._fabric.device)

    def _side(self, run: Path, name: str) -> _Side:
        loaded = load_game(run, name, allow=self._allowed)
        loaded.game.to(self._fabric.device)
        draw: Draw = "balanced" if loaded.game.num_classes else "prior"
        origin, options = checkpoint_hash(loaded), self._options
        made: list[ClipSet] = [
            GeneratedClips(loaded.game, origin, repeat, None, options.truncation, draw)
            for repeat in range(self._repeats)
        ]
        return _Side(loaded, Opinion(loaded), made)

    def _refuse_unlike(self, ours: _Side) -> None:
        one, other = ours.loaded.game, self._rival.loaded.game
        if one.example_shape != other.example_shape:
            raise UserError(
                f"gam: {self._run} makes clips of shape {one.example_shape}, the rival of "
                f"{other.example_shape}; a discriminator can only judge what it was trained for"
            )
        counts = one.num_classes, other.num_classes
        if counts[0] != counts[1] and any(g.num_classes and g.told_classes for g in (one, other)):
            raise UserError(
                f"gam: {self._run} has {counts[0]} classes, the rival {counts[1]}, and a "
                "discriminator here has to be told them"
            )

    def _fill(self, ours: _Side) -> None:
        """Both opinions of both models' clips and of the real ones, each clip made once."""
        opinions = [ours.opinion, self._rival.opinion]
        sets: list[tuple[str, ClipSet]] = [("real clips", self._real)]
        for side, name in ((ours, "clips"), (self._rival, "rival's clips")):
            sets += [(f"{name}, repeat {n + 1}", clips) for n, clips in enumerate(side.made)]
        for title, clips in sets:
            with shown_progress(title) as progress:
                self._store.fill(
                    clips, opinions, 2 * self._count, self._options.batch_size, progress
                )

    def _score(self, ours: _Side, began: float) -> Score:
        duels: list[Duel] = []
        details: list[dict[str, float]] = []
        for repeat in range(self._repeats):
            first = self._opponent(ours, self._rival, repeat)
            second = self._opponent(self._rival, ours, repeat)
            duels.append(duel(first, second))
            details.append(_told(duels[-1], first, second))
            say(
                f"gam, repeat {repeat + 1}: r_test {duels[-1].r_test:.3g}, r_samples "
                f"{duels[-1].r_samples:.3g}; {_in_words(duels[-1])}"
            )
        rival = self._rival.loaded
        protocol = (
            f"{self._count} clips each, {self._count} real test clips of "
            f"{self._real.key['recorded'][:16]}; thresholds of critics from as many of both; rival "
            f"{checkpoint_hash(rival)[:16]}"
        )
        return Score(
            metric=NAME,
            values=[each.score for each in duels],
            better="higher",
            protocol=protocol,
            num_generated=self._count,
            num_real=2 * self._count,
            checkpoint=ours.loaded.folder.name,
            checkpoint_sha256=checkpoint_hash(ours.loaded),
            extractor="",
            extractor_sha256="",
            seconds=round(time.monotonic() - began, 3),
            details={name: [each[name] for each in details] for name in details[0]},
        )

    def _opponent(self, side: _Side, other: _Side, repeat: int) -> Opponent:
        """What a side says of real test clips and of the other's; the rest fixes its threshold."""
        real, fake = self._realness(side, self._real), self._realness(side, other.made[repeat])
        threshold = side.neutral
        if threshold is None:
            own = self._realness(side, side.made[repeat])
            threshold = best_threshold(real[self._count :], own[self._count :])
        return Opponent(threshold, real[: self._count], fake[: self._count])

    def _realness(self, side: _Side, clips: ClipSet) -> Tensor:
        columns = self._store.columns(clips, side.opinion, 2 * self._count)
        return torch.from_numpy(columns.all("realness"))


def _told(found: Duel, first: Opponent, second: Opponent) -> dict[str, Any]:
    sides = {"": first, "rival_": second}
    told: dict[str, Any] = {
        "r_test": found.r_test,
        "r_samples": found.r_samples,
        "verdict": found.verdict(),
    }
    for name, side in sides.items():
        told[f"{name}threshold"] = side.threshold
        told[f"{name}error_on_real"] = real_error_rate(side.on_test, side.threshold)
        told[f"{name}error_on_other"] = fake_error_rate(side.on_other, side.threshold)
    return told


def _in_words(found: Duel) -> str:
    return {
        "A": "the run fools the rival's discriminator more",
        "B": "the rival fools the run's discriminator more",
        "tie": "neither fools the other more",
        "undecided": f"no verdict: r_test is not within {TOLERANCE} of 1",
    }[found.verdict()]
