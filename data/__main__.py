"""What to do with a folder of videos or shapes before training.

python -m data prepare videos store --size 64     decode once; then train with --data.root store
python -m data stabilize videos steady            make the camera of every video stand still
python -m data check videos                       name every unreadable file and why
python -m data statistics videos                  classes, lengths, sizes, rates, readers
python -m data prepare meshes store --size 64     the same for shapes: voxelise once
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

from data.faces import FaceBox
from data.geometry import Preprocessing
from data.layouts import LayoutName, Options, Split
from data.sources import DataError
from data.stabilization import Model, Stabilization
from data.volumes.orientation import Up

_SUMMARY = "What to do with a folder of videos or shapes before training."


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; gives the exit code."""
    settings = _parser().parse_args(arguments)
    # Here, so that a bad command line is refused before the decoders are loaded.
    from data import commands, shape_commands

    options = Options(
        settings.split,
        settings.fold,
        settings.split_lists,
        settings.compression,
        settings.source,
    )
    try:
        if settings.command != "stabilize" and _is_of_shapes(settings, shape_commands):
            return getattr(shape_commands, settings.command)(settings)
        return getattr(commands, settings.command)(settings, options)
    except DataError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130


def _is_of_shapes(settings: argparse.Namespace, shape_commands: ModuleType) -> bool:
    if settings.kind != "auto":
        return settings.kind == "shapes"
    return shape_commands.holds_shapes(settings.root)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data", description=_SUMMARY)
    commands = parser.add_subparsers(dest="command", required=True)
    prepare = commands.add_parser("prepare", help="decode every video once, at training size")
    stabilize = commands.add_parser("stabilize", help="make the camera of every video stand still")
    check = commands.add_parser("check", help="name every unreadable file, or check a store")
    statistics = commands.add_parser("statistics", help="count classes, lengths, sizes and rates")
    for command in (prepare, stabilize, check, statistics):
        command.formatter_class = argparse.ArgumentDefaultsHelpFormatter
        command.add_argument("root", type=Path, help="folder of videos or shapes")
    prepare.add_argument("destination", type=Path, help="folder of the store")
    _add_preparation(prepare)
    stabilize.add_argument("destination", type=Path, help="folder for the stabilized MP4s")
    _add_stabilization(stabilize)
    for command in (prepare, stabilize, check, statistics):
        _add_choice(command)
    for command in (prepare, check, statistics):
        _add_shapes(command)
    prepare.add_argument(
        "--pad", type=float, help="cells left free around a mesh; a sixteenth of the size if absent"
    )
    for command in (check, statistics):
        command.add_argument("--scan_cache", type=Path, help="JSON file that remembers the scan")
    return parser


def _add_shapes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--kind",
        default="auto",
        choices=("auto", "videos", "shapes"),
        help="what the folder holds; auto looks",
    )
    parser.add_argument(
        "--up",
        choices=get_args(Up),
        help="axis that points upwards in the shapes' files; absent: y for ShapeNet, OBJ, GLB,"
        " z for others",
    )


def _add_preparation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--size",
        type=int,
        nargs="+",
        required=True,
        help="side of a clip or volume, or a clip's height and width",
    )
    parser.add_argument("--channels", type=int, default=3, choices=(1, 3), help="grey or color")
    parser.add_argument(
        "--preprocessing",
        default="square",
        choices=get_args(Preprocessing),
        help="from the video's frame to the clip's",
    )
    parser.add_argument(
        "--face_box",
        default="union",
        choices=get_args(FaceBox),
        help="one box a video, a frame, or averaged; with --preprocessing face",
    )


def _add_stabilization(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default=Stabilization.model,
        choices=get_args(Model),
        help="what the camera does between frames; a similarity needs fewer key points",
    )
    parser.add_argument(
        "--max_error",
        type=float,
        default=Stabilization.max_error,
        help="pixels by which a match may miss the camera's view and still agree with it",
    )
    parser.add_argument(
        "--min_inliers",
        type=int,
        default=Stabilization.min_inliers,
        help="matches that must agree, else the piece is rejected",
    )
    parser.add_argument(
        "--max_drift",
        type=float,
        default=Stabilization.max_drift,
        help="share of the frame's diagonal by which a piece may drift; inf accepts any",
    )
    parser.add_argument(
        "--max_unseen",
        type=float,
        default=Stabilization.max_unseen,
        help="share of a frame that is not seen at which a piece ends",
    )
    parser.add_argument(
        "--min_frames", type=int, default=Stabilization.min_frames, help="shortest piece kept"
    )
    parser.add_argument(
        "--max_frames", type=int, default=Stabilization.max_frames, help="longest piece"
    )
    parser.add_argument(
        "--skip_frames",
        type=int,
        default=Stabilization.skip_frames,
        help="frames left out at the start of a file",
    )


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--layout", default="auto", choices=get_args(LayoutName), help="its layout")
    parser.add_argument("--split", choices=get_args(Split), help="part of the data set")
    parser.add_argument("--fold", type=int, default=1, help="number of UCF-101's split list")
    parser.add_argument("--split_lists", type=Path, help="folder of the split files")
    parser.add_argument("--compression", default="c23", help="FaceForensics++: raw, c0, c23, c40")
    parser.add_argument(
        "--source", default="original", help="FaceForensics: original, actors or a manipulation"
    )
    parser.add_argument(
        "--follow_links", action="store_true", help="read links that lead out of the folder"
    )
    parser.add_argument("--num_workers", type=int, default=2, help="processes that decode")


if __name__ == "__main__":
    sys.exit(main())
