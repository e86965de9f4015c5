"""What is learned from: files become clips, clips become batches. Knows nothing of models.

The names below are imported when first used, so that `python -m data --help` does not wait for
torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data.batches import Batches
    from data.shape_views import ShapeViews
    from data.shapes import Shapes
    from data.solids import Solids
    from data.sources import DataError, Sample, Source
    from data.synthetic import MovingDigits, ShapeMotion
    from data.videos import VideoClips

__all__ = [
    "Batches",
    "DataError",
    "MovingDigits",
    "Sample",
    "ShapeMotion",
    "ShapeViews",
    "Shapes",
    "Solids",
    "Source",
    "VideoClips",
]

_HOMES = {
    "Batches": "data.batches",
    "DataError": "data.sources",
    "MovingDigits": "data.synthetic",
    "Sample": "data.sources",
    "ShapeMotion": "data.synthetic",
    "ShapeViews": "data.shape_views",
    "Shapes": "data.shapes",
    "Solids": "data.solids",
    "Source": "data.sources",
    "VideoClips": "data.videos",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'data' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
