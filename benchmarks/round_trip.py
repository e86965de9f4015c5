"""From meshes to cells, to a mesh, through a file, and to cells again: how many cells stay.

    OMP_NUM_THREADS=1 python benchmarks/round_trip.py furniture --up y

Each mesh below a folder (by default 40 synthetic solids) is voxelised, its surface written as a
file with the default size (longest side 1), read again, and voxelised with the same settings. The
IoU of the first and the second cells is shown, with the surface as it is and smoothed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.solids import write_solids
from data.volumes.meshes import MESH_ENDINGS, read_mesh
from data.volumes.orientation import Up
from data.volumes.voxelizing import voxelized
from voxel.mesh_files import write_mesh
from voxel.meshes import MeshSettings, shape_mesh


def overlaps(paths: list[Path], size: int, up: Up, ending: str, smooth: bool) -> np.ndarray:
    found = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"shape.{ending}"
        # The only format that is not written with z up.
        written_up = "y" if ending == "glb" else "z"
        for path in paths:
            first = voxelized(read_mesh(path), size, up=up).volume
            mesh = shape_mesh(first.astype(np.float64), MeshSettings(smooth=smooth))
            write_mesh(file, mesh)
            second = voxelized(read_mesh(file), size, up=written_up).volume
            found.append((first & second).sum() / (first | second).sum())
    return np.array(found)


def main() -> None:
    parser = argparse.ArgumentParser(description="IoU of cells before and after a mesh file.")
    parser.add_argument("folder", nargs="?", type=Path, help="Of meshes.")
    parser.add_argument("--size", type=int, default=64, help="Cells a side.")
    parser.add_argument("--up", default="z", help="Axis of the meshes that points up.")
    parser.add_argument("--ending", default="ply", help="Of the file between.")
    chosen = parser.parse_args()
    with TemporaryDirectory() as made:
        folder = chosen.folder
        if folder is None:
            folder = Path(made)
            write_solids(folder, 10)
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in MESH_ENDINGS)
        for smooth in (False, True):
            began = time.process_time()
            found = overlaps(paths, chosen.size, chosen.up, chosen.ending, smooth)
            seconds = (time.process_time() - began) / len(paths)
            print(
                f"{len(paths)} meshes at {chosen.size}³ through {chosen.ending}, "
                f"{'smoothed' if smooth else 'as they are'}: IoU mean {found.mean():.4f}, lowest "
                f"{found.min():.4f} ({paths[int(found.argmin())].name}), {(found == 1).sum()} "
                f"exactly equal, {(found < 0.95).sum()} below 0.95; {seconds * 1e3:.0f} ms CPU each"
            )


if __name__ == "__main__":
    main()
