"""How every command line ends: exit codes, and errors as one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from data.sources import DataError
from vidgen.errors import UserError


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
