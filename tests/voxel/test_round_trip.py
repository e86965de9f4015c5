"""From a mesh to cells, to a mesh and to cells again."""

from __future__ import annotations

import numpy as np
import pytest

from data.solids import CLASSES, occupied, random_solid, triangles
from data.volumes.meshes import Mesh, read_mesh
from data.volumes.voxelizing import voxelized
from voxel.mesh_files import write_shape
from voxel.meshes import MeshSettings, shape_mesh

SIZE = 32


@pytest.mark.parametrize("label", range(len(CLASSES)), ids=CLASSES)
@pytest.mark.parametrize("smooth, least", [(False, 0.999), (True, 0.95)])
def test_a_solid_keeps_its_cells_from_mesh_to_mesh(label, smooth, least):
    solid = random_solid(label, np.random.default_rng(label))
    first = voxelized(Mesh(*triangles(solid)), SIZE).volume
    assert overlap(first, occupied(solid, SIZE)) > 0.99
    mesh = shape_mesh(first.astype(np.float64), MeshSettings(smooth=smooth))
    again = Mesh(np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64))
    second = voxelized(again, SIZE).volume
    assert overlap(first, second) >= least


@pytest.mark.parametrize("kind, up", [("ply", "z"), ("stl", "z"), ("obj", "z"), ("glb", "y")])
def test_cells_of_any_size_come_back_from_a_file_as_they_were(tmp_path, kind, up):
    # Odd and even sides, plates one cell thick, and a place off the middle.
    cells = np.zeros((SIZE,) * 3, bool)
    cells[3:20, 5:6, 4:11] = cells[3:4, 5:16, 4:11] = cells[3:20, 5:16, 4:5] = True
    cells[19:20, 15:16, 4:32] = True
    write_shape(tmp_path / f"a.{kind}", cells.astype(np.float64), MeshSettings())
    again = voxelized(read_mesh(tmp_path / f"a.{kind}"), SIZE, up=up).volume
    # 17 x 11 x 28 cells in the middle of 32.
    wanted = np.roll(cells, ((32 - 17) // 2 - 3, (32 - 11) // 2 - 5, 2 - 4), axis=(0, 1, 2))
    assert np.array_equal(again, wanted)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()
