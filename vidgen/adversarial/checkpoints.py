"""Saving, resuming and loading, so that nothing is lost and nothing read is executed.

A run's `checkpoints/` holds `step-000010000/` folders and `latest`, a line with the name of the
newest whole one. A checkpoint is three files:

    model.safetensors   weights for use: those of the running average where one is kept
    config.json         how to rebuild the game, step, classes, SHA-256 of all three
    state.pt            what only a resumed training needs; plain types, read without pickle
"""

from __future__ import annotations

import json
import math
import os
import pickle
import shutil
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from vidgen.adversarial.described import build
from vidgen.adversarial.game import Game
from vidgen.adversarial.integrity import file_hash, flush, point, pointed, sealed
from vidgen.errors import UserError

FORMAT = 1
_MODEL, _CONFIG, _STATE = "model.safetensors", "config.json", "state.pt"
_SEAL = f'"{_CONFIG}": '  # in front of config.json's own hash


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
        hashes = {name: file_hash(draft / name) for name in (_MODEL, _STATE)}
        config = {"format": FORMAT, "step": step, "sha256": {**hashes, _CONFIG: ""}, **about}
        (draft / _CONFIG).write_text(sealed(json.dumps(config, indent=2), _SEAL), encoding="utf-8")
        for name in (_MODEL, _STATE, _CONFIG):
            flush(draft / name)
        flush(draft)
        shutil.rmtree(final, ignore_errors=True)  # left by a run that was stopped right here
        os.replace(draft, final)
        point(home / "latest", final.name)
    # A full disk is a RuntimeError of torch and a SafetensorError of safetensors.
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise UserError(
            f"the checkpoint of step {step} was not saved in {home}: {error}"
        ) from error
    named = {pointed(path) for path in home.iterdir() if path.is_file()}
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
        name = pointed(pointer)
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
    step, fps, classes = config.get("step"), config.get("fps", 25.0), config.get("classes", [])
    good_fps = isinstance(fps, int | float) and 0 < fps < math.inf
    if not (isinstance(step, int) and good_fps and isinstance(classes, list)):
        raise UserError(f"{folder / _CONFIG} is damaged: step, fps or classes cannot be right")
    _verify(folder, _MODEL, config)
    game = _build_game(config.get("game"), folder, allow)
    load_weights(game, folder)
    game.eval()
    return LoadedGame(game, step, float(fps), [str(name) for name in classes], folder)


def _build_game(description: Any, folder: Path, allow: Collection[str]) -> Game:
    """The described game, after a sketch without memory was found to fit the stored weights.

    Else a description of a few bytes could ask for more memory than there is.
    """
    try:
        with torch.device("meta"):
            sketch = build(description, allow)
        if not isinstance(sketch, Game):
            raise UserError(f"{folder / _CONFIG} describes a {type(sketch).__name__}, not a game")
        with safe_open(folder / _MODEL, "pt") as stored:
            names = stored.keys()
            shapes = {name: tuple(stored.get_slice(name).get_shape()) for name in names}
        _check_shapes(sketch, shapes, folder)
        return build(description, allow)
    except (RecursionError, SafetensorError) as error:
        raise UserError(f"{folder} is damaged: {error}") from error


def _check_shapes(game: Game, stored: Mapping[str, tuple[int, ...]], folder: Path) -> None:
    expected = {name: tuple(value.shape) for name, value in game.state_dict().items()}
    wrong = {name for name, _ in expected.items() ^ stored.items()}
    if wrong:
        raise UserError(
            f"{folder / _MODEL} does not fit the game of its config.json: {len(wrong)} weights "
            f"differ, {min(wrong)!r} for instance"
        )


def load_weights(game: Game, folder: Path) -> None:
    """Puts a checkpoint's weights into a game of the same description."""
    try:
        weights = load_file(folder / _MODEL)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / _MODEL} is damaged: {error}") from error
    _check_shapes(game, {name: tuple(value.shape) for name, value in weights.items()}, folder)
    game.load_state_dict(weights)


def load_state(folder: Path) -> dict[str, Any]:
    """What a resumed training needs, after its hash was compared; nothing in it is executed.

    Raises:
        UserError: Damaged, or made by somebody to do harm.
    """
    _verify(folder, _STATE, read_config(folder))
    path = folder / _STATE
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise UserError(f"{path} is not a training state: it holds packed members")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise UserError(f"{path} is not a training state: its members overlap")
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{path} is not a training state: {reason}") from error
    if type(state) is not dict or not {"step", "players", "raw"} <= state.keys():
        raise UserError(f"{path} is not a training state: it lacks step, players or raw")
    return state


def read_config(folder: Path) -> dict[str, Any]:
    """A checkpoint's config.json.

    Raises:
        UserError: It is missing, damaged, or of another format.
    """
    path = folder / _CONFIG
    try:
        if path.stat().st_size > 10_000_000 or not path.is_file():
            raise UserError(f"{path} is too large to be a checkpoint's description")
        # As bytes: a reading as text would turn a carriage return into a newline.
        text = path.read_bytes().decode("utf-8")
        config = json.loads(text, parse_int=_short_integer)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else type(config).__name__
        raise UserError(f"{path} has format {found!r}; this version reads format {FORMAT}")
    hashes = config.get("sha256")
    seal = hashes.get(_CONFIG) if isinstance(hashes, Mapping) else None
    if not isinstance(seal, str) or sealed(text.replace(seal, "", 1), _SEAL) != text:
        raise UserError(f"{path} is damaged: its SHA-256 is not the one it gives")
    return config


def _short_integer(digits: str) -> int:
    """A game of 2**3000 frames would be refused too, but only after a long time."""
    if len(digits) > 20:
        raise ValueError(f"no number of a checkpoint has {len(digits)} digits")
    return int(digits)


def _verify(folder: Path, name: str, config: Mapping[str, Any]) -> None:
    path = folder / name
    if not path.is_file():
        raise UserError(f"{folder} is not whole: {name} is missing")
    hashes = config.get("sha256")
    if not isinstance(hashes, Mapping) or file_hash(path) != hashes.get(name):
        raise UserError(f"{path} is damaged: its SHA-256 is not the one in config.json")
