from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.io
import trimesh

from data.sources import DataError
from data.volumes.arrays import read_volumes
from data.volumes.binvox import read_binvox, write_binvox
from data.volumes.finding import chosen, find_shapes
from data.volumes.fitting import fitted
from data.volumes.meshes import read_mesh
from data.volumes.orientation import mirrored, rotated, shifted, upright_points, upright_volume

CORNERS = "0 0 0\n1 0 0\n1 2 0\n0 2 0\n0 0 3\n"


class _Bomb:
    def __reduce__(self):
        return (pytest.fail, ("something was executed",))


def lopsided(size: int = 4) -> np.ndarray:
    """A volume that no rotation or reflection leaves as it is."""
    volume = np.zeros((size, size, size), bool)
    volume[0, 0, 0] = volume[1, 0, 0] = volume[2, 0, 0] = volume[0, 1, 0] = volume[0, 2, 0] = True
    volume[3, 0, 0] = volume[0, 0, 1] = True
    return volume


@pytest.mark.parametrize(
    "text",
    [
        f"OFF\n5 2 0\n{CORNERS}4 0 1 2 3\n3 0 1 4\n",
        f"OFF5 2 0\n{CORNERS}4 0 1 2 3\n3 0 1 4\n",
        f"OFF 5 2 0\r\n{CORNERS}4 0 1 2 3 255 0 0\n3 0 1 4 0.5 0.5 0.5\n",
        f"# made by hand\nOFF\n\n5 2 0 # counts\n{CORNERS}\n4 0 1 2 3\n3 0 1 4\n",
        "COFF\n5 2 0\n" + CORNERS.replace("\n", " 9 9 9 255\n") + "4 0 1 2 3\n3 0 1 4\n",
    ],
)
def test_off_files_are_read_with_glued_headers_comments_polygons_and_colours(tmp_path, text):
    (tmp_path / "mesh.off").write_text(text)
    mesh = read_mesh(tmp_path / "mesh.off")
    assert mesh.vertices.tolist()[2:] == [[1, 2, 0], [0, 2, 0], [0, 0, 3]]
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no OFF file"),
        ("OFF\n3 1 0\n0 0 0\n", "cut off"),
        ("OFF\n0 0 0\n", "no faces"),
        ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", "vertex 7"),
        ("OFF\n3 1 0\n0 0 0\nnan 0 0\n0 1 0\n3 0 1 2\n", "vertex 1 is not finite"),
        ("OFF\n3 1 0\n0 0 0\none 0 0\n0 1 0\n3 0 1 2\n", "cannot be read"),
        ("OFF\n-3 1 0\n", "cut off"),
    ],
)
def test_a_broken_off_file_is_refused_with_its_reason(tmp_path, text, reason):
    (tmp_path / "mesh.off").write_text(text)
    with pytest.raises(DataError, match=reason):
        read_mesh(tmp_path / "mesh.off")


@pytest.mark.parametrize("ending", ["obj", "stl", "ply", "glb"])
def test_other_meshes_have_their_extent_and_faces(tmp_path, ending):
    path = tmp_path / f"mesh.{ending}"
    trimesh.creation.box(bounds=[[0, 0, 0], [1, 2, 3]]).export(path)
    mesh = read_mesh(path)
    assert len(mesh.faces) == 12
    np.testing.assert_allclose(mesh.vertices.min(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(mesh.vertices.max(axis=0), [1, 2, 3], atol=1e-6)


def test_binvox_follows_a_file_written_by_hand(tmp_path):
    # y fastest, then z, then x: the third cell is (0, 0, 1), the last but one (1, 0, 1).
    runs = bytes([0, 2, 1, 1, 0, 3, 1, 1, 0, 1])
    header = b"#binvox 1\ndim 2 2 2\ntranslate 0 0 0\nscale 1\ndata\n"
    (tmp_path / "a.binvox").write_bytes(header + runs)
    assert np.argwhere(read_binvox(tmp_path / "a.binvox")).tolist() == [[0, 0, 1], [1, 0, 1]]


def test_binvox_written_and_read_is_the_same_volume(tmp_path):
    volume = np.random.default_rng(0).random((12, 12, 12)) < 0.5
    volume[3:9] = True  # runs beyond 255 cells
    write_binvox(tmp_path / "a.binvox", volume)
    np.testing.assert_array_equal(read_binvox(tmp_path / "a.binvox"), volume)
    content = (tmp_path / "a.binvox").read_bytes()
    (tmp_path / "cut.binvox").write_bytes(content[:-2])
    with pytest.raises(DataError, match="not the 1728"):
        read_binvox(tmp_path / "cut.binvox")


@pytest.mark.parametrize("ending", ["npy", "npz", "mat"])
def test_arrays_keep_their_axes(tmp_path, ending):
    volume = lopsided()
    path = tmp_path / f"a.{ending}"
    if ending == "npy":
        np.save(path, volume[None, None].astype(np.float64))
    elif ending == "npz":
        np.savez(path, labels=np.zeros(3), voxels=volume.astype(np.uint8) * 255)
    else:
        scipy.io.savemat(path, {"instance": volume.astype(np.int8)})
    (read,) = read_volumes(path)
    np.testing.assert_array_equal(read, volume)


def test_objects_in_array_files_are_refused_and_nothing_is_executed(tmp_path):
    np.save(tmp_path / "a.npy", np.array([_Bomb()], object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", voxels=np.array([[[_Bomb()] * 2] * 2] * 2, object))
    (tmp_path / "c.npy").write_bytes(pickle.dumps(_Bomb()))
    scipy.io.savemat(tmp_path / "d.mat", {"instance": np.array([["x", 1]], object)})
    for path in tmp_path.iterdir():
        with pytest.raises(DataError):
            list(read_volumes(path))


def test_30_cells_become_32_by_a_margin_and_64_by_repeating():
    volume = np.random.default_rng(0).random((30, 30, 30)) < 0.3
    padded = np.pad(volume, 1)
    np.testing.assert_array_equal(fitted(volume, 32), padded)
    np.testing.assert_array_equal(fitted(volume, 64), padded.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    blocks = padded.reshape(16, 2, 16, 2, 16, 2).max(axis=(1, 3, 5))
    np.testing.assert_array_equal(fitted(volume, 16), blocks)


@pytest.mark.parametrize("up", ["x", "y", "z"])
def test_volumes_are_turned_upright_as_points_are(up):
    cells = np.argwhere(lopsided())
    turned = upright_points(cells - 1.5, up) + 1.5
    wanted = sorted(np.rint(turned).astype(int).tolist())
    assert np.argwhere(upright_volume(lopsided(), up)).tolist() == wanted


def test_quarter_turns_go_counter_clockwise_about_z():
    volume = np.zeros((5, 5, 5), bool)
    volume[4, 2, 0] = True  # at +x
    for rotations, number in ((4, 1), (12, 3)):
        assert np.argwhere(rotated(volume, rotations, number)).tolist() == [[2, 4, 0]]  # at +y


def test_a_step_of_30_degrees_moves_cells_to_their_nearest_places():
    volume = np.zeros((33, 33, 33), bool)
    volume[26:29, 15:18, 5] = True
    moved = np.argwhere(rotated(volume, 12, 1)).mean(axis=0)
    angle = np.deg2rad(30)
    wanted = [16 + 11 * np.cos(angle), 16 + 11 * np.sin(angle), 5]
    np.testing.assert_allclose(moved, wanted, atol=0.4)


def test_the_24_rotations_differ_and_none_is_a_reflection():
    volume = lopsided()
    turned = {rotated(volume, 24, number).tobytes() for number in range(24)}
    assert len(turned) == 24
    assert rotated(volume, 24, 0).tobytes() == volume.tobytes()
    assert np.ascontiguousarray(mirrored(volume)).tobytes() not in turned


def test_shifting_loses_what_leaves_the_grid():
    moved = shifted(lopsided(), np.array([1, 0, -1]))
    assert np.argwhere(moved).tolist() == [[1, 0, 0]]


def test_classes_and_splits_come_from_the_folders(tmp_path):
    for path in (
        "model/night_stand/train/night_stand_0001.off",
        "model/night_stand/test/night_stand_0002.off",
        "model/bed/train/bed_0001.off",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    listing = find_shapes(tmp_path)
    assert listing.classes == ["bed", "night_stand"]
    assert [(file.label, file.split) for file in listing.files] == [
        (0, "train"), (1, "test"), (1, "train")
    ]  # fmt: skip
    part = chosen(listing, tmp_path, ["night_stand"], "train")
    assert [(file.path, file.label) for file in part.files] == [
        ("model/night_stand/train/night_stand_0001.off", 0)
    ]
    with pytest.raises(DataError, match="it has test, train"):
        chosen(listing, tmp_path, None, "val")


def test_views_of_one_object_share_its_group(tmp_path):
    folder = tmp_path / "chair" / "30" / "train"
    folder.mkdir(parents=True)
    for name in ("chair_0001_1", "chair_0001_12", "chair_0002_1"):
        (folder / f"{name}.mat").touch()
    listing = find_shapes(tmp_path)
    assert listing.classes == ["chair"]
    assert len({file.group for file in listing.files}) == 2


def test_shapenet_gives_one_file_a_model_with_y_up(tmp_path):
    model = tmp_path / "03001627" / "abc" / "models"
    model.mkdir(parents=True)
    for name in ("model_normalized.obj", "model_normalized.solid.binvox"):
        (model / name).touch()
    listing = find_shapes(tmp_path)
    assert listing.layout == "shapenet" and listing.classes == ["chair"]
    (file,) = listing.files
    assert file.path == "03001627/abc/models/model_normalized.obj"
    assert listing.default_up(file.path) == "y"
