"""What a run folder says of itself, for a comparison; what it lacks costs no more than a remark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
import yaml
from torch import nn

from vidgen.adversarial.checkpoints import find_checkpoint, read_config
from vidgen.adversarial.described import build
from vidgen.commands.comparison_samples import Picture, newest_pictures
from vidgen.commands.comparison_scores import NamedScore, read_scores
from vidgen.commands.json_lines import read_json_lines
from vidgen.commands.run_folder import flattened
from vidgen.errors import UserError
from vidgen.plots import Curves, loss_curves


@dataclass(frozen=True)
class RunRecord:
    """A run as a comparison sees it.

    Attributes:
        letter: What tables and curves call it.
        name: Of its folder.
        folder: As the user gave it.
        facts: What it is, in the order in which it is told.
        settings: Dotted names and values of its config.yaml; empty without.
        curves: Losses and scores by step, from its log.jsonl.
        scores: What evaluate.py found, the newest last.
        pictures: Its newest samples.
        remarks: A line for each thing that is missing or broken.
    """

    letter: str
    name: str
    folder: Path
    facts: dict[str, str]
    settings: dict[str, Any]
    curves: Curves
    scores: list[NamedScore]
    pictures: list[Picture]
    remarks: list[str]


def read_run(folder: Path, letter: str) -> RunRecord:
    """Gathers what there is.

    Args:
        folder: Of a training; or of scores alone, as `evaluate.py --generated` writes one.
        letter: What the run shall be called.

    Raises:
        UserError: It is not a folder.
    """
    if not folder.is_dir():
        what = "not a folder" if folder.exists() else "not there"
        raise UserError(f"--compare {folder}: it is {what}; give the folders of trainings")
    remarks: list[str] = []
    trained = any((folder / name).exists() for name in ("config.yaml", "log.jsonl", "checkpoints"))
    scores = read_scores(folder / "metrics" if trained else folder, remarks)
    settings: dict[str, Any] = {}
    curves: Curves = {}
    facts: dict[str, str] = {}
    pictures: list[Picture] = []
    if trained:
        settings = _settings(folder / "config.yaml", remarks)
        curves, step_time = _log(folder / "log.jsonl", remarks)
        facts = _facts(folder, settings, step_time, remarks)
        pictures = newest_pictures(folder / "samples", remarks)
    elif scores:
        remarks.append("a folder of scores: it holds no training")
    else:
        remarks.append("it holds no training either")
    return RunRecord(
        letter=letter,
        name=folder.resolve().name,
        folder=folder,
        facts=facts,
        settings=settings,
        curves=curves,
        scores=scores,
        pictures=pictures,
        remarks=remarks,
    )


def differing_settings(
    runs: Sequence[RunRecord],
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The settings that are not the same in all runs which have any.

    Returns:
        Values by name, one a run, as JSON; "" where a run has no such setting. First those that
        every one of these runs has, then those of some only: other games have other options.
    """
    described = [run.settings for run in runs if run.settings]
    shared: dict[str, list[str]] = {}
    partial: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for settings in described for name in settings):
        values = [_as_json(run.settings, name) for run in runs]
        if any(name not in settings for settings in described):
            partial[name] = values
        elif any(settings[name] != described[0][name] for settings in described):
            shared[name] = values
    return shared, partial


def _as_json(settings: dict[str, Any], name: str) -> str:
    if name not in settings:
        return ""
    value = settings[name]
    return value if isinstance(value, str) else json.dumps(value)


def _settings(path: Path, remarks: list[str]) -> dict[str, Any]:
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it is not a configuration")
        settings = flattened(config)
    except FileNotFoundError:
        remarks.append("no config.yaml: its settings are not known")
        return {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        remarks.append(f"config.yaml cannot be read: {_first_line(error)}")
        return {}
    # Where the run lies, and how it was called, is not what it is.
    aside = ("run", "dry_run", "allow_changes", "data.init_args.scan_cache")
    return {name: value for name, value in settings.items() if name not in aside}


def _log(path: Path, remarks: list[str]) -> tuple[Curves, str]:
    """The curves of a log, and the seconds that a step took."""
    try:
        lines, broken = read_json_lines(path)
        curves = loss_curves(path)
    except (OSError, UserError):
        remarks.append("no log.jsonl: there are no curves")
        return {}, ""
    if broken:
        remarks.append(f"log.jsonl: broken lines passed over: {broken}")
    if not curves:
        remarks.append("log.jsonl holds no losses yet")
    seconds = [line["seconds"] for line in lines if type(line.get("seconds")) is float]
    return curves, f"{median(seconds):.3g} s (median)" if seconds else ""


def _facts(
    folder: Path, settings: dict[str, Any], step_time: str, remarks: list[str]
) -> dict[str, str]:
    """The table at the head of the page; what is not known is left out."""
    about, checkpoint = _about(folder / "about.json", remarks), _checkpoint(folder, remarks)
    game = checkpoint.get("game")
    class_path = game.get("class_path") if isinstance(game, dict) else None
    versions, hardware = about.get("versions"), about.get("hardware")
    if isinstance(versions, dict):
        versions = " · ".join(f"{name} {number}" for name, number in versions.items())
    facts = {
        "recipe": about.get("recipe"),
        "game": settings.get("game.class_path") or class_path,
        "data": settings.get("data.class_path"),
        "steps": _steps(checkpoint.get("step"), settings.get("training.steps")),
        "parameters": _parameters(checkpoint, remarks),
        "a step": step_time,
        "versions": versions,
        "hardware": hardware,
    }
    return {name: str(fact) for name, fact in facts.items() if fact}


def _about(path: Path, remarks: list[str]) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return about if isinstance(about, dict) else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        remarks.append(f"about.json cannot be read: {_first_line(error)}")
        return {}


def _checkpoint(folder: Path, remarks: list[str]) -> dict[str, Any]:
    """The newest one's description; nothing without."""
    if not any((folder / "checkpoints").glob("step-*")):
        remarks.append("no checkpoint yet")
        return {}
    try:
        return read_config(find_checkpoint(folder))
    except (UserError, OSError) as error:
        remarks.append(_first_line(error))
        return {}


def _steps(saved: Any, planned: Any) -> str:
    if not saved:
        return f"none saved, of {planned}" if planned else ""
    return f"{saved} of {planned}" if planned and planned != saved else str(saved)


def _parameters(checkpoint: dict[str, Any], remarks: list[str]) -> str:
    """Of the game and of each of its networks."""
    if "game" not in checkpoint:
        return ""
    try:
        with torch.device("meta"):  # shapes alone, however large the networks
            game = build(checkpoint["game"])
        if not isinstance(game, nn.Module):
            raise UserError(f"it describes a {type(game).__name__}")
    except (UserError, RecursionError) as error:
        remarks.append(f"its parameters cannot be counted: {_first_line(error)}")
        return ""
    counts = {
        name: sum(weight.numel() for weight in network.parameters())
        for name, network in game.named_children()
    }
    parts = [f"{name} {count:,}" for name, count in counts.items() if count]
    total = sum(weight.numel() for weight in game.parameters())
    return f"{total:,}" + (f" ({', '.join(parts)})" if len(parts) > 1 else "")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
