from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from voxel import __main__ as program


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["generate", "--help"], ["render", "--help"], ["evaluate", "--help"]],
)
def test_help_answers_without_waiting_for_torch(arguments):
    script = (
        "import sys\n"
        "from voxel.__main__ import main\n"
        "try:\n"
        "    code = main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        "heavy = {'torch', 'trimesh', 'skimage', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    program = "evaluate.py" if "evaluate" in arguments else "voxel"
    assert f"usage: {program}" in result.stdout


def test_help_names_every_command_and_every_command_has_a_module():
    for name, target in program.COMMANDS.items():
        assert f"\n  {name} " in (program.__doc__ or "")
        module, _, function = target.partition(":")
        assert find_spec(module) and function == "main"


def test_an_unknown_command_is_answered_with_those_there_are(capsys):
    assert program.main(["produce"]) == 2
    assert "there is no command 'produce'; there are generate, int" in capsys.readouterr().err
    assert program.main([]) == 2
