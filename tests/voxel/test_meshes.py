from __future__ import annotations

import numpy as np
import pytest

from tests.voxel.solids import ball, block
from voxel.meshes import (
    RED,
    EmptyShape,
    MeshSettings,
    decimated,
    is_closed,
    largest_component,
    placed,
    shape_mesh,
    smoothed,
    surface,
)


def test_a_block_of_cells_has_their_bounds_and_the_volume_of_its_cut_edges():
    mesh = surface(block(8, (1, 6), (2, 7), (3, 8)))
    assert mesh.bounds.tolist() == [[1, 2, 3], [6, 7, 8]]
    # Marching cubes cut the edges of a solid block of n cells a side: n³ - 1.5 (n - 1) - 5/6.
    assert mesh.volume == pytest.approx(5**3 - 1.5 * 4 - 5 / 6)
    assert is_closed(mesh)


def test_a_single_cell_is_an_octahedron():
    mesh = surface(block(3, (1, 2), (1, 2), (1, 2)))
    assert (len(mesh.vertices), len(mesh.faces)) == (6, 8)
    assert mesh.volume == pytest.approx(1 / 6)


def test_a_ball_has_its_volume_and_smoothing_keeps_it_and_lessens_the_area():
    mesh = surface(ball(64, 20))
    volume, area = 4 / 3 * np.pi * 20**3, 4 * np.pi * 20**2
    assert mesh.volume / volume == pytest.approx(1, abs=0.001)
    assert mesh.area / area == pytest.approx(1.09, abs=0.005)
    rounded = smoothed(mesh)
    assert rounded.volume / volume == pytest.approx(1, abs=0.001)
    assert rounded.area / area == pytest.approx(1.02, abs=0.005)
    assert is_closed(rounded) and mesh.area / area > 1.08, "smoothing makes a new mesh"


@pytest.mark.parametrize("levels", [2, 4, 5, 1000], ids="{} levels".format)
@pytest.mark.parametrize("seed", range(3))
def test_any_noise_up_to_the_border_makes_a_closed_surface(levels, seed):
    noise = np.random.default_rng(seed).random((9, 10, 11))
    # With five levels many cells are exactly at the threshold.
    assert is_closed(surface(np.round(noise * (levels - 1)) / (levels - 1)))


def test_the_surface_of_probabilities_lies_where_they_cross_the_threshold():
    occupancy = np.zeros((6, 6, 6))
    occupancy[:3] = 0.8
    mesh = surface(occupancy, 0.2)
    # From 0.8 in the middle of the third cell to 0 in that of the fourth.
    assert mesh.bounds[1, 0] == pytest.approx(2.5 + 0.6 / 0.8, abs=1e-6)
    assert mesh.bounds[1, 1] == pytest.approx(5.5 + 0.6 / 0.8, abs=1e-6)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("value", [0.3, 0.7])
def test_only_what_reaches_the_threshold_is_inside(value, smooth):
    occupancy = block(6, (1, 3), (1, 3), (1, 3)) + block(6, (4, 6), (4, 6), (4, 6), value=value)
    mesh = shape_mesh(occupancy, MeshSettings(smooth=smooth))
    assert mesh.body_count == (2 if value > 0.5 else 1)


def test_nothing_inside_is_an_empty_shape_and_says_how_high_it_came():
    with pytest.raises(EmptyShape, match=r"threshold 0.6, the highest has 0.55; give a lower"):
        surface(np.full((4, 4, 4), 0.55), 0.6)


def test_everything_inside_is_the_whole_cube():
    mesh = surface(np.ones((4, 4, 4)))
    assert mesh.bounds.tolist() == [[0, 0, 0], [4, 4, 4]] and is_closed(mesh)


def test_parts_that_touch_at_a_corner_are_one_and_the_largest_is_kept():
    solid = np.zeros((7, 7, 7), dtype=bool)
    solid[0, 0, 0] = solid[1, 1, 1] = solid[2, 2, 2] = True
    solid[5, 5, 5] = solid[5, 5, 6] = True
    kept = largest_component(solid)
    assert np.argwhere(kept).tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


def test_of_equal_parts_the_first_is_kept_and_of_nothing_nothing():
    solid = np.zeros((5, 5, 5), dtype=bool)
    solid[4, 0, 0] = solid[0, 0, 4] = True
    assert np.argwhere(largest_component(solid)).tolist() == [[0, 0, 4]]
    assert not largest_component(np.zeros((3, 3, 3), dtype=bool)).any()


def test_the_largest_part_keeps_its_probabilities():
    occupancy = block(8, (1, 4), (1, 4), (1, 4), value=0.8)
    alone = shape_mesh(occupancy)
    both = occupancy + block(8, (6, 7), (6, 7), (6, 7))
    kept = shape_mesh(both, MeshSettings(largest=True))
    assert np.array_equal(kept.vertices, alone.vertices)
    assert shape_mesh(both).body_count == 2


def test_the_largest_part_is_one_piece_of_surface():
    # Cells that touch at an edge or a corner only, and those behind them, are loose in a mesh.
    hanging = block(12, (1, 6), (1, 6), (1, 6)) + block(12, (6, 8), (6, 9), (2, 4))
    hanging += block(12, (8, 10), (9, 11), (4, 6))
    assert shape_mesh(hanging).body_count == 3
    kept = shape_mesh(hanging, MeshSettings(largest=True))
    assert kept.body_count == 1 and kept.extents == pytest.approx([1, 1, 1])
    noise = np.random.default_rng(0).random((16, 16, 16))
    for threshold in (0.5, 0.7, 0.9):
        mesh = shape_mesh(noise, MeshSettings(threshold=threshold, largest=True))
        # The other pieces are the walls of cavities.
        assert sum(piece.volume > 0 for piece in mesh.split()) == 1 and is_closed(mesh)


def test_a_shape_stands_on_the_origin_with_a_longest_side_of_one():
    mesh = shape_mesh(block(8, (0, 2), (1, 7), (3, 6)))
    assert mesh.bounds == pytest.approx(np.array([[-1 / 6, -0.5, 0], [1 / 6, 0.5, 0.5]]))


def test_a_height_is_that_of_the_upright_side():
    mesh = shape_mesh(block(8, (0, 2), (1, 7), (3, 6)), MeshSettings(height=0.9, smooth=True))
    assert mesh.bounds[:, 2] == pytest.approx([0, 0.9], abs=1e-9)
    assert mesh.extents[1] / mesh.extents[2] == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_the_upright_axis_points_up_and_nothing_is_mirrored(up):
    axis = "xyz".index(up)
    spans = [(0, 2), (0, 3), (0, 4)]
    occupancy = block(8, *spans)
    occupancy[tuple(6 if n == axis else 0 for n in range(3))] = 1  # something high up
    mesh = surface(occupancy)
    upright = placed(mesh, up, height=7)
    assert upright.volume == pytest.approx(mesh.volume), "a mirrored mesh has a negative one"
    assert upright.extents[2] == pytest.approx(7)
    assert upright.center_mass[2] < 2.5, "the bulk is below"


def test_decimation_reaches_its_number_and_leaves_the_surface_closed():
    mesh = surface(ball(32, 12))
    fewer = decimated(mesh, 500)
    assert len(fewer.faces) <= 500 and is_closed(fewer)
    assert fewer.volume == pytest.approx(mesh.volume, rel=0.02)
    assert decimated(mesh, len(mesh.faces) + 1) is mesh


def test_decimation_never_opens_a_surface_but_keeps_more_faces():
    noise = surface((np.random.default_rng(0).random((9, 9, 9)) < 0.3).astype(float))
    fewer = decimated(noise, 4)
    assert is_closed(fewer) and 4 < len(fewer.faces) <= len(noise.faces)


def test_hot_cells_are_red_and_distant_ones_are_not():
    occupancy = block(10, (1, 9), (1, 9), (1, 9))
    heat = block(10, (7, 9), (1, 9), (1, 9))
    mesh = shape_mesh(occupancy, MeshSettings(height=8), heat=heat)
    red = (mesh.visual.vertex_colors[:, :3] == np.round(255 * np.array(RED))).all(axis=1)
    # x is 4 less than in cells, less the cell that is free: 7 ... 9 is 2 ... 4 here.
    assert red[mesh.vertices[:, 0] > 2].all()
    assert not red[mesh.vertices[:, 0] < 0.9].any()


def test_the_largest_part_of_a_mesh_is_one_body():
    """Cells that meet at a corner are one part of the volume, but two bodies of the surface."""
    occupancy = np.zeros((8, 8, 8), dtype=np.float32)
    occupancy[1:5, 1:5, 1:5] = 1
    occupancy[5:7, 5:7, 5:7] = 1
    assert len(shape_mesh(occupancy).split()) == 2
    mesh = shape_mesh(occupancy, MeshSettings(largest=True))
    assert len(mesh.split()) == 1 and is_closed(mesh)
    np.testing.assert_allclose(mesh.extents, 1)  # the block of four alone, no longer 6 x 6 x 6
    assert mesh.volume > 0.8
