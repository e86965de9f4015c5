"""A small classifier of shapes: fitted by a command, used by evaluate.py."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.voxel.commands.known_shapes import ALLOWED, KnownBoxes, box, save_boxes, write_volumes
from vidgen.commands.running import run_command
from vidgen.metrics.extractors.own import ClassifierConfig, OwnClassifier, save_classifier
from vidgen.metrics.inception import inception_score
from voxel.__main__ import main as voxel_main
from voxel.commands.evaluate import main


def save_untrained(path, classes=("narrow", "wide"), size=16):
    config = ClassifierConfig(path.stem, list(classes), size, size, size, 1, -1.0, {})
    torch.manual_seed(0)
    network = config.network().eval()
    save_classifier(path, config, network.state_dict())
    return network


def last_line(run, name):
    return json.loads((run / f"metrics/{name}.jsonl").read_text().splitlines()[-1])


def test_it_learns_to_tell_narrow_from_wide_boxes(tmp_path, capsys):
    for name, width in (("narrow", 2), ("wide", 10)):
        write_volumes(tmp_path / f"real/{name}/train", [box(n, width) for n in (2, 4, 6, 8)])
        write_volumes(tmp_path / f"real/{name}/test", [box(n, width) for n in (3, 5, 7)])
    out = tmp_path / "boxes.safetensors"
    arguments = ["--size=16", "--steps=40", "--batch_size=8", "--learning_rate=1e-3", "--width=4"]
    command = ["fit_classifier", f"--data.root={tmp_path / 'real'}", f"--out={out}", *arguments]
    assert voxel_main(command) == 0, capsys.readouterr().err
    assert "2 classes, 8 training shapes; 100.0% of 6 test shapes" in capsys.readouterr().out
    config = OwnClassifier(out).config
    assert config.classes == ["narrow", "wide"] and config.name == "boxes"
    assert (config.num_frames, config.height, config.width, config.accuracy) == (16, 16, 16, 1)


def test_scores_of_features_are_those_of_the_network_on_grey_clips(tmp_path, capsys):
    save_boxes(tmp_path / "run", num_classes=2, classes=["wide", "narrow"])
    network = save_untrained(tmp_path / "boxes.safetensors")
    real = [box(n, 4 + n % 2) for n in range(1, 7)]
    for name in ("narrow", "wide"):
        write_volumes(tmp_path / f"real/{name}", real)
    names = ("is", "fid", "kvd", "precision", "recall", "accuracy")
    command = [
        str(tmp_path / "run"),
        ALLOWED,
        f"--data.root={tmp_path / 'real'}",
        f"--metrics={','.join(names)}",
        f"--extractor={tmp_path / 'boxes.safetensors'}",
        "--samples=6",
    ]
    assert run_command("evaluate.py", main, command) == 0, capsys.readouterr().err
    game = KnownBoxes(2)
    with torch.inference_mode():
        ours = network(2 * game.sample(range(6)).expand(-1, 3, -1, -1, -1) - 1)
        known = torch.from_numpy(np.stack(real * 2))[:, None]
        theirs = network(2 * known.expand(-1, 3, -1, -1, -1) - 1)
        asked = network(2 * game.sample(range(6), [0, 1] * 3).expand(-1, 3, -1, -1, -1) - 1)
    line = last_line(tmp_path / "run", "is")
    assert line["metric"] == "is[boxes]" and line["extractor"] == "boxes"
    assert line["value"] == pytest.approx(inception_score(ours.logits), rel=1e-5)
    assert line["real"] == pytest.approx(inception_score(theirs.logits), rel=1e-5)
    one, other = ours.features.double().numpy(), theirs.features.double().numpy()
    line = last_line(tmp_path / "run", "fid")
    assert line["value"] == pytest.approx(frechet_by_numpy(one, other), rel=1e-3)
    assert line["num_generated"] == 6 and line["num_real"] == 12
    # Class 0 is wide, which the classifier knows as 1.
    right = asked.logits.argmax(dim=1) == torch.tensor([1, 0] * 3)
    assert last_line(tmp_path / "run", "accuracy")["value"] == float(right.double().mean())


def frechet_by_numpy(one, other):
    """The root's trace by the eigenvalues of the product, which is not symmetric."""
    first, second = np.cov(one.T), np.cov(other.T)
    apart = np.square(one.mean(0) - other.mean(0)).sum()
    roots = np.sqrt(np.clip(np.linalg.eigvals(first @ second).real, 0, None))
    return apart + np.trace(first + second) - 2 * roots.sum()


def test_a_classifier_of_another_size_is_refused(tmp_path, capsys):
    save_boxes(tmp_path / "run")
    save_untrained(tmp_path / "boxes.safetensors", size=32)
    extractor = f"--extractor={tmp_path / 'boxes.safetensors'}"
    command = [str(tmp_path / "run"), ALLOWED, "--metrics=is", extractor]
    assert run_command("evaluate.py", main, command) == 2
    assert "knows shapes of 32 cells a side, the model makes 16" in capsys.readouterr().err


def test_one_class_is_no_choice(tmp_path, capsys):
    write_volumes(tmp_path / "real/box/train", [box(3), box(4)])
    out = f"--out={tmp_path / 'x.safetensors'}"
    assert voxel_main(["fit_classifier", f"--data.root={tmp_path / 'real'}", out, "--size=16"]) == 2
    assert "has 1 classes; a classifier needs two" in capsys.readouterr().err
