"""What a training draws from: numbered items, each giving one sample of a fixed shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

NO_LABEL = -1


class DataError(Exception):
    """A mistake in the user's data or settings; its text is one line that says what to do."""


class Sample(NamedTuple):
    """One clip or volume, its class, and for pairs a picture of it.

    Attributes:
        clip: Frames of a video; or a volume, 255 where it is occupied, whose axes after the channel
            are x, y and z.
        label: Its class, or -1.
        view: Red, green and blue of a picture of the shape, for sources that give pairs.
    """

    clip: UInt8[np.ndarray, "channel time height width"]
    label: int = NO_LABEL
    view: UInt8[np.ndarray, "3 view_height view_width"] | None = None


class Source(ABC):
    """Numbered items, each of which gives one clip or volume.

    Attributes:
        classes: Names of the classes; a sample's label is an index into it. Empty without labels.
        fps: Frames a second at which the clips should be shown.
    """

    classes: list[str]
    fps: float

    @abstractmethod
    def __len__(self) -> int:
        """Number of items; an epoch draws each once."""

    @abstractmethod
    def draw(self, item: int, generator: np.random.Generator) -> Sample:
        """One sample of an item; equal generators give equal samples, in any process.

        Raises:
            DataError: The item cannot be read; the caller may draw another.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of what it would deliver, in any folder and process; resuming compares it."""

    def report(self) -> list[str]:
        """What a user should know before training: what was found, what was left out."""
        return []
