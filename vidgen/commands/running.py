"""How every command line ends: exit codes, and errors as one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from data.sources import DataError
from vidgen.errors import UserError


def run_program(
    program: str, usage: str, commands: Mapping[str, str], arguments: Sequence[str] | None
) -> int:
    """Runs one of a program's commands; its exit code.

    Args:
        program: Its name.
        usage: What is printed without a command, and for --help.
        commands: Function of each command, as "module:function"; only the chosen module is
            imported, because torch alone takes seconds.
        arguments: Name of the command and its arguments; `None` takes the process's own.
    """

    def choose(given: list[str]) -> int | None:
        if not given:
            sys.stderr.write(usage)
            return 2
        name, *rest = given
        if name in ("-h", "--help"):
            sys.stdout.write(usage)
            return 0
        if name not in commands:
            raise UserError(f"there is no command {name!r}; there are {', '.join(commands)}")
        module, _, function = commands[name].partition(":")
        return getattr(import_module(module), function)(rest)

    return run_command(program, choose, sys.argv[1:] if arguments is None else arguments)


def run_command(
    program: str, command: Callable[[list[str]], int | None], arguments: Sequence[str]
) -> int:
    """Runs a command line; what is the user's to mend becomes one line instead of a traceback.

    Args:
        program: What the line on stderr begins with.
        command: Takes the arguments; gives the exit code, `None` for success.
        arguments: Without the program's name.

    Returns:
        Exit code: the command's own, 2 for a mistake of the user, 130 for Ctrl-C, 141 when the
        reader of the output has gone.
    """
    try:
        code = command(list(arguments)) or 0
        sys.stdout.flush()  # here, where a reader that has gone can still be met quietly
        return code
    except (UserError, DataError) as error:
        sys.stderr.write(f"{program}: {' '.join(str(error).split())}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: interrupted\n")
        return 130
    except BrokenPipeError:
        # Python flushes stdout once more when it ends, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
