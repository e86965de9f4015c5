from __future__ import annotations

import numpy as np
import pytest
import trimesh

from voxel.rendering import Camera, Renderer, turntable

FAR = {"field_of_view": 1, "fill": 0.8}  # nearly parallel: sizes can be calculated
AMBIENT = 0.4
LIGHT = np.array([-0.4, 0.6, 0.7]) / np.linalg.norm([-0.4, 0.6, 0.7])


def cuboid(low, high):
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    mesh = trimesh.creation.box(extents=high - low)
    mesh.apply_translation((low + high) / 2)
    return mesh


def letter_l():
    """From the front: a tall stroke at the left, a foot to the right. A knob looks to the front."""
    parts = [
        cuboid([0, 0, 0], [1, 1, 4]),
        cuboid([1, 0, 0], [3, 1, 1]),
        cuboid([0, -1, 3], [1, 0, 4]),
    ]
    return trimesh.util.concatenate(parts)


def covered(picture):
    return picture[3] == 255


def test_a_cube_from_the_front_is_a_square_of_the_right_size_and_shade():
    picture = Renderer(cuboid([0] * 3, [2] * 3), (1, 1, 1)).view(Camera(**FAR), 100)
    rows, columns = np.nonzero(covered(picture))
    # The bounding sphere, of diameter 2 sqrt(3), fills 80 pixels: the side is 80 / sqrt(3).
    side = 80 / np.sqrt(3)
    for places in (rows, columns):
        assert places.min() == pytest.approx(50 - side / 2, abs=1)
        assert places.max() + 1 == pytest.approx(50 + side / 2, abs=1)
    assert covered(picture).sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    # The front looks at the camera: Lambert's cosine is the light's share of that direction.
    shade = round(255 * (AMBIENT + (1 - AMBIENT) * LIGHT[2]))
    assert (picture[:3, 50, 50] == shade).all()
    assert (picture[:, 5, 5] == 0).all(), "what is missed is transparent"


def test_a_cube_seen_from_a_corner_shows_three_shades_by_lamberts_law():
    elevation = np.degrees(np.arctan(1 / np.sqrt(2)))
    picture = Renderer(cuboid([0] * 3, [2] * 3), (1, 1, 1)).view(Camera(45, elevation, **FAR), 120)
    axes = Camera(45, elevation).axes()
    normals = {(40, 60): [0, 0, 1], (75, 45): [0, -1, 0], (75, 75): [1, 0, 0]}
    for (row, column), normal in normals.items():
        cosine = max(0, axes @ np.array(normal) @ LIGHT)
        shade = 255 * (AMBIENT + (1 - AMBIENT) * cosine)
        assert picture[0, row, column] == pytest.approx(shade, abs=1)


def outline(picture):
    """What share of each quarter of the object's box is covered: top left, top right, below."""
    rows, columns = np.nonzero(covered(picture))
    box = covered(picture)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    row, column = box.shape[0] // 2, box.shape[1] // 2
    parts = box[:row, :column], box[:row, column:], box[row:, :column], box[row:, column:]
    return [part.mean() for part in parts]


def test_up_is_up_and_left_is_left():
    top_left, top_right, low_left, low_right = outline(Renderer(letter_l()).view(Camera(**FAR)))
    assert top_left > 0.6 and low_left > 0.6 and low_right > 0.4
    assert top_right == 0


def test_from_behind_the_letter_is_mirrored():
    top_left, top_right, *_ = outline(Renderer(letter_l()).view(Camera(180, **FAR)))
    assert top_left == 0 and top_right > 0.6


def test_from_the_right_the_knob_in_front_is_at_the_left():
    picture = Renderer(letter_l()).view(Camera(90, **FAR))
    rows, columns = np.nonzero(covered(picture))
    box = covered(picture)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert box.shape[0] / box.shape[1] == pytest.approx(2, rel=0.05), "4 high, 2 deep"
    height, width = box.shape
    assert box[: height // 5, : width // 3].all(), "the knob"
    assert not box[height // 3 :, : width // 3].any(), "nothing below it"


def test_from_above_the_top_is_seen():
    slab = cuboid([0, 0, 0], [4, 4, 0.1])
    top, edge = (covered(Renderer(slab).view(Camera(0, e, **FAR))).sum() for e in (90, 0))
    assert top > 20 * edge
    # From above, what is in front is below.
    rows, _ = np.nonzero(covered(Renderer(letter_l()).view(Camera(0, 89, **FAR))))
    picture = covered(Renderer(letter_l()).view(Camera(0, 89, **FAR)))
    assert picture[rows.max() - 2].sum() < picture[rows.min() + 2].sum(), "the knob is narrower"


def test_near_things_are_larger_than_far_ones():
    wide = Camera(field_of_view=60)
    picture = Renderer(cuboid([0] * 3, [2] * 3)).view(wide, 200)
    narrow = Renderer(cuboid([0] * 3, [2] * 3)).view(Camera(**FAR), 200)
    assert covered(picture).sum() > 1.2 * covered(narrow).sum()


def test_edges_are_covered_in_part_and_keep_the_objects_color():
    picture = Renderer(cuboid([0] * 3, [2] * 3), (1, 0, 0)).view(Camera(30, 20), 64)
    partly = (picture[3] > 0) & (picture[3] < 255)
    assert set(np.unique(picture[3])) <= {0, 64, 128, 191, 255} and partly.sum() > 40
    assert (picture[1:3] == 0).all() and (picture[0][picture[3] > 0] >= 255 * AMBIENT - 1).all()


def test_faces_are_lit_on_the_side_that_is_seen_whatever_their_winding():
    cube = cuboid([0] * 3, [2] * 3)
    turned = trimesh.Trimesh(cube.vertices, cube.faces[:, ::-1], process=False)
    cameras = turntable(3, (10,))
    views = [Renderer(mesh).views(cameras, 32) for mesh in (cube, turned)]
    assert np.array_equal(*views)


def test_smooth_shading_of_a_ball_is_that_of_a_true_ball():
    ball = trimesh.creation.icosphere(subdivisions=2)
    coarse, smooth = (
        Renderer(ball, (1, 1, 1), smooth=s).view(Camera(**FAR), 101)[0].astype(float)
        for s in (False, True)
    )
    offsets = (np.arange(101) - 50) / 40
    right, up = np.meshgrid(offsets, -offsets)
    inside = right**2 + up**2 < 0.9
    normals = np.stack([right, up, np.sqrt(np.maximum(0, 1 - right**2 - up**2))])
    cosine = np.maximum(0, np.tensordot(LIGHT, normals, 1))
    expected = 255 * (AMBIENT + (1 - AMBIENT) * cosine)
    assert np.abs(smooth - expected)[inside].max() < 8
    assert np.abs(coarse - expected)[inside].max() > 16


def test_colors_of_vertices_are_shown_where_they_are():
    cube = cuboid([0] * 3, [2] * 3)
    colors = np.where(cube.vertices[:, :1] > 1, [[255, 0, 0]], [[0, 0, 255]])
    cube.visual.vertex_colors = colors
    picture = Renderer(cube).view(Camera(**FAR), 100)
    assert picture[0, 50, 72] > 10 * max(1, picture[2, 50, 72]), "red at the right"
    assert picture[2, 50, 28] > 10 * max(1, picture[0, 50, 28]), "blue at the left"


def test_paint_is_another_color_of_a_mesh_that_has_none():
    renderer = Renderer(cuboid([0] * 3, [2] * 3), (1.0, 0.0, 0.0))
    renderer.paint((0.0, 0.0, 1.0))
    middle = renderer.view(Camera(**FAR), 100)[:, 50, 50]
    assert middle[2] > 100 and middle[0] == middle[1] == 0
    own = cuboid([0] * 3, [2] * 3)
    own.visual.vertex_colors = [[255, 0, 0]] * len(own.vertices)
    renderer = Renderer(own)
    renderer.paint((0.0, 0.0, 1.0))
    middle = renderer.view(Camera(**FAR), 100)[:, 50, 50]
    assert middle[0] > 100 and middle[1] == middle[2] == 0


def test_the_72_views_of_the_paper_are_three_rounds_of_24():
    cameras = turntable()
    assert [(c.azimuth, c.elevation) for c in cameras] == [
        (15 * n, elevation) for elevation in (15, 30, 45) for n in range(24)
    ]


def test_all_views_of_an_object_have_one_scale():
    pole = cuboid([0, 0, 0], [0.2, 3, 0.2])
    front, side = (Renderer(pole).view(Camera(a, **FAR), 100) for a in (0, 90))
    assert np.ptp(np.nonzero(covered(side))[1]) + 1 == pytest.approx(80 * 3 / 3.013, abs=1.5)
    assert np.ptp(np.nonzero(covered(front))[0]) + 1 == pytest.approx(80 * 0.2 / 3.013, abs=1.5)


def test_a_mesh_without_faces_or_with_broken_numbers_is_refused():
    with pytest.raises(ValueError, match="has faces"):
        Renderer(trimesh.Trimesh(np.zeros((3, 3)), np.zeros((0, 3), dtype=int)))
    broken = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, np.nan, 0]], [[0, 1, 2]], process=False)
    with pytest.raises(ValueError, match="finite"):
        Renderer(broken)
