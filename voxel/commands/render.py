"""Draw meshes from all around, one turntable film an object.

python -m voxel render ModelNet10 views --background color
python -m voxel render furniture views --up y --background photo --photos SUN397
"""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentParser

from vidgen.commands.arguments import check_range
from vidgen.commands.configuration import parse
from vidgen.errors import UserError


def main(arguments: list[str]) -> None:
    """Runs the command."""
    parser = ArgumentParser(
        prog="voxel render", description=(__doc__ or "").splitlines()[0], exit_on_error=False
    )
    parser.add_function_arguments(render, as_group=False, as_positional=True)
    render(**parse(parser, arguments).as_dict())


def render(
    source: Path,
    films: Path,
    *,
    angles: int = 24,
    elevations: str = "15,30,45",
    size: int = 256,
    up: Literal["x", "y", "z"] = "z",
    background: Literal["plain", "color", "photo"] = "plain",
    photos: Path | None = None,
    seed: int = 0,
    fps: int = 12,
    num_workers: int = 0,
) -> None:
    """Draw every mesh below a folder as one MP4; finished films are not made again.

    Args:
        source: Folder of OFF, OBJ, STL, PLY, GLB or glTF files, such as a ModelNet.
        films: Folder for the films, in the same subfolders, and for views.json, which says what
            they show.
        angles: Views around an object.
        elevations: Degrees above the ground, with commas between; a round of views each.
        size: Pixels of a frame's side.
        up: Axis of the meshes that points up; z in ModelNet, y in ShapeNet and GLB.
        background: plain is white; color and photo are others in each view, of objects of other
            colors.
        photos: Folder of pictures for the background photo.
        seed: Of the backgrounds and colors.
        fps: Frames a second.
        num_workers: Processes that draw; 0 draws in this one.

    Raises:
        UserError: The command cannot be done as it was given.
    """
    check_range("angles", angles, 1, 10_000)
    check_range("size", size, 2, 8192)
    check_range("seed", seed, 0, 2**63 - 1)
    check_range("fps", fps, 1, 1000)
    check_range("num_workers", num_workers, 0, 1024)
    rounds = _parse_elevations(elevations)

    from voxel.turntables import TurntableSettings

    settings = TurntableSettings(
        angles=angles,
        elevations=rounds,
        size=size,
        up=up,
        background=background,
        photos=photos,
        seed=seed,
        fps=fps,
    )
    _film_all(source, films, settings, num_workers)


def _film_all(source: Path, folder: Path, settings: Any, num_workers: int) -> None:
    from data.progress import shown_progress
    from data.workers import mapped
    from vidgen.commands.outputs import say
    from vidgen.writing import remove_leftovers
    from voxel.turntables import Filming, mesh_films, note_settings

    films = mesh_films(source)
    filming = Filming(source, folder, settings)
    note_settings(folder, settings)
    for made in {(folder / film).parent for film in films.values()}:
        remove_leftovers(made)
    missing = [names for names in films.items() if not (folder / names[1]).is_file()]
    broken = 0
    with shown_progress("drawing") as progress:
        for done, line in enumerate(mapped(filming, missing, num_workers), 1):
            progress(done, len(missing))
            if line is not None:
                broken += 1
                say(line)
    if broken == len(films):
        raise UserError(f"none of the {broken} meshes in {source} could be drawn")
    frames = settings.angles * len(settings.elevations)
    say(
        f"{folder}: {len(films) - broken} films of {frames} views of {settings.size} x "
        f"{settings.size}, {len(films) - len(missing)} of them made before"
        + (f"; {broken} meshes left out" if broken else "")
    )


def _parse_elevations(text: str) -> tuple[float, ...]:
    try:
        elevations = tuple(float(part) for part in text.split(","))
    except ValueError:
        elevations = ()
    if not elevations or not all(isfinite(e) and -90 <= e <= 90 for e in elevations):
        raise UserError(f"--elevations {text}: give degrees from -90 to 90, such as 15,30,45")
    return elevations
