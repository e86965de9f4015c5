from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from vidgen import compiled_ops


@pytest.fixture(autouse=True)
def undeclared():
    """Each test sees a process that has not looked for the operators yet."""
    compiled_ops.declare_missing_operators.cache_clear()
    yield
    compiled_ops.declare_missing_operators.cache_clear()


def test_torchvision_imports_in_a_fresh_process_with_all_that_is_written_in_python():
    script = (
        "import torch\n"
        "from vidgen.compiled_ops import import_torchvision\n"
        "torchvision = import_torchvision()\n"
        "assert import_torchvision() is torchvision\n"
        "from torchvision.models.video import r3d_18\n"
        "from torchvision.transforms import v2\n"
        "picture = torchvision.utils.make_grid(torch.ones(4, 3, 5, 5), nrow=2, padding=1)\n"
        "assert picture.shape == (3, 13, 13)\n"
        "half = v2.Resize((4, 6))(torch.full((2, 3, 8, 12), 9, dtype=torch.uint8))\n"
        "assert half.shape == (2, 3, 4, 6) and (half == 9).all()\n"
        "with torch.device('meta'):\n"
        "    assert sum(p.numel() for p in r3d_18(weights=None).parameters()) == 33371472\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


class RecordedLibrary(torch.library.Library):
    """In the place of torch.library.Library, whose declarations cannot be taken back."""

    def __init__(self, namespace: str, kind: str):
        self.namespace, self.kind, self.schemas = namespace, kind, []

    def define(self, schema: str) -> None:
        self.schemas.append(schema)


@pytest.fixture
def torchvision_files(tmp_path, monkeypatch):
    """A package torchvision with a file of compiled operators, and the calls to load it."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").touch()
    (tmp_path / "torchvision" / "_C.so").touch()
    spec = type("Spec", (), {"origin": str(tmp_path / "torchvision" / "__init__.py")})
    monkeypatch.setattr(compiled_ops, "find_spec", lambda name: spec)
    monkeypatch.setattr(torch.library, "Library", RecordedLibrary)
    return tmp_path / "torchvision"


def test_nothing_is_declared_where_the_compiled_operators_load(torchvision_files, monkeypatch):
    loaded = []
    monkeypatch.setattr(torch.ops, "load_library", loaded.append)
    assert compiled_ops.declare_missing_operators() is None
    assert loaded == [str(torchvision_files / "_C.so")]


def test_both_operators_are_declared_once_where_they_do_not_load(torchvision_files, monkeypatch):
    def refuse(path):
        raise OSError("libc10_cuda.so: cannot open shared object file")

    monkeypatch.setattr(torch.ops, "load_library", refuse)
    library = compiled_ops.declare_missing_operators()
    assert (library.namespace, library.kind) == ("torchvision", "FRAGMENT")
    signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    assert library.schemas == [f"nms{signature}", f"qnms{signature}"]
    assert compiled_ops.declare_missing_operators() is library, "and it stays alive"
    assert len(library.schemas) == 2


def test_both_operators_are_declared_where_there_is_no_compiled_file(torchvision_files):
    (torchvision_files / "_C.so").unlink()
    assert len(compiled_ops.declare_missing_operators().schemas) == 2


def test_without_torchvision_nothing_is_declared(monkeypatch):
    monkeypatch.setattr(compiled_ops, "find_spec", lambda name: None)
    assert compiled_ops.declare_missing_operators() is None
