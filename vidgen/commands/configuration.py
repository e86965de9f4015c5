"""From a recipe and the command line to one complete configuration."""

from __future__ import annotations

import difflib
import re
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidgen.errors import UserError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

    from vidgen.adversarial.game import Game

_PACKAGES = Path(__file__).parents[2]
RECIPE_FOLDERS = (_PACKAGES / "vidgen" / "configs", _PACKAGES / "voxel" / "configs")


def recipes() -> dict[str, Path]:
    """The recipes that come with the packages, by name."""
    files = [path for folder in RECIPE_FOLDERS for path in folder.glob("*.yaml")]
    return {path.stem: path for path in sorted(files, key=lambda path: path.stem)}


def recipe_names() -> list[str]:
    """Names of the recipes that come with the packages."""
    return list(recipes())


def recipe_file(arguments: list[str]) -> list[str]:
    """The arguments with `--config NAME` turned into the recipe's file.

    Raises:
        UserError: There is neither such a recipe nor such a file.
    """
    found = list(arguments)
    for index, argument in enumerate(found):
        if argument == "--config" and index + 1 < len(found):
            found[index + 1] = str(_find_recipe(found[index + 1]))
        elif argument.startswith("--config="):
            found[index] = f"--config={_find_recipe(argument.partition('=')[2])}"
    return found


def _find_recipe(name: str) -> Path:
    if Path(name).is_file():
        return Path(name)
    if name in recipes():
        return recipes()[name]
    close = difflib.get_close_matches(name, recipe_names(), 3, 0.4) or recipe_names()
    raise UserError(
        f"there is no recipe or file {name!r}; recipes are, for instance: {', '.join(close)}"
    )


def training_parser(description: str) -> ArgumentParser:
    """The parser whose options are the constructors of games, data sets and settings."""
    from jsonargparse import ArgumentParser

    from data.sources import Source
    from vidgen.adversarial.game import Game
    from vidgen.adversarial.settings import TrainingSettings

    parser = ArgumentParser(prog="train.py", description=description, exit_on_error=False)
    parser.add_argument("--config", action="config", help="Recipe by name, or a YAML file.")
    parser.add_subclass_arguments(Game, "game", required=True)
    parser.add_subclass_arguments(Source, "data", required=True)
    parser.add_class_arguments(TrainingSettings, "training")
    parser.add_argument("--run", type=Path, help="Folder that keeps everything of this run.")
    parser.add_argument(
        "--dry_run", action="store_true", help="Print configuration and layers, then stop."
    )
    parser.add_argument(
        "--allow_changes", action="store_true", help="Resume although settings have changed."
    )
    return parser


def parse(parser: ArgumentParser, arguments: list[str]) -> Any:
    """The configuration; what is wrong with the arguments becomes one line.

    Raises:
        UserError: An unknown key, a wrong value, a missing option.
    """
    from argparse import ArgumentError

    try:
        return parser.parse_args(arguments)
    except (ArgumentError, ValueError, TypeError) as error:
        raise UserError(one_line(str(error), parser)) from error


def complete_data_options(config: Any, game: Game) -> None:
    """Fills in what the data's options leave to the game: frames, size, channels."""
    options = config.data.init_args
    for name, value in game.data_options().items():
        if name in options and options[name] is None:
            options[name] = value


def print_short_help(text: str, settings: type) -> None:
    """Help at once, without torch: usage, recipes and the settings of every training."""
    lines = [text.strip(), "", "options:"]
    lines += [
        "  --config NAME|FILE    recipe: " + ", ".join(recipe_names()),
        "  --data.root DIR       folder of videos, or a store made by `python -m data prepare`",
        "  --run DIR             folder that keeps everything of this run",
        "  --game.OPTION VALUE   options of the model; list: --game.help vidgen.TGAN",
        "  --data.OPTION VALUE   options of the data; list: --data.help data.VideoClips",
        "  --dry_run             print configuration, layers and batch arithmetic, then stop",
        "  --print_config        print the complete configuration",
        "  --allow_changes       resume although settings have changed",
        "",
        "settings of every training:",
    ]
    documented = dict(re.findall(r"^ {8}(\w+): ((?:.|\n {12})+)", settings.__doc__ or "", re.M))
    for field in fields(settings):
        meaning = " ".join(documented[field.name].split())
        lines.append(f"  --training.{field.name} ({field.default})  {meaning}")
    sys.stdout.write("\n".join(lines) + "\n")


# Lines of a parser's message that say nothing to a user.
_NOISE = re.compile(
    r"Does not validate|Subtypes:|^Errors:$|<class 'NoneType'>|Given value|^Problem with given"
)


def one_line(message: str, parser: ArgumentParser) -> str:
    """The telling lines of a parser's message, and a likely name for a misspelt option."""
    lines = [line.strip(" -\t") for line in message.splitlines()]
    telling = [line for line in lines if line and not _NOISE.search(line)]
    text = " ".join(telling) or message.splitlines()[0]
    unknown = re.search(r"unrecognized arguments: (--[\w.]+)|Key ['\"]([\w.]+)['\"] is not", text)
    if unknown:
        name = (unknown[1] or "--" + unknown[2]).lstrip("-")
        close = difflib.get_close_matches(name, _option_names(parser), 1)
        text += f"; did you mean --{close[0]}?" if close else "; see --help"
    return text


def _option_names(parser: ArgumentParser) -> list[str]:
    return [option.lstrip("-") for action in parser._actions for option in action.option_strings]
