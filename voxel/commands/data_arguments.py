"""The command lines of what looks at a model and the shapes of a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser

from vidgen.commands.configuration import parse

# What the model decides.
_DECIDED: set[str | int] = {"size", "scan_cache"}


def run_with_data(
    command: Callable[..., None], arguments: list[str], decided: frozenset[str] = frozenset()
) -> None:
    """Calls `command(run, data, **others)`; `data` are the options of `data.Shapes`, as --data.*.

    Args:
        command: Its signature and docstring are the list of its options.
        arguments: Without the names of program and command.
        decided: Options of the data that the command itself decides.

    Raises:
        UserError: The command line is wrong, or whatever the command itself raises.
    """
    from data.shapes import Shapes

    parser = ArgumentParser(
        prog=f"voxel {command.__name__}",
        description=parse_docstring(command.__doc__ or "").short_description,
        exit_on_error=False,
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="Folder of a training.")
    parser.add_function_arguments(command, skip={"run", "data"}, as_group=False)
    parser.add_class_arguments(Shapes, "data", skip=_DECIDED | set(decided))
    chosen: dict[str, Any] = parse(parser, arguments).as_dict()
    command(chosen.pop("run"), chosen.pop("data"), **chosen)
