from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import trimesh

from tests.voxel.solids import block
from vidgen.errors import UserError
from voxel.mesh_files import write_mesh, write_shape, write_volume
from voxel.meshes import MeshSettings, is_closed, shape_mesh

# A foot of 6 x 4 cells, 2 high, with a tower of 2 x 2 at its low x and low y, up to 9.
SHAPE = np.maximum(block(12, (2, 8), (3, 7), (1, 3)), block(12, (2, 4), (3, 5), (1, 10)))
SETTINGS = MeshSettings(height=0.9)


def opened(path):
    loaded = trimesh.load(path)
    return loaded.to_geometry() if isinstance(loaded, trimesh.Scene) else loaded


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("kind", ["glb", "obj", "stl", "ply"])
def test_a_written_mesh_opens_again_closed_and_of_the_same_size(tmp_path, kind, smooth):
    settings = MeshSettings(height=0.9, smooth=smooth)
    mesh = write_shape(tmp_path / f"shape.{kind}", SHAPE, settings)
    again = opened(tmp_path / f"shape.{kind}")
    assert is_closed(again)
    assert len(again.faces) == len(mesh.faces) and len(again.vertices) == len(mesh.vertices)
    assert again.volume == pytest.approx(mesh.volume, rel=1e-5)
    bounds = again.bounds
    if kind == "glb":  # y up: back to z up, without a mirror
        assert again.center_mass[1] == pytest.approx(mesh.center_mass[2], abs=1e-6)
        bounds = np.array([[low, -z, y] for low, y, z in bounds])
        bounds = np.stack([bounds.min(axis=0), bounds.max(axis=0)])
    assert bounds == pytest.approx(mesh.bounds, abs=1e-6)
    assert bounds[:, 2] == pytest.approx([0, 0.9], abs=1e-6)


def test_a_glb_is_turned_so_that_what_looks_to_minus_y_looks_to_plus_z(tmp_path):
    mesh = write_shape(tmp_path / "shape.glb", SHAPE, SETTINGS)
    again = opened(tmp_path / "shape.glb")
    x, y, z = mesh.center_mass
    assert again.center_mass == pytest.approx([x, z, -y], abs=1e-6)


def test_a_glb_has_the_chunks_of_its_standard_and_keeps_colors(tmp_path):
    mesh = shape_mesh(SHAPE, SETTINGS, heat=np.ones_like(SHAPE))
    write_mesh(tmp_path / "red.glb", mesh)
    content = (tmp_path / "red.glb").read_bytes()
    magic, version, length = struct.unpack("<III", content[:12])
    assert (magic, version, length) == (0x46546C67, 2, len(content))
    size, kind = struct.unpack("<II", content[12:20])
    assert kind == 0x4E4F534A and size % 4 == 0
    tree, values = glb_parts(content)
    (primitive,) = tree["meshes"][0]["primitives"]
    assert tree["accessors"][primitive["attributes"]["POSITION"]].keys() >= {"min", "max"}
    material = tree["materials"][primitive["material"]]["pbrMetallicRoughness"]
    assert material["metallicFactor"] == 0 and material["baseColorFactor"] == [1, 1, 1, 1]
    # 0.85, 0.1 and 0.08 are 0.69, 0.01 and 0.007 in linear light, of 255.
    assert values("COLOR_0", np.uint8)[0, :3].tolist() == pytest.approx([177, 3, 2], abs=1)


def test_a_glb_without_colors_is_of_clay_and_its_normals_look_outwards(tmp_path):
    mesh = write_shape(tmp_path / "shape.glb", SHAPE, SETTINGS)
    tree, values = glb_parts((tmp_path / "shape.glb").read_bytes())
    (material,) = (each["pbrMetallicRoughness"] for each in tree["materials"])
    assert material["metallicFactor"] == 0
    # 0.82, 0.76 and 0.68 in linear light.
    assert material["baseColorFactor"] == pytest.approx([0.638, 0.538, 0.420, 1], abs=1e-3)
    # Back to z up.
    normals = values("NORMAL", np.float32)[:, [0, 2, 1]] * [1, -1, 1]
    assert (normals * mesh.vertex_normals).sum(axis=1) == pytest.approx(1, abs=1e-5)


def glb_parts(content):
    """The JSON of a GLB, and a function that gives an attribute of its only part as an array."""
    (size,) = struct.unpack("<I", content[12:16])
    tree, binary = json.loads(content[20 : 20 + size]), content[28 + size :]

    def values(name, kind):
        (primitive,) = tree["meshes"][0]["primitives"]
        accessor = tree["accessors"][primitive["attributes"][name]]
        view = tree["bufferViews"][accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        array = np.frombuffer(binary[start : start + view["byteLength"]], kind)
        return array.reshape(accessor["count"], -1)

    return tree, values


def test_an_stl_has_84_bytes_and_50_a_face(tmp_path):
    mesh = write_shape(tmp_path / "shape.stl", SHAPE, SETTINGS)
    assert (tmp_path / "shape.stl").stat().st_size == 84 + 50 * len(mesh.faces)


def test_a_binvox_file_opens_again_with_the_cells_in_the_same_places(tmp_path):
    mesh = write_shape(tmp_path / "shape.binvox", SHAPE, SETTINGS)
    again = trimesh.load(tmp_path / "shape.binvox")
    assert np.array_equal(again.matrix, SHAPE > 0.5)
    assert again.bounds == pytest.approx(mesh.bounds, abs=1e-5)
    assert again.pitch == pytest.approx([0.1] * 3)


def test_an_npz_file_holds_cells_probabilities_and_threshold(tmp_path):
    blurred = SHAPE * 0.7 + 0.1
    write_volume(tmp_path / "shape.npz", blurred, MeshSettings(threshold=0.4))
    with np.load(tmp_path / "shape.npz") as arrays:
        assert np.array_equal(arrays["voxels"], SHAPE > 0.5)
        assert np.array_equal(arrays["occupancy"], blurred)
        assert arrays["threshold"] == 0.4


def test_the_largest_part_alone_is_in_the_cells_too(tmp_path):
    both = SHAPE + block(12, (10, 11), (10, 11), (10, 11))
    for kind in ("npz", "binvox"):
        write_shape(tmp_path / f"a.{kind}", both, MeshSettings(largest=True))
    with np.load(tmp_path / "a.npz") as arrays:
        assert np.array_equal(arrays["voxels"], SHAPE > 0.5)
    assert np.array_equal(trimesh.load(tmp_path / "a.binvox").matrix, SHAPE > 0.5)


def test_an_unknown_ending_is_refused_and_an_unwritable_folder_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.glb"):
        write_mesh(tmp_path / "shape.3mf", shape_mesh(SHAPE))
    with pytest.raises(ValueError, match=r"must end in \.binvox"):
        write_volume(tmp_path / "shape.vox", SHAPE, SETTINGS)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write_shape(tmp_path / "file" / "shape.glb", SHAPE, SETTINGS)
