from __future__ import annotations

import os
import subprocess
import sys

import pytest

from data.sources import DataError
from vidgen.commands.running import run_command
from vidgen.errors import UserError


def failing(error):
    def command(arguments):
        raise error

    return command


@pytest.mark.parametrize("kind", [UserError, DataError])
def test_mistakes_of_the_user_are_one_line_without_a_traceback(capsys, kind):
    assert run_command("train.py", failing(kind("no such\n  folder")), []) == 2
    assert capsys.readouterr().err == "train.py: no such folder\n"


def test_our_own_mistakes_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command("vidgen", failing(ZeroDivisionError()), [])


def test_control_c_ends_with_130(capsys):
    assert run_command("vidgen", failing(KeyboardInterrupt()), []) == 130
    assert capsys.readouterr().err == "vidgen: interrupted\n"


def test_commands_get_the_arguments_and_give_the_exit_code():
    seen = []

    def command(arguments):
        seen.append(arguments)
        return 7

    assert run_command("vidgen", command, ("a", "b")) == 7
    assert seen == [["a", "b"]]
    assert run_command("vidgen", lambda arguments: None, []) == 0


def test_a_reader_that_has_gone_is_no_reason_to_complain():
    script = (
        "import sys\n"
        "from vidgen.commands.running import run_command\n"
        "def command(arguments):\n"
        "    for _ in range(100_000):\n"
        "        sys.stdout.write('a line of output\\n')\n"
        "sys.exit(run_command('vidgen', command, []))\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert result.returncode == 141
    assert result.stderr == b""
