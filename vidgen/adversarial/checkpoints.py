"""Saving, resuming and loading, so that nothing is lost and nothing read is executed.

A run's `checkpoints/` holds `step-000010000/` folders and `latest`, a line with the name of the
newest whole one. A checkpoint is three files:

    model.safetensors   weights for use: those of the running average where one is kept
    config.json         how to rebuild the game, step, classes, SHA-256 of the other two
    state.pt            what only a resumed training needs; plain types, read without pickle
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vidgen.adversarial.described import build
from vidgen.adversarial.game import Game
from vidgen.errors import UserError

FORMAT = 1
_MODEL, _CONFIG, _STATE = "model.safetensors", "config.json", "state.pt"


@dataclass(frozen=True)
class LoadedGame:
    """A game ready for use, and what is known of its training.

    Attributes:
        game: In evaluation mode.
        step: Steps it was trained for.
        fps: Frames a second at which its clips should be shown.
        classes: Names of its classes, in the order of their labels.
        folder: The checkpoint.
    """

    game: Game
    step: int
    fps: float
    classes: list[str]
    folder: Path


def save_checkpoint(
    run: Path,
    step: int,
    weights: Mapping[str, Tensor],
    state: Mapping[str, Any],
    about: Mapping[str, Any],
    keep: int,
) -> Path:
    """Writes a checkpoint whole or not at all, then forgets the oldest beyond `keep`.

    Args:
        run: The run folder.
        step: Number of the step just finished.
        weights: The game's weights for use.
        state: Tensors, numbers, strings, lists and dicts that a resumed run needs.
        about: JSON types for config.json: the game's description, classes, fps.
        keep: How many of the newest stay.

    Raises:
        UserError: It could not be written; earlier checkpoints are untouched.
    """
    home = run / "checkpoints"
    final, draft = home / f"step-{step:09d}", home / f".step-{step:09d}.partial"
    try:
        for leftover in home.glob(".step-*.partial"):  # of a run that was killed while it saved
            shutil.rmtree(leftover, ignore_errors=True)
        draft.mkdir(parents=True)
        plain = {name: value.detach().contiguous().cpu() for name, value in weights.items()}
        save_file(plain, draft / _MODEL)
        torch.save(dict(state), draft / _STATE)
        hashes = {name: _sha256(draft / name) for name in (_MODEL, _STATE)}
        config = {"format": FORMAT, "step": step, "sha256": hashes, **about}
        (draft / _CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
        for name in (_MODEL, _STATE, _CONFIG):
            _flush(draft / name)
        _flush(draft)
        shutil.rmtree(final, ignore_errors=True)  # left by a run that was stopped right here
        os.replace(draft, final)
        _point(home / "latest", final.name)
    except (OSError, RuntimeError, ValueError) as error:  # torch reports a full disk as the second
        shutil.rmtree(draft, ignore_errors=True)
        raise UserError(
            f"the checkpoint of step {step} was not saved in {home}: {error}"
        ) from error
    named = {path.read_text(encoding="utf-8").strip() for path in home.iterdir() if path.is_file()}
    for old in sorted(home.glob("step-*"))[:-keep]:
        if old.name not in named:
            shutil.rmtree(old, ignore_errors=True)
    return final


def find_checkpoint(run: Path, name: str = "latest") -> Path:
    """The folder of a checkpoint: `latest`, `best-METRIC`, or `step-…` of a run.

    `run` may also be the checkpoint folder itself.

    Raises:
        UserError: There is none.
    """
    if (run / _CONFIG).is_file():
        return run
    home = run / "checkpoints"
    if not home.is_dir():
        what = "not a run folder: it has no checkpoints" if run.is_dir() else "not a folder"
        raise UserError(f"{run} is {what}; give the --run folder of a training")
    pointer = home / name
    if pointer.is_file():
        name = pointer.read_text(encoding="utf-8").strip()
    elif name.startswith("step-") and name[5:].isdigit():
        name = f"step-{int(name[5:]):09d}"
    folder = home / Path(name).name
    if not (folder / _CONFIG).is_file():
        there = sorted(path.name for path in home.iterdir() if not path.name.startswith("."))
        raise UserError(
            f"{home} has no checkpoint {name!r}; there are: {', '.join(there) or 'none'}"
        )
    return folder


def newest_whole_checkpoint(run: Path) -> tuple[Path | None, list[str]]:
    """The newest checkpoint whose hashes are right, and a line for each that had to be passed."""
    home, passed = run / "checkpoints", []
    for folder in sorted(home.glob("step-*"), reverse=True):
        try:
            config = read_config(folder)
            for name in (_MODEL, _STATE):
                _verify(folder, name, config)
            return folder, passed
        except UserError as error:
            passed.append(str(error))
    return None, passed


def load_game(run: Path, checkpoint: str = "latest", allow: Collection[str] = ()) -> LoadedGame:
    """A game from a run or checkpoint folder.

    Args:
        run: Run folder, or a checkpoint folder in or out of one.
        checkpoint: Which one of a run.
        allow: Import paths of further classes that the user trusts.

    Raises:
        UserError: Missing, damaged, or naming a class that is not allowed.
    """
    folder = find_checkpoint(Path(run), checkpoint)
    config = read_config(folder)
    _verify(folder, _MODEL, config)
    game = build(config.get("game", {}), allow)
    if not isinstance(game, Game):
        raise UserError(f"{folder / _CONFIG} describes a {type(game).__name__}, not a game")
    load_weights(game, folder)
    game.eval()
    return LoadedGame(
        game,
        int(config.get("step", 0)),
        float(config.get("fps", 25.0)),
        [str(name) for name in config.get("classes", [])],
        folder,
    )


def load_weights(game: Game, folder: Path) -> None:
    """Puts a checkpoint's weights into a game of the same description."""
    try:
        weights = load_file(folder / _MODEL)
    except Exception as error:  # safetensors raises its own, private kinds
        raise UserError(f"{folder / _MODEL} is damaged: {error}") from error
    expected = game.state_dict()
    wrong = [
        name
        for name in expected.keys() | weights.keys()
        if name not in weights
        or name not in expected
        or weights[name].shape != expected[name].shape
    ]
    if wrong:
        raise UserError(
            f"{folder / _MODEL} does not fit the game of its config.json: {len(wrong)} weights "
            f"differ, {sorted(wrong)[0]!r} for instance"
        )
    game.load_state_dict(weights)


def load_state(folder: Path) -> dict[str, Any]:
    """What a resumed training needs, after its hash was compared; nothing in it is executed."""
    _verify(folder, _STATE, read_config(folder))
    path = folder / _STATE
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise UserError(f"{path} is not a training state: it holds packed members")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if type(state) is not dict:
        raise UserError(f"{path} is not a training state")
    return state


def read_config(folder: Path) -> dict[str, Any]:
    """A checkpoint's config.json."""
    path = folder / _CONFIG
    try:
        if path.stat().st_size > 10_000_000:
            raise UserError(f"{path} is too large to be a checkpoint's description")
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else type(config).__name__
        raise UserError(f"{path} has format {found!r}; this version reads format {FORMAT}")
    return config


def _verify(folder: Path, name: str, config: Mapping[str, Any]) -> None:
    path = folder / name
    if not path.is_file():
        raise UserError(f"{folder} is not whole: {name} is missing")
    hashes = config.get("sha256")
    if not isinstance(hashes, Mapping) or _sha256(path) != hashes.get(name):
        raise UserError(f"{path} is damaged: its SHA-256 is not the one in config.json")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _point(pointer: Path, name: str) -> None:
    draft = pointer.with_name(f".{pointer.name}.partial")
    draft.write_text(name + "\n", encoding="utf-8")
    _flush(draft)
    os.replace(draft, pointer)
    _flush(pointer.parent)
