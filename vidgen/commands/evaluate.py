"""Score what a trained model makes, or a folder of anybody's clips.

    python evaluate.py runs/tgan --metrics acd --samples 256
    python evaluate.py runs/tgan --data.root videos/ --metrics fid,is --extractor small.safetensors
    python evaluate.py --generated clips/ --data.root videos/ --metrics swd,change
    python evaluate.py --compare runs/tgan runs/mocogan --out report/

Runs of shapes have metrics and options of their own; `python evaluate.py RUN --help` lists those of
the run's kind. What is computed is kept in the run's folder; stopped, the same command goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentParser

from vidgen.commands.arguments import check_range
from vidgen.commands.configuration import parse
from vidgen.errors import UserError

# What the clips to be judged decide.
_DECIDED: set[str | int] = {"root", "num_frames", "size", "channels"}


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """What is judged, by which metrics, and with what.

    Args:
        metrics: Names, with commas between: is, intra_is, accuracy, mcs, fid, fvd, kvd, precision,
            recall, acd, change, unevenness, freeze, flicker, ms_ssim, psnr, ssim, swd, swd_motion,
            neighbours, gam.
        generated: Folder of generated videos, to be judged in place of a run.
        samples: Clips of a repeat; the protocol's number by default, of a folder at most each once.
        repeats: How often other clips are drawn; the protocol's number by default.
        protocol: Whose numbers and rules: default, tgan, tganv2, latent_ode or styleganv.
        extractor: Network that judges clips: c3d, i3d, the name of a torchvision model such as
            r3d_18 or resnet18 (frame by frame), or a file made by `vidgen fit_classifier`.
        weights: File with its weights, or `download` for torchvision's own.
        mean: C3D: npz with the mean volume; a number a channel without it.
        embedder: ACD on faces: `dlib`, for which `pip install 'vidgen[faces]'` brings the network,
            or the TorchScript file of an identity network. It is a program, and run.
        embedder_side: Height and width that the file's network takes, in pixels.
        shape_threshold: ACD: pixels brighter than this, of 255, belong to the shape.
        rival: GAM: folder of the training of another model, of clips of the same shape.
        checkpoint: Which one of the run: latest, best, best-METRIC, step-NUMBER, or all.
        frames: Frames of a clip; those of the training by default.
        every: Step from one frame that the network looks at to the next; 2 for VGAN's 32 frames.
        truncation: Below 1, clips nearer to the typical one.
        batch_size: Clips made at once; another number changes no more than the rounding.
        out: Folder for scores and caches; by default `metrics` in the run's, or FOLDER-metrics
            beside a folder of clips. With --compare, for the page.
        accelerator: Kind of device.
        allow: Import paths, with commas between, of further classes that the checkpoint may name.
            Their code is run: allow only what you trust.
    """

    metrics: str = "acd"
    generated: Path | None = None
    samples: int | None = None
    repeats: int | None = None
    protocol: str = "default"
    extractor: str | None = None
    weights: Path | None = None
    mean: Path | None = None
    embedder: Path | None = None
    embedder_side: int = 96
    shape_threshold: float = 25.0
    rival: Path | None = None
    checkpoint: str = "latest"
    frames: int | None = None
    every: int = 1
    truncation: float = 1.0
    batch_size: int = 16
    out: Path | None = None
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    allow: str = ""

    def __post_init__(self) -> None:
        check_range("samples", self.samples, 2, 100_000_000)
        check_range("repeats", self.repeats, 1, 1000)
        check_range("frames", self.frames, 1, 100_000)
        check_range("every", self.every, 1, 1000)
        check_range("truncation", self.truncation, 0, 10)
        check_range("shape_threshold", self.shape_threshold, 0, 255)
        check_range("embedder_side", self.embedder_side, 8, 4096)
        check_range("batch_size", self.batch_size, 1, 100_000)


def main(arguments: list[str]) -> None:
    """Runs the command."""
    from data.videos import VideoClips

    parser = ArgumentParser(
        prog="evaluate.py", description=(__doc__ or "").splitlines()[0], exit_on_error=False
    )
    parser.add_argument("run", type=Path, nargs="?", metavar="RUN", help="Folder of a training.")
    parser.add_argument(
        "--compare",
        type=Path,
        nargs="*",
        metavar="RUN",
        help="Judge nothing: write a page that shows these runs side by side into --out.",
    )
    parser.add_class_arguments(EvaluateOptions, as_group=False)
    parser.add_argument("--data.root", type=Path, help="Folder of real videos, or a store.")
    parser.add_class_arguments(VideoClips, "data", skip=_DECIDED)
    chosen = parse(parser, arguments).as_dict()
    names = [field.name for field in fields(EvaluateOptions)]
    options = EvaluateOptions(**{name: chosen.pop(name) for name in names})
    if chosen["compare"] is not None:
        compare(chosen["compare"], options.out, chosen["run"], arguments)
        return
    evaluate(chosen["run"], chosen["data"], options)


def evaluate(run: Path | None, data: dict[str, Any], options: EvaluateOptions) -> None:
    """A table of scores, and a line of JSON for each.

    Args:
        run: Folder of a training, where no folder of clips is given.
        data: Options of `data.VideoClips` for real videos; without `root` there are none.
        options: All the rest.

    Raises:
        UserError: The command cannot be done as it was given.
        DataError: The videos cannot be used so.
    """
    if (run is None) == (options.generated is None):
        raise UserError("say what to judge: the folder of a training, or --generated DIR")
    from vidgen.commands.evaluation import run_evaluation  # brings torch

    run_evaluation(run, data, options)


def compare(runs: list[Path], out: Path | None, run: Path | None, arguments: Sequence[str]) -> None:
    """A page of runs side by side.

    Args:
        runs: Folders of trainings.
        out: Folder for the page.
        run: A folder that was given to be judged, which contradicts.
        arguments: All that was given: nothing but these two options may be among them.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    given = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    others = [name for name in dict.fromkeys(given) if name not in ("--compare", "--out", "--")]
    if run is not None:
        raise UserError(f"--compare judges nothing: name {run} after it, or leave it out")
    if others:
        raise UserError(f"--compare judges nothing and takes only --out; leave out {others[0]}")
    if out is None:
        raise UserError("say where the page shall be kept: --out report/")
    from vidgen.commands.comparison import compare_runs  # brings torch

    compare_runs(runs, out)
