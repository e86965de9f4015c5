"""Write a table of clips: a content a row, a motion a column.

python -m vidgen recombine runs/mocogan --contents 4 --motions 6 --out recombined
python -m vidgen recombine runs/mocogan --content_seeds 3,8 --motion_seeds 0-5 --clips --out table
"""

from __future__ import annotations

from pathlib import Path

from vidgen.commands.arguments import ClipOptions, check_range, chosen_seeds, run_on_arguments
from vidgen.errors import UserError

MOST_CLIPS = 1024


def main(arguments: list[str]) -> None:
    """Runs the command."""
    run_on_arguments(recombine, arguments)


def recombine(
    run: Path,
    options: ClipOptions,
    *,
    contents: int | None = None,
    motions: int | None = None,
    content_seeds: str | None = None,
    motion_seeds: str | None = None,
    frames: int | None = None,
    change_every: int | None = None,
    clips: bool = False,
) -> None:
    """Write every content in every motion: grid.mp4, a content a row, a motion a column.

    Source: MoCoGAN (Tulyakov et al., 2018), Figure 4b. Where content and motion have the same seed
    the clip is that of `generate`. grid.png has a row of frames for each clip, content by content.

    Args:
        run: Folder of a training.
        options: Which model makes clips, how, and what becomes of them.
        contents: Number of contents, of seeds 0, 1, 2, ...; 4 by default.
        motions: Number of motions, of seeds 0, 1, 2, ...; 6 by default.
        content_seeds: Seeds of the contents instead, such as 0-3 or 3,5,9-12.
        motion_seeds: Seeds of the motions instead.
        frames: Frames of a clip; those of the training by default.
        change_every: Frames after which the next class of --label Walk,Run comes, round and round;
            without --label all classes take turns.
        clips: Also write a file for each clip.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    rows = chosen_seeds(contents, content_seeds, 4, "contents", "content_seeds")
    columns = chosen_seeds(motions, motion_seeds, 6, "motions", "motion_seeds")
    check_range("frames", frames, 1, 100_000)
    check_range("change_every", change_every, 1, 100_000)
    if len(rows) * len(columns) > MOST_CLIPS:
        raise UserError(
            f"{len(rows)} contents in {len(columns)} motions are more than the {MOST_CLIPS:,} "
            "clips that one table can show; ask for fewer"
        )

    from vidgen.commands import outputs  # brings torch: only when the command line is right
    from vidgen.commands.labels import clip_label

    loaded = outputs.open_game(run, options)
    table = outputs.ability(loaded, "recombine", "show one content in several motions")
    label = clip_label(loaded, options.label, change_every, frames)
    folder = outputs.ClipFolder(options, options.fps or loaded.fps, len(rows) * len(columns))
    for content in rows:
        for batch in outputs.batches(columns, options.batch_size):
            labels = None if label is None else [label] * len(batch)
            with outputs.enough_memory(len(batch)):
                (made,) = table([content], batch, frames, labels, options.truncation)
                pixels = loaded.game.to_pixels(made).cpu()
            if clips:
                start = f"content-{outputs.seed_name(content)}-motion"
                folder.write([f"{start}-{outputs.seed_name(motion)}" for motion in batch], pixels)
            else:
                folder.show(pixels)
    folder.write_grid(columns=len(columns), sheet_clips=outputs.GRID_CLIPS)
