"""Runs side by side on one page: what they are, their scores, curves, samples and settings.

    python evaluate.py --compare runs/tgan runs/mocogan --out report/

Nothing is computed of the models: the scores are those that `evaluate.py RUN` has written.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase

from vidgen.commands.comparison_page import comparison_page
from vidgen.commands.comparison_runs import read_run
from vidgen.commands.outputs import say
from vidgen.errors import UserError
from vidgen.writing import replacing


def compare_runs(folders: Sequence[Path], out: Path) -> None:
    """Writes `out/index.html`, a page that needs no other file.

    Args:
        folders: Of trainings, in the order in which they are shown.
        out: Made when missing; a page that is there is replaced.

    Raises:
        UserError: Too few or too many folders, one twice, one that is not there, or the page
            cannot be written.
    """
    _check_folders(folders)
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out} is a file; give a folder, it is made when missing")
    runs = [
        read_run(folder, letter) for folder, letter in zip(folders, ascii_uppercase, strict=False)
    ]
    page = out / "index.html"
    text = comparison_page(runs)
    with replacing(page) as unfinished:
        # Names of files and in JSON may hold halves of characters, which UTF-8 has not.
        unfinished.write_text(text, encoding="utf-8", errors="replace")
    for run in runs:
        for remark in run.remarks:
            say(f"{run.folder}: {remark}")
    say(f"{page}: {len(runs)} runs compared, {len(text) / 1e6:.1f} MB")


def _check_folders(folders: Sequence[Path]) -> None:
    if len(folders) < 2:
        given = f"only {folders[0]} was given" if folders else "none was given"
        raise UserError(f"--compare needs two runs or more, and {given}")
    if len(folders) > len(ascii_uppercase):
        raise UserError(
            f"--compare takes up to {len(ascii_uppercase)} runs, one a letter, not {len(folders)}"
        )
    known: set[Path] = set()
    for folder in folders:
        if folder.resolve() in known:
            raise UserError(f"--compare: {folder} was given twice")
        known.add(folder.resolve())
