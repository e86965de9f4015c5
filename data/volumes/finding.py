"""Which shapes a folder holds, by class and split: ModelNet, ShapeNet, 3D ShapeNets, any folder."""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from data.layouts.tree import Notes, join, natural_key
from data.sources import NO_LABEL, DataError
from data.volumes.arrays import VOLUME_ENDINGS
from data.volumes.meshes import MESH_ENDINGS
from data.volumes.orientation import Up

SHAPE_ENDINGS = MESH_ENDINGS | VOLUME_ENDINGS

_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_SYNSET = re.compile(r"0\d{7}")
# 3D ShapeNets: <class>_<model>_<view>.mat.
_VIEW = re.compile(r"(.+_\d+)_\d{1,2}")
# The files of one ShapeNet model, best first.
_SHAPENET_FILES = (
    "model_normalized.obj",
    "model.obj",
    "model.binvox",
    "model_normalized.solid.binvox",
    "model_normalized.surface.binvox",
)
# fmt: off
_SYNSETS = {
    "02691156": "airplane", "02747177": "bin", "02773838": "bag", "02801938": "basket",
    "02808440": "bathtub", "02818832": "bed", "02828884": "bench", "02871439": "bookcase",
    "02876657": "bottle", "02933112": "cabinet", "02958343": "car", "02992529": "phone",
    "03001627": "chair", "03046257": "clock", "03179701": "desk", "03211117": "display",
    "03325088": "faucet", "03467517": "guitar", "03636649": "lamp", "03642806": "laptop",
    "03691459": "loudspeaker", "03797390": "mug", "03948459": "pistol", "04090263": "rifle",
    "04256520": "sofa", "04379243": "table", "04530566": "watercraft",
}
# fmt: on


@dataclass(frozen=True)
class ShapeFile:
    """One shape that a folder names, before its file has been opened.

    Attributes:
        path: Relative to the root.
        label: Index into the listing's classes, or -1.
        group: The object it shows; files of one object are rotations of it.
        split: `train`, `val`, `test`, or "" if the folder is not divided.
        item: Place in a file that holds many.
    """

    path: str
    label: int = NO_LABEL
    group: str = ""
    split: str = ""
    item: int = 0


@dataclass
class ShapeListing:
    """What a folder names.

    Attributes:
        layout: `shapenet` or `folders`.
        classes: Names in the order of the labels.
        files: The shapes, in natural order.
        notes: What else was seen, a line each.
    """

    layout: str
    classes: list[str]
    files: list[ShapeFile]
    notes: list[str] = field(default_factory=list)

    def default_up(self, path: str) -> Up:
        """The axis that usually points upwards in such a file."""
        is_y_up = self.layout == "shapenet" or path.lower().endswith((".obj", ".glb"))
        return "y" if is_y_up else "z"


def find_shapes(root: Path) -> ShapeListing:
    """All shapes of a folder, or of one file.

    The class of a file is the folder above `train` and `test` or below them, else the topmost
    folder in which the files differ. ShapeNet's synsets are named in English, and its models are
    divided 80 : 10 : 10 by a hash of their names, since the folder itself is not divided.

    Raises:
        DataError: There is no such folder, or no shape in it.
    """
    root = Path(root).expanduser()
    notes = Notes()
    if root.is_file():
        paths = [root.name] if root.suffix.lower() in SHAPE_ENDINGS else []
    elif root.is_dir():
        paths = _listed(root, notes)
    else:
        raise DataError(f"no folder '{root}'")
    if not paths:
        endings = ", ".join(sorted(SHAPE_ENDINGS))
        raise DataError(f"no shapes in '{root}': files of {endings} are looked for")
    models = _shapenet_models(paths, notes)
    if models:
        layout, named = "shapenet", [(path, synset, model) for path, synset, model in models]
        splits = [_hashed_split(model) for _, _, model in models]
    else:
        layout = "folders"
        named, splits = _in_folders(paths)
    classes = sorted({name for _, name, _ in named if name}, key=natural_key)
    files = [
        ShapeFile(path, classes.index(name) if name else NO_LABEL, group, split)
        for (path, name, group), split in zip(named, splits, strict=True)
    ]
    return ShapeListing(layout, classes, files, notes.lines())


def chosen(
    listing: ShapeListing, root: Path, classes: list[str] | None, split: str | None
) -> ShapeListing:
    """The part of a listing that is wanted, labelled by the order of the wanted classes.

    Raises:
        DataError: There is no such class or split.
    """
    files = listing.files
    if split is not None:
        files = [file for file in files if file.split == split]
        if not files:
            known = ", ".join(sorted({file.split for file in listing.files} - {""}))
            known = known or "none: leave the split out"
            raise DataError(f"'{root}' has no shapes of split '{split}', it has {known}")
    names = listing.classes if classes is None else list(classes)
    unknown = [name for name in names if name not in listing.classes]
    if unknown:
        known = ", ".join(listing.classes) or "none: its shapes have no labels"
        raise DataError(f"no class '{unknown[0]}' in '{root}': it has {known}")
    if classes is not None:
        labels = {listing.classes.index(name): at for at, name in enumerate(names)}
        files = [replace(file, label=labels[file.label]) for file in files if file.label in labels]
    if not files:
        raise DataError(f"no shape of the wanted classes in '{root}'")
    return replace(listing, classes=names, files=files)


def _listed(root: Path, notes: Notes) -> list[str]:
    paths = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted((name for name in folders if name[0] != "."), key=natural_key)
        below = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in sorted(names, key=natural_key):
            path = join("" if below == "." else below, name)
            if name.startswith("."):
                notes.add("left out, hidden", path)
            elif os.path.splitext(name)[1].lower() in SHAPE_ENDINGS:
                paths.append(path)
    return paths


def _shapenet_models(paths: list[str], notes: Notes) -> list[tuple[str, str, str]]:
    """(path, class, model) of each model's best file; nothing if this is not ShapeNet."""
    models: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        parts = path.split("/")
        at = next((at for at, part in enumerate(parts[:-2]) if _SYNSET.fullmatch(part)), None)
        if at is None:
            return []
        models[parts[at], parts[at + 1]].append(path)
    found = []
    for (synset, model), files in models.items():
        best = {path.rpartition("/")[2]: path for path in files}
        path = next((best[name] for name in _SHAPENET_FILES if name in best), None)
        if path is None:
            notes.add("left out, no file of ShapeNet's names", files[0])
        else:
            found.append((path, _SYNSETS.get(synset, synset), f"{synset}/{model}"))
    return found


def _hashed_split(model: str) -> str:
    number = int.from_bytes(hashlib.sha256(model.encode()).digest()[:8], "big") % 10
    return ("train", "val", "test")[max(0, number - 7)]


def _in_folders(paths: list[str]) -> tuple[list[tuple[str, str, str]], list[str]]:
    """(path, class, object) and split of each file."""
    folders = [path.split("/")[:-1] for path in paths]
    depth = _common_depth(folders)
    named, splits = [], []
    for path, parts in zip(paths, folders, strict=True):
        at = max((at for at, part in enumerate(parts) if part.lower() in _SPLITS), default=None)
        if at is None:
            splits.append("")
            behind = parts[depth:] or parts[-1:]
            name = behind[0] if behind else ""
        else:
            splits.append(_SPLITS[parts[at].lower()])
            # 3D ShapeNets puts the side of the grid between the class and the split.
            above = [part for part in parts[:at] if not part.isdigit()]
            name = (parts[at + 1 :] or above[-1:] or [""])[0]
        stem = os.path.splitext(path)[0]
        view = _VIEW.fullmatch(stem) if path.lower().endswith(".mat") else None
        named.append((path, name, view[1] if view else stem))
    return named, splits


def _common_depth(folders: list[list[str]]) -> int:
    """How many of their first parts all folders share."""
    # What lies between the first and the last in order begins as these two do.
    pairs = zip(min(folders), max(folders), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
