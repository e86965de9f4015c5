"""Numbered clips to be judged: those that a model makes, and those of a folder of videos."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from data.sources import NO_LABEL, DataError, Sample, Source
from vidgen.adversarial.checkpoints import LoadedGame, read_config
from vidgen.adversarial.game import Game
from vidgen.commands.outputs import enough_memory
from vidgen.metrics.similarity import enlarged_to

# Far enough apart that no two repeats share a seed.
SEEDS_A_REPEAT = 10**9
_ATTEMPTS = 20

# Which clips of a model: with classes as training met them, with each class in turn, or pairs of
# its lowest and its highest resolution.
Draw = Literal["prior", "balanced", "levels"]


class NumberedClips(NamedTuple):
    """Some clips of a set, in [-1, 1], and their classes; -1 where unknown."""

    clips: Float[Tensor, "batch channel time height width"]
    labels: Int64[Tensor, " batch"]


class ClipSet(ABC):
    """Clips that are functions of their numbers alone.

    Attributes:
        key: JSON types that tell this set from any other.
    """

    key: dict[str, Any]

    @abstractmethod
    def clips(self, numbers: Sequence[int]) -> NumberedClips:
        """The clips of these numbers."""

    def clips_in_parts(self, numbers: Sequence[int], size: int) -> NumberedClips:
        """The same, made `size` at a time."""
        parts = [
            self.clips(numbers[start : start + size]) for start in range(0, len(numbers), size)
        ]
        return NumberedClips(*(torch.cat(column) for column in zip(*parts, strict=True)))


class GeneratedClips(ClipSet):
    """Clips that a model makes: number n of repeat r has seed r * 10**9 + n.

    Args:
        game: The model.
        origin: Tells its weights from any other's.
        repeat: Another one gives other clips.
        num_frames: Length; `None` is the trained one.
        truncation: Below 1, clips nearer to the typical one.
        draw: `balanced` takes classes in turn, 0, 1, 2, ...; else they are drawn as often as
            training met them, by the game, which then does not tell which they are. `levels` gives
            clips of twice the channels: the lowest resolution, enlarged to the highest, and that.
    """

    def __init__(
        self,
        game: Game,
        origin: str,
        repeat: int = 0,
        num_frames: int | None = None,
        truncation: float = 1.0,
        draw: Draw = "prior",
    ) -> None:
        self._game, self._repeat, self._draw = game, repeat, draw
        self._num_frames, self._truncation = num_frames, truncation
        self.key = {
            "generated_by": origin,
            "repeat": repeat,
            "num_frames": num_frames,
            "truncation": truncation,
            "balanced": draw == "balanced",
        }
        if draw == "levels":
            self.key["levels"] = "lowest and highest"

    def clips(self, numbers: Sequence[int]) -> NumberedClips:
        """See `ClipSet`."""
        labels = None
        if self._draw == "balanced":
            labels = [number % self._game.num_classes for number in numbers]
        seeds = [self._repeat * SEEDS_A_REPEAT + number for number in numbers]
        with enough_memory(len(seeds)), torch.inference_mode():
            made = self._sampled(seeds, labels)
        known = [NO_LABEL] * len(numbers) if labels is None else labels
        return NumberedClips(made.float(), torch.tensor(known))

    def _sampled(self, seeds: list[int], labels: list[int] | None) -> Tensor:
        game: Any = self._game
        options = (seeds, labels, self._num_frames, self._truncation)
        if self._draw != "levels":
            return game.sample(*options)
        lowest, *_, highest = game.levels(*options)
        height, width = highest.shape[-2:]
        return torch.cat([enlarged_to(lowest.float(), (height, width)), highest.float()], dim=1)


class RecordedClips(ClipSet):
    """Clips of videos: each pass shows every video once, in an order of its own.

    Args:
        source: The videos.
        seed: Draws the orders and the windows.
        device: Where the clips go.
    """

    def __init__(self, source: Source, seed: int = 0, device: str | torch.device = "cpu") -> None:
        self._source, self._seed, self._device = source, seed, device
        self.key = {"recorded": source.fingerprint(), "seed": seed}

    def __len__(self) -> int:
        """Number of videos."""
        return len(self._source)

    def clips(self, numbers: Sequence[int]) -> NumberedClips:
        """See `ClipSet`."""
        samples = self.samples(numbers)
        pixels = torch.from_numpy(np.stack([sample.clip for sample in samples]))
        labels = torch.tensor([sample.label for sample in samples])
        return NumberedClips(self._in_range(pixels.to(self._device).float()), labels)

    def samples(self, numbers: Sequence[int]) -> list[Sample]:
        """What the data gives for these numbers, views too."""
        return [self._sample(number) for number in numbers]

    def _in_range(self, levels: Tensor) -> Tensor:
        """Levels 0 to 255 in the range of the examples."""
        return levels / 127.5 - 1

    def item(self, number: int) -> int:
        """Which video the clip of a number is from, if that can be read."""
        each_pass, place = divmod(number, len(self))
        order = np.random.default_rng([self._seed, each_pass]).permutation(len(self))
        return int(order[place])

    def _sample(self, number: int) -> Any:
        """A video that cannot be read gives way to the next; the last error is the caller's."""
        for attempt in range(_ATTEMPTS):
            generator = np.random.default_rng([self._seed, 1, number, attempt])
            try:
                return self._source.draw((self.item(number) + attempt) % len(self), generator)
            except DataError:
                if attempt == _ATTEMPTS - 1:
                    raise
        return None


class Part(Source):
    """Some items of a source.

    Args:
        source: The whole.
        items: Their numbers.
    """

    def __init__(self, source: Source, items: Sequence[int]) -> None:
        self._source, self._items = source, items
        self.classes, self.fps = source.classes, source.fps

    def __len__(self) -> int:
        """How many they are."""
        return len(self._items)

    def draw(self, item: int, generator: np.random.Generator) -> Sample:
        """See `Source`."""
        return self._source.draw(self._items[item], generator)

    def fingerprint(self) -> str:
        """See `Source`."""
        return sha256(f"{self._source.fingerprint()} {list(self._items)}".encode()).hexdigest()


def checkpoint_hash(loaded: LoadedGame) -> str:
    """SHA-256 of the weights of a loaded model."""
    return str(read_config(loaded.folder)["sha256"]["model.safetensors"])
