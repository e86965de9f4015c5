"""Legs thinner than a cell hang together; what is apart in the mesh stays apart."""

import numpy as np
import pytest
import trimesh
from scipy import ndimage

from data.volumes import voxelizing
from data.volumes.joining import _between
from data.volumes.meshes import Mesh
from data.volumes.voxelizing import voxelized


def as_mesh(*parts):
    whole = trimesh.util.concatenate(parts)
    return Mesh(np.asarray(whole.vertices, np.float64), np.asarray(whole.faces, np.int64))


def box(low, high):
    return trimesh.creation.box(bounds=(low, high))


def slanted_leg(begin, end, thickness=0.5):
    """A square rod between two points."""
    rod = trimesh.creation.box(
        extents=(thickness, thickness, np.linalg.norm(np.subtract(end, begin)))
    )
    rod.apply_transform(trimesh.geometry.align_vectors([0, 0, 1], np.subtract(end, begin)))
    rod.apply_translation(np.add(begin, end) / 2)
    return rod


def num_parts(volume):
    return ndimage.label(volume)[1]


def without_joining(monkeypatch, *parts, size=16):
    with monkeypatch.context() as patched:
        patched.setattr(voxelizing, "join_parts", lambda *given: None)
        return voxelized(as_mesh(*parts), size, pad=0.0).volume


@pytest.mark.parametrize("end", [(9.5, 8.1, 0), (12, 8, 0), (13, 2.5, 0)])
def test_a_slanted_leg_is_one_part_with_its_seat(monkeypatch, end):
    parts = [box((0, 0, 12), (16, 16, 16)), slanted_leg((8, 8, 12.5), end)]
    before = without_joining(monkeypatch, *parts)
    after = voxelized(as_mesh(*parts), 16, pad=0.0).volume
    assert num_parts(before) > 1
    assert num_parts(after) == 1
    assert after[before].all()
    added = int(after.sum() - before.sum())
    assert added <= 3 * (num_parts(before) - 1), "a step along each axis"


def test_what_is_added_lies_on_the_leg(monkeypatch):
    begin, end = np.array([8, 8, 12.5]), np.array([13, 2.5, 0])
    parts = [box((0, 0, 12), (16, 16, 16)), slanted_leg(begin, end)]
    after = voxelized(as_mesh(*parts), 16, pad=0.0).volume
    added = np.argwhere(after & ~without_joining(monkeypatch, *parts)) + 0.5
    along = (end - begin) / np.linalg.norm(end - begin)
    aside = (added - begin) - ((added - begin) @ along)[:, None] * along
    assert len(added) > 0
    assert np.linalg.norm(aside, axis=1).max() < 0.5 * np.sqrt(3) + 0.5 * np.sqrt(2) * 0.5


def test_pieces_of_their_own_stay_apart():
    # Two boards with a slit of one cell between them: each one's surface lies in the slit's cells.
    parts = [box((0, 0, 0), (16, 16, 7)), box((0, 0, 8), (16, 16, 16))]
    volume = voxelized(as_mesh(*parts), 16, pad=0.0).volume
    assert num_parts(volume) == 2
    assert not volume[:, :, 7].any()


def test_a_solid_in_one_part_is_left_as_it_is(monkeypatch):
    parts = [trimesh.creation.icosphere(3, 7), box((5, -2, -2), (12, 2, 2))]
    volume = voxelized(as_mesh(*parts), 16, pad=0.0).volume
    assert np.array_equal(volume, without_joining(monkeypatch, *parts))


def test_the_shortest_ways_join_all_parts_and_no_way_is_taken_twice():
    # Ten nodes in a row, parts 1, 2 and 3 at 0, 3 and 9; a short cut through node 10 joins 3 and 9.
    part = np.zeros(11, np.int64)
    part[[0, 3, 9]] = 1, 2, 3
    row = np.stack((np.arange(9), np.arange(1, 10)), axis=1)
    edges = np.concatenate((row, [[3, 10], [9, 10]]))
    assert sorted(set(_between(part, edges, 3).tolist())) == [1, 2, 10]


def test_parts_that_no_node_joins_stay_apart():
    part = np.array([1, 0, 0, 2])
    assert _between(part, np.array([[0, 1], [2, 3]]), 2).tolist() == []
