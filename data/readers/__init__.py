"""Frames of one video by their numbers, whatever it is stored as."""

from data.readers.base import Reader
from data.readers.opening import open_reader

__all__ = ["Reader", "open_reader"]
