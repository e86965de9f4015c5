"""What is judged: checkpoints of a run, or a folder of anybody's clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from data.folder import scanned_folder
from data.layouts import Options
from data.sources import Source
from data.videos import VideoClips
from vidgen.adversarial.checkpoints import find_checkpoint, load_game
from vidgen.commands.clip_sets import (
    ClipSet,
    Draw,
    GeneratedClips,
    Part,
    RecordedClips,
    checkpoint_hash,
)
from vidgen.commands.evaluate import EvaluateOptions
from vidgen.commands.outputs import ability, say
from vidgen.errors import UserError

DataOptions = dict[str, object]
LEVEL_METRICS = "psnr or ssim"


@dataclass(frozen=True)
class Subject:
    """Something whose clips can be drawn again and again.

    Attributes:
        name: Of the checkpoint, or of the folder.
        sha256: Of its weights, or of what the folder delivers.
        shape: What real clips must look like, by the names of the data's options.
        num_classes: Classes that its clips can be asked for; 0 is none.
        classes: Their names, where known.
        num_clips: How many there are; `None` without end.
        fps: Frames a second of its clips.
        clips: The clips of a repeat, drawn in one of the ways; an error if it cannot be.
    """

    name: str
    sha256: str
    shape: DataOptions
    num_classes: int
    classes: list[str]
    num_clips: int | None
    fps: float
    clips: Callable[[int, Draw], ClipSet]


def checkpoints(run: Path, name: str) -> list[str]:
    """Names of the checkpoints that are asked for.

    Raises:
        UserError: There are none, or `best` is more than one.
    """
    home = run / "checkpoints"
    if name == "all":
        found = sorted(path.name for path in home.glob("step-*"))
        if not found:
            find_checkpoint(run)  # says what is wrong
        return found
    if name == "best":
        found = sorted(path.name for path in home.glob("best-*"))
        if len(found) != 1:
            raise UserError(
                f"{home} has {len(found)} best checkpoints: {', '.join(found) or 'none'}; give "
                "--checkpoint best-METRIC, or all to judge each"
            )
        return found
    return [name]


def subjects_of_run(run: Path, options: EvaluateOptions, device: torch.device) -> Iterator[Subject]:
    """The checkpoints that are asked for, one loaded at a time.

    Raises:
        UserError: One of them cannot be loaded.
    """
    allowed = [name.strip() for name in options.allow.split(",") if name.strip()]
    for name in checkpoints(run, options.checkpoint):
        loaded = load_game(run, name, allow=allowed)
        loaded.game.to(device)
        shape = dict(loaded.game.data_options())
        if options.frames is not None:
            shape["num_frames"] = options.frames

        def clips(repeat: int, draw: Draw, loaded=loaded) -> ClipSet:
            if draw == "levels":
                ability(loaded, "levels", f"be judged by {LEVEL_METRICS}: it has one resolution")
            origin = checkpoint_hash(loaded)
            return GeneratedClips(
                loaded.game, origin, repeat, options.frames, options.truncation, draw
            )

        yield Subject(
            loaded.folder.name,
            checkpoint_hash(loaded),
            shape,
            loaded.game.num_classes,
            loaded.classes,
            None,
            loaded.fps,
            clips,
        )


def subject_of_folder(
    folder: Path, options: EvaluateOptions, device: torch.device, scan: Path
) -> Subject:
    """A folder of clips of one size, the commonest there; as many frames as the shortest has.

    A grid beside the clips that it shows has another size, and is not judged.

    Raises:
        DataError: It holds no videos.
    """
    records = scanned_folder(folder, "auto", Options(), cache=scan).records
    sizes = [(record.height, record.width) for record in records]
    size = Counter(sizes).most_common(1)[0][0]
    items = [item for item, its_size in enumerate(sizes) if its_size == size]
    for item, record in enumerate(records):
        if item not in items:
            say(f"left out, {record.found.path}: it is not {size[0]} x {size[1]} as most are")
    shape: DataOptions = {
        "num_frames": options.frames or min(records[item].num_frames for item in items),
        "size": size,
        "channels": 3,
    }
    source = Part(folder_source(folder, shape, scan), items)

    def clips(repeat: int, draw: Draw) -> ClipSet:
        # The classes of its files are known: no balance has to be asked for.
        if draw == "levels":
            raise UserError(f"a folder has clips of one resolution; leave {LEVEL_METRICS} out")
        return RecordedClips(source, seed=repeat, device=device)

    return Subject(
        folder.name,
        source.fingerprint(),
        shape,
        len(source.classes),
        source.classes,
        len(source),
        source.fps,
        clips,
    )


def folder_source(folder: Path, shape: DataOptions, scan: Path) -> VideoClips:
    """The clips of a folder from their first frames on, uncropped."""
    arguments = {**shape, "start": "first", "preprocessing": "whole", "scan_cache": scan}
    return VideoClips(folder, **arguments)  # pyright: ignore[reportArgumentType]


def real_source(data: dict[str, object], shape: DataOptions, scan: Path) -> Source:
    """Real videos in the shape of what is judged.

    Raises:
        DataError: They cannot be used so.
    """
    arguments = {**data, **shape}
    arguments["scan_cache"] = data.get("scan_cache") or scan
    return VideoClips(**arguments)  # pyright: ignore[reportArgumentType]
