from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from vidgen import __main__ as program


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["generate", "--help"],
        ["interpolate", "--help"],
        ["finetune", "--help"],
        ["fit_classifier", "--help"],
    ],
)
def test_help_answers_without_waiting_for_torch(arguments):
    script = (
        "import sys\n"
        "from vidgen.__main__ import main\n"
        "try:\n"
        "    code = main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        "heavy = {'torch', 'av', 'matplotlib', 'decord', 'lightning_fabric'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "usage: vidgen" in result.stdout


def test_help_names_every_command_and_every_command_has_a_module():
    for name, target in program.COMMANDS.items():
        assert f"\n  {name} " in (program.__doc__ or "")
        module, _, function = target.partition(":")
        assert module.startswith("vidgen.commands.") and function == "main"
    assert find_spec("vidgen.commands.generate") and find_spec("vidgen.commands.interpolate")


def test_no_command_is_a_mistake_that_shows_the_help(capsys):
    assert program.main([]) == 2
    assert "usage: vidgen COMMAND" in capsys.readouterr().err


def test_an_unknown_command_is_answered_with_those_there_are(capsys):
    assert program.main(["produce"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("vidgen: there is no command 'produce'; there are train, generate")
