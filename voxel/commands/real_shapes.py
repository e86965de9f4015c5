"""The real shapes of a folder that an evaluation compares with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from lightning_fabric import Fabric

from data.layouts import Split
from data.shape_views import ShapeViews
from data.shapes import Shapes
from data.sources import DataError, Source
from vidgen.adversarial.checkpoints import LoadedGame
from vidgen.commands.outputs import say
from vidgen.errors import UserError
from voxel.commands.shape_sets import RecordedShapes

# Options of `data.ShapeViews` alone, and those of `data.Shapes` that it has not.
_OF_VIEWS = ("views", "frames")
_MOVING = {"rotations": 1, "flip": False, "max_shift": 0, "max_shapes": None, "per_object": None}

Shown = TypeVar("Shown", bound=Source)


class RealShapes:
    """Test shapes to compare with, those of the training, and pairs with views.

    Each is opened when it is first asked for; the volumes are kept in the evaluation's folder.

    Args:
        loaded: The model, which decides the size.
        data: Options of `data.Shapes`, and of views; without `root` there are no shapes.
        out: Folder of the evaluation.
        fabric: The processes; the first voxelises, the others find what it made.
    """

    def __init__(self, loaded: LoadedGame, data: dict[str, Any], out: Path, fabric: Fabric) -> None:
        game = loaded.game
        self._loaded, self._out, self._fabric = loaded, out, fabric
        self._size = game.example_shape[-1]
        self._views = {name: data.get(name) for name in _OF_VIEWS}
        self._options = {name: value for name, value in data.items() if name not in _OF_VIEWS}
        if game.num_classes and loaded.classes:
            # The same numbers for the same classes.
            self._options["classes"] = data.get("classes") or loaded.classes

    @property
    def given(self) -> bool:
        """Whether there is a folder."""
        return self._options.get("root") is not None

    @cached_property
    def reference(self) -> RecordedShapes:
        """The split that is asked for; by default the test split, or all of an undivided folder.

        Raises:
            DataError: The folder cannot be used so.
        """
        return self._recorded(self._reference_source)

    @cached_property
    def train(self) -> RecordedShapes:
        """The training split.

        Raises:
            UserError: The reference is no other part of the folder.
            DataError: The folder has none.
        """
        with self._fabric.rank_zero_first():
            source = self._opened("train")
        if source.fingerprint() == self._reference_source.fingerprint():
            raise UserError(
                "memorisation and svm need shapes that were not trained on: a folder with a test "
                "split, and no --data.split train"
            )
        return self._recorded(source)

    @cached_property
    def pairs(self) -> Source:
        """Shapes of the reference, with views where the model makes shapes of images.

        Raises:
            UserError: An option has no meaning for them.
            DataError: The folder cannot be used so.
        """
        view_shape = self._loaded.game.view_shape
        if view_shape is None:
            return self._reference_source
        moved = [name for name, still in _MOVING.items() if self._options.get(name, still) != still]
        if moved:
            raise UserError(
                f"--data.{moved[0]}: a shape of an image keeps its pose, and is one of all; "
                "leave it out"
            )
        plain = {name: value for name, value in self._options.items() if name not in _MOVING}
        return self._divided(
            lambda split: ShapeViews(
                **{**plain, **self._views, "split": split},
                size=self._size,
                view_size=view_shape[-1],
                scan_cache=self._scan(f"{split or 'all'}-views"),
            )
        )

    @cached_property
    def _reference_source(self) -> Source:
        return self._divided(self._opened)

    def _divided(self, opened: Callable[[Split | None], Shown]) -> Shown:
        """What is opened of the split that is asked for, else of the test split, else of all."""
        split: Split | None = self._options.get("split")
        with self._fabric.rank_zero_first():
            try:
                source, part = opened(split or "test"), f"of the {split or 'test'} split"
            except DataError:
                # A folder without test shapes; another mistake is made again.
                source, part = opened(split), "of the whole folder"
        if self._fabric.is_global_zero:
            say(f"real shapes: {len(source)} {part}")
        return source

    def _opened(self, split: str | None) -> Shapes:
        options = {**self._options, "split": split, "size": self._size}
        return Shapes(**options, scan_cache=self._scan(split or "all"))

    def _scan(self, part: str) -> Path:
        """Where the volumes of a part are kept: beside this file."""
        return self._out / f"real-{part}" / "scan.json"

    def _recorded(self, source: Source) -> RecordedShapes:
        return RecordedShapes(source, device=self._fabric.device)
