from __future__ import annotations

import numpy as np
import pytest
import trimesh

from data.sources import DataError
from data.volumes.meshes import Mesh
from data.volumes.voxelizing import voxelized


def as_mesh(*parts: trimesh.Trimesh) -> Mesh:
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=False)]
    return Mesh(
        np.concatenate([part.vertices for part in parts]).astype(np.float64),
        np.concatenate(faces).astype(np.int64),
    )


def box(low: tuple[float, ...], high: tuple[float, ...]) -> trimesh.Trimesh:
    return trimesh.creation.box(bounds=[low, high])


def span(volume: np.ndarray) -> list[tuple[int, int]]:
    """First occupied cell and the one behind the last, along each axis."""
    return [(int(at.min()), int(at.max()) + 1) for at in np.nonzero(volume)]


def test_a_box_fills_exactly_its_cells():
    volume = voxelized(as_mesh(box((0, 0, 0), (4, 2, 1))), 16, pad=0.0).volume
    assert span(volume) == [(0, 16), (4, 12), (6, 10)]
    assert volume.sum() == 16 * 8 * 4


def test_a_sixteenth_of_the_size_is_left_free_by_default():
    volume = voxelized(as_mesh(box((-3, -3, -3), (5, 5, 5))), 32).volume
    assert span(volume) == [(2, 30)] * 3
    assert volume.sum() == 28**3


def test_a_ball_has_its_volume_within_one_percent():
    ball = trimesh.creation.icosphere(subdivisions=4)
    volume = voxelized(as_mesh(ball), 64).volume
    assert volume.sum() == pytest.approx(4 / 3 * np.pi * 28**3, rel=0.01)


def test_axes_are_x_y_z_and_nothing_is_mirrored():
    # Three arms of different lengths from one corner: no other orientation looks like it.
    arms = [box((0, 0, 0), (8, 2, 2)), box((0, 0, 0), (2, 6, 2)), box((0, 0, 0), (2, 2, 4))]
    volume = voxelized(as_mesh(*arms), 8, pad=0.0).volume
    wanted = np.zeros((8, 8, 8), bool)
    for x, y, z in ((8, 2, 2), (2, 6, 2), (2, 2, 4)):
        wanted[:x, 1 : 1 + y, 2 : 2 + z] = True
    np.testing.assert_array_equal(volume, wanted)


def test_the_up_axis_becomes_z_by_a_rotation():
    post = [box((0, 0, 0), (2, 8, 2)), box((0, 0, 0), (6, 2, 2)), box((0, 0, 0), (2, 2, 4))]
    volume = voxelized(as_mesh(*post), 8, pad=0.0, up="y").volume
    assert span(volume) == [(1, 7), (2, 6), (0, 8)]
    # What pointed to +z before now points to -y: turned about x, not mirrored.
    assert volume[1:3, 2:4, 0:2].all() and not volume[3:, 2:4].any()
    assert volume[1:3, 4:6, :].all()


def test_pieces_that_overlap_are_joined():
    parts = [box((0, 0, 0), (8, 4, 8)), box((2, 0, 2), (6, 8, 6))]
    volume = voxelized(as_mesh(*parts), 8, pad=0.0).volume
    assert volume.sum() == 8 * 4 * 8 + 4 * 4 * 4


@pytest.mark.parametrize("wide", [4, 8], ids=["a corner", "an edge"])
def test_boxes_that_overlap_and_have_something_exactly_in_common_lose_nothing(wide):
    # The second box is inside the first but for its upper end.
    parts = [box((0, 0, 0), (8, 8, 4)), box((0, 0, 0), (wide, 4, 8))]
    volume = voxelized(as_mesh(*parts), 8, pad=0.0).volume
    assert volume.sum() == 8 * 8 * 4 + wide * 4 * 4
    assert volume[:, :, :4].all() and volume[:wide, :4].all()


def test_a_wall_inside_a_box_leaves_no_hollow():
    whole = box((0, 0, 0), (8, 8, 8))
    wall = np.array([[0, 0, 0], [8, 0, 0], [8, 8, 8], [0, 8, 8]], np.float64)
    mesh = Mesh(
        np.concatenate([whole.vertices, wall]).astype(np.float64),
        np.concatenate([whole.faces, np.array([[8, 9, 10], [8, 10, 11]])]).astype(np.int64),
    )
    assert voxelized(mesh, 8, pad=0.0).volume.all()


def test_sides_whose_edges_do_not_match_enclose_a_box():
    # Each side is a fan about its middle over the halves of two of its edges.
    triangles = []
    for axis in range(3):
        for level in (0.0, 4.0):
            ring = [(0, 0), (2, 0), (4, 0), (4, 4), (2, 4), (0, 4)]
            ring = [np.insert(np.array(at, np.float64), axis, level) for at in ring]
            middle = np.insert(np.array([2.0, 2.0]), axis, level)
            triangles += [[middle, ring[i], ring[(i + 1) % 6]] for i in range(6)]
    vertices = np.array(triangles).reshape(-1, 3)
    voxels = voxelized(Mesh(vertices, np.arange(len(vertices)).reshape(-1, 3)), 8, pad=0.0)
    assert voxels.num_open_edges > 0
    assert voxels.volume.all()


def test_faces_written_twice_are_counted_once():
    mesh = as_mesh(box((0, 0, 0), (1, 1, 1)))
    doubled = Mesh(mesh.vertices, np.concatenate([mesh.faces, mesh.faces[:, ::-1]]))
    assert voxelized(doubled, 8, pad=1.0).volume.sum() == 6**3


def test_an_open_box_is_filled_and_reported():
    mesh = as_mesh(box((0, 0, 0), (1, 1, 1)))
    is_top = (mesh.vertices[mesh.faces][:, :, 2] == 1).all(axis=1)
    assert is_top.sum() == 2
    voxels = voxelized(Mesh(mesh.vertices, mesh.faces[~is_top]), 16)
    assert voxels.num_open_edges == 4
    assert voxels.volume.sum() == 14**3


def test_a_closed_mesh_has_no_open_edges_even_if_every_face_has_its_own_corners():
    mesh = as_mesh(box((0, 0, 0), (1, 1, 1)))
    loose = Mesh(mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(36).reshape(12, 3))
    voxels = voxelized(loose, 16)
    assert voxels.num_open_edges == 0
    assert voxels.volume.sum() == 14**3


def test_a_board_between_the_centres_becomes_one_cell_thick():
    parts = [box((0, 0, 0), (16, 16, 4)), box((0, 0, 9.7), (16, 16, 10.3))]
    volume = voxelized(as_mesh(*parts, box((0, 0, 14), (16, 16, 16))), 16, pad=0.0).volume
    assert volume.all(axis=(0, 1)).nonzero()[0].tolist() == [0, 1, 2, 3, 10, 14, 15]
    assert volume.any(axis=(0, 1)).sum() == 7


def test_a_leg_that_slips_between_all_lines_is_kept_and_holds_on():
    leg = box((7.8, 7.8, 0), (8.2, 8.2, 12))
    volume = voxelized(as_mesh(leg, box((0, 0, 12), (16, 16, 16))), 16, pad=0.0).volume
    assert volume[7:9, 7:9].any(axis=(0, 1)).all()
    assert not volume[:6, :, :11].any() and not volume[10:, :, :11].any()


def test_a_single_sheet_is_one_cell_thick():
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
    voxels = voxelized(Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]])), 16)
    assert voxels.num_open_edges == 4
    assert voxels.volume.any(axis=(0, 1)).sum() == 1
    assert 14**2 <= voxels.volume.sum() <= 16**2


@pytest.mark.parametrize("seed", range(3))
def test_lines_through_shared_edges_and_corners_are_counted_once(seed):
    # Whole coordinates put edges and corners exactly on the lines.
    generator = np.random.default_rng(seed)
    points = generator.integers(0, 17, size=(20, 3)) - 0.5
    points = np.concatenate([points, [[-0.5] * 3, [16.5] * 3]])
    hull = trimesh.convex.convex_hull(points)
    volume = voxelized(as_mesh(hull), 17, pad=0.0).volume
    centres = np.stack(np.nonzero(np.ones((17,) * 3)), axis=1) + 0.5
    shift = (hull.bounds.sum(axis=0) - 17) / 2
    distance = (
        (centres + shift) @ hull.face_normals.T
        - (hull.triangles[:, 0] * hull.face_normals).sum(axis=1)
    ).max(axis=1)
    flat = volume.reshape(-1)
    assert flat[distance < -1e-9].all()
    assert not flat[distance > 1.8].any()


def test_a_side_has_as_many_cells_as_its_rounded_length_and_lies_in_the_middle():
    for length in (2.6, 3.0, 3.4, 3.6, 4.0, 4.4, 15.0):
        volume = voxelized(as_mesh(box((0, 0, 0), (16, length, length))), 16, pad=0.0).volume
        cells = round(length)
        low = (16 - cells) // 2
        assert span(volume) == [(0, 16), (low, low + cells), (low, low + cells)]
        assert volume.sum() == 16 * cells**2, "mirrored, it is the same"


def test_a_sheet_at_the_upper_end_adds_no_cell_beyond_it():
    # The open sheet closes nothing: it lies on the box's own top.
    top = np.array([[0, 0, 8], [8, 0, 8], [8, 8, 8], [0, 8, 8]], np.float64)
    leg = box((3, 3, 0), (5, 5, 8))
    mesh = Mesh(
        np.concatenate([leg.vertices, top]).astype(np.float64),
        np.concatenate([leg.faces, np.array([[8, 9, 10], [8, 10, 11]])]).astype(np.int64),
    )
    volume = voxelized(mesh, 16).volume
    assert span(volume) == [(1, 15)] * 3
    assert volume[:, :, 14].all(axis=None, where=np.pad(np.ones((14, 14), bool), 1))


def test_the_ends_of_the_longest_side_are_kept_however_thin():
    # The lid reaches 0.4 of a cell above the body and no line along z meets a centre in it.
    parts = [box((0, 0, 0), (8, 8, 15.6)), box((3, 3, 15), (5, 5, 16))]
    volume = voxelized(as_mesh(*parts), 16, pad=0.0).volume
    assert span(volume)[2] == (0, 16)
    parts = [box((0, 0, 0.4), (8, 8, 16)), box((3, 3, 0), (5, 5, 0.3))]
    assert span(voxelized(as_mesh(*parts), 16, pad=0.0).volume)[2] == (0, 16)


@pytest.mark.parametrize(
    ("points", "text"),
    [
        ([[1, 1, 1]] * 3, "has an area"),
        ([[0, 0, 0], [1e308, 0, 0], [-1e308, 1, 0]], "size cannot be used"),
    ],
)
def test_a_mesh_without_extent_is_refused(points, text):
    mesh = Mesh(np.array(points, np.float64), np.array([[0, 1, 2]]))
    with pytest.raises(DataError, match=text):
        voxelized(mesh, 16)
