"""From a mesh to cells, to a mesh and to cells again."""

from __future__ import annotations

import numpy as np
import pytest

from data.solids import CLASSES, occupied, random_solid, triangles
from data.volumes.meshes import Mesh
from data.volumes.voxelizing import voxelized
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


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return (first & second).sum() / (first | second).sum()
