"""dlib's face recognition, where it is installed."""

from __future__ import annotations

import importlib.util
import json
import sys

import numpy as np
import pytest
import torch

from tests.vidgen.commands.judged_runs import save_run
from vidgen.commands.evaluate import main
from vidgen.commands.running import run_command
from vidgen.errors import UserError
from vidgen.metrics.extractors.dlib_faces import DlibFaces

installed = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("dlib", "face_recognition_models"))),
    reason="needs dlib-bin and face-recognition-models",
)


def test_without_the_packages_one_line_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(UserError, match=r"pip install 'vidgen\[faces\]'"):
        DlibFaces()
    save_run(tmp_path / "run")
    assert run_command("evaluate.py", main, [str(tmp_path / "run"), "--embedder=dlib"]) == 2
    error = capsys.readouterr().err
    assert "dlib-bin and face-recognition-models" in error and error.count("\n") == 1


@installed
def test_vectors_are_those_of_dlib_on_the_upright_face():
    import dlib

    embedder = DlibFaces()
    clips = torch.rand(2, 3, 2, 150, 150, generator=torch.Generator().manual_seed(0)) * 2 - 1
    clips[1, :, 1] = clips[0, :, 0]
    vectors = embedder(clips)
    assert vectors.shape == (2, 2, 128)
    assert torch.equal(vectors[1, 1], vectors[0, 0]) and not torch.equal(
        vectors[0, 1], vectors[0, 0]
    )
    folder = importlib.util.find_spec("face_recognition_models").submodule_search_locations[0]
    find = dlib.shape_predictor(f"{folder}/models/shape_predictor_5_face_landmarks.dat")
    network = dlib.face_recognition_model_v1(
        f"{folder}/models/dlib_face_recognition_resnet_model_v1.dat"
    )
    pixels = ((clips[0, :, 0].permute(1, 2, 0) + 1) * 127.5).round().byte().contiguous().numpy()
    chip = dlib.get_face_chip(pixels, find(pixels, dlib.rectangle(0, 0, 149, 149)), 150)
    expected = np.array(network.compute_face_descriptor(chip))
    assert vectors[0, 0].numpy() == pytest.approx(expected, abs=1e-5)


@installed
def test_scores_carry_the_networks_name(tmp_path, capsys):
    save_run(tmp_path / "run")
    command = [str(tmp_path / "run"), "--metrics=acd", "--embedder=dlib", "--samples=2"]
    assert run_command("evaluate.py", main, command) == 0, capsys.readouterr().err
    line = json.loads((tmp_path / "run/metrics/acd.jsonl").read_text())
    assert line["metric"] == "acd[dlib]" and line["value"] >= 0
    assert "dlib, frames as boxes of faces" in line["protocol"]
