"""Write clips between clips: finer in time, or from one seed to another.

python -m vidgen interpolate runs/weizmann --seeds 0-3 --factor 8 --out fine
python -m vidgen interpolate runs/weizmann --seeds 0 --walk 7 --stages 9 --out walk
"""

from __future__ import annotations

import re
from pathlib import Path

from vidgen.commands.arguments import ClipOptions, check_range, parse_seeds, run_on_arguments
from vidgen.errors import UserError


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_on_arguments(interpolate, arguments)


def interpolate(
    run: Path,
    options: ClipOptions,
    *,
    seeds: str = "0",
    factor: int = 8,
    between: str | None = None,
    slow_motion: bool = False,
    walk: str | None = None,
    stages: int = 9,
) -> None:
    """Write clips with new frames between the model's frames, or the way between two seeds.

    Args:
        run: Folder of a training.
        options: Which model makes clips, how, and what becomes of them.
        seeds: The clips, such as 0-3 or 3,5,9-12.
        factor: Frames for one of the model's; the rate grows with it, so the speed stays.
        between: Keep only the frames from one of the model's frames to another, such as 5,6; the
            first is 0.
        slow_motion: Keep the rate, so that the motion is slower by the factor.
        walk: Instead, write the way from each of the seeds to this one, clips of latents on the
            line between theirs, and a grid of them.
        stages: Clips on such a way, both ends included.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    chosen = parse_seeds(seeds)
    ends = None if between is None else _frame_numbers(between)
    check_range("factor", factor, 1, 1000)
    check_range("stages", stages, 2, 1000)
    if walk is None:
        from vidgen.commands.interpolations import write_finer_clips  # brings torch

        write_finer_clips(run, options, chosen, factor, ends, slow_motion)
        return
    if ends or slow_motion:
        raise UserError("--walk makes whole clips at their own speed: no --between, --slow_motion")
    if options.truncation != 1:
        raise UserError("--walk goes from latent to latent as they are: leave --truncation out")
    goal, *more = parse_seeds(walk)
    if more:
        raise UserError(
            f"--walk {walk}: a way leads to one seed; --seeds may name several to start"
        )
    from vidgen.commands.interpolations import write_walks

    write_walks(run, options, chosen, goal, stages)


def _frame_numbers(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text)
    if found is None or int(found[1]) >= int(found[2]):
        raise UserError(f"--between {text}: give two frames, the earlier first, such as 5,6")
    return int(found[1]), int(found[2])
