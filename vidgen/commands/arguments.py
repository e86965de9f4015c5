"""The command lines of what is done with a trained model. Nothing here waits for torch."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser

from vidgen.commands.configuration import parse
from vidgen.errors import UserError

LARGEST_SEED = 2**63 - 1
MOST_SEEDS = 1_000_000


@runtime_checkable
class ModelOptions(Protocol):
    """What the options of every command with a trained model say."""

    @property
    def out(self) -> Path:
        """Folder for the files."""
        ...

    @property
    def checkpoint(self) -> str:
        """Which one of the run."""
        ...

    @property
    def device(self) -> str:
        """Where to compute."""
        ...

    @property
    def allow(self) -> str:
        """Further classes that the checkpoint may name."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClipOptions:
    """Which model makes clips, how, and what becomes of them.

    Args:
        out: Folder for the files; made when missing.
        format: Kind of file; png is a strip of all frames side by side.
        grid: Also write grid.mp4, all clips side by side, and grid.png, a row of frames a clip.
        fps: Frames a second of the model's own frames; those of its training by default.
        label: Name or number of the class of all clips; drawn as often as training met them by
            default. Several, with commas between, where a command has --change_every.
        truncation: Below 1, clips nearer to the typical one: less variety, fewer failures.
        checkpoint: Which one of the run: latest, best-METRIC or step-NUMBER.
        batch_size: Clips made at once; another number changes no more than the rounding, a few
            pixels in a million by one level.
        device: Where to compute: auto, cpu, cuda, cuda:1, ...
        allow: Import paths, with commas between, of further classes that the checkpoint may name.
            Their code is run: allow only what you trust.
    """

    out: Path
    format: Literal["mp4", "gif", "webm", "png"] = "mp4"
    grid: bool = False
    fps: float | None = None
    label: str | None = None
    truncation: float = 1.0
    checkpoint: str = "latest"
    batch_size: int = 16
    device: str = "auto"
    allow: str = ""

    def __post_init__(self) -> None:
        check_range("fps", self.fps, 0.01, 1000)
        check_range("truncation", self.truncation, 0, 10)
        check_range("batch_size", self.batch_size, 1, 100_000)


def run_on_arguments(
    command: Callable[..., None],
    arguments: list[str],
    kind: type[Any] = ClipOptions,
    program: str = "vidgen",
) -> None:
    """Calls `command(run, options, **others)` with what the command line says.

    The command's signature and `kind` are the list of options, their docstrings the help.

    Args:
        command: Takes a run folder, a `kind`, what else must be given, and keyword arguments with
            defaults.
        arguments: Without the names of program and command.
        kind: Dataclass of the options that several commands have.
        program: Whose command it is, for the help.

    Raises:
        UserError: The command line is wrong, or whatever the command itself raises.
    """
    parser = ArgumentParser(
        prog=f"{program} {command.__name__}",
        description=parse_docstring(command.__doc__ or "").short_description,
        exit_on_error=False,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="Folder of a training.")
    flags = _add_flags(parser, command) | _add_flags(parser, kind)
    parser.add_function_arguments(
        command, skip={"run", "options", *flags}, as_group=False, as_positional=True
    )
    parser.add_class_arguments(kind, skip=flags, as_group=False)
    chosen = dict(parse(parser, arguments))
    options = kind(**{field.name: chosen.pop(field.name) for field in fields(kind)})
    command(chosen.pop("run"), options, **chosen)


def _add_flags(parser: ArgumentParser, source: Callable[..., Any]) -> set[str | int]:
    """Adds the yes-or-no options, which jsonargparse itself would want spelt `--grid true`.

    It also runs the TYPE_CHECKING blocks of the modules whose signatures it reads, so those modules
    have none that import torch.
    """
    meaning = {part.arg_name: part.description for part in parse_docstring(source.__doc__).params}
    signature = inspect.signature(source, eval_str=True)
    names = {name for name, option in signature.parameters.items() if option.annotation is bool}
    for name in sorted(names):
        parser.add_argument(f"--{name}", action="store_true", help=meaning[name])
    return set(names)


def check_range(
    option: str, value: int | float | None, lowest: int | float, highest: int | float
) -> None:
    """Refuses the value of an option outside the range; `None` is an option not given.

    Raises:
        UserError: It is less or more, or no number.
    """
    if value is not None and not lowest <= value <= highest:
        raise UserError(f"--{option} {value} is outside {lowest:,} ... {highest:,}")


def parse_seeds(text: str) -> list[int]:
    """The seeds named by a list such as `0-15` or `3,5,9-12`, each once, in its order.

    Raises:
        UserError: It is no such list, or names more than a million.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        # No more digits than the largest seed has: int() refuses thousands of them.
        found = re.fullmatch(r"\s*(\d{1,19})\s*(?:-\s*(\d{1,19})\s*)?", part)
        if found is None:
            raise UserError(f"{text!r} is not a list of seeds such as 0-15 or 3,5,9-12")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise UserError(f"seeds {part.strip()} run backwards; write {last}-{first}")
        if last > LARGEST_SEED:
            raise UserError(f"seed {last} is too large; the largest is {LARGEST_SEED}")
        if len(seeds) + last - first >= MOST_SEEDS:
            raise UserError(f"{text!r} names more than {MOST_SEEDS:,} seeds; take fewer at a time")
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return list(seeds)


def chosen_seeds(
    count: int | None,
    seeds: str | None,
    default: int = 16,
    count_option: str = "count",
    seeds_option: str = "seeds",
) -> list[int]:
    """The seeds that `--count` and `--seeds` ask for: 0 to count - 1, or the list.

    Args:
        count: How many; `None` is not given.
        seeds: The list; `None` is not given.
        default: How many if neither is given.
        count_option: Name of the option that gave the count.
        seeds_option: Name of the option that gave the list.

    Raises:
        UserError: The list is none, or does not have `count` seeds.
    """
    check_range(count_option, count, 1, MOST_SEEDS)
    if seeds is None:
        return parse_seeds(f"0-{(count or default) - 1}")
    chosen = parse_seeds(seeds)
    if count is not None and count != len(chosen):
        raise UserError(
            f"--{seeds_option} {seeds} names {len(chosen)} clips, --{count_option} asks for "
            f"{count}; give one of them"
        )
    return chosen
