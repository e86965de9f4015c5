"""evaluate.py on reconstructions of shapes and of their views."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import average_precision_score

from tests.tiny_voxels import tiny_gan, tiny_vae_gan
from tests.vidgen.commands.judged_runs import save_run
from tests.voxel.commands.known_shapes import (
    ALLOWED,
    box,
    furniture,
    save_boxes,
    scores,
    write_volumes,
)
from vidgen.adversarial.checkpoints import save_checkpoint
from vidgen.commands.clip_sets import NumberedClips
from voxel.commands.measures import Agreement
from voxel.metrics import aligned_scores, average_precision_grid


def test_reconstructions_are_compared_with_their_truths(tmp_path, evaluate):
    save_boxes(tmp_path / "run")
    root = furniture(tmp_path / "real", [box(9)], [box(3), box(7)])
    names = ("ap", "iou", "fscore", "chamfer", "ap20", "ap20_aligned", "iou20_aligned")
    result = evaluate(tmp_path / "run", ALLOWED, f"--metrics={','.join(names)}", root)
    assert result.code == 0, result.error
    ap, iou, fscore, chamfer, ap20, aligned, aligned_iou = scores(tmp_path / "run", *names)
    assert iou["value"] == pytest.approx((2 / 4 + 6 / 8) / 2)
    assert iou["details"]["each_class"] == [{"box": iou["value"]}]
    expected = [
        average_precision_score(box(n).ravel(), np.roll(box(n), 1, axis=0).ravel()) for n in (3, 7)
    ]
    assert ap["value"] == pytest.approx(np.mean(expected))
    # In the truth's frame the copy is a cell away, more than 1 % of the longest side: only points
    # on the four faces along x, where they overlap, find a neighbour.
    assert 0.3 < fscore["value"] < 0.9 and 0 < chamfer["value"] < 2 / 6**2
    at_20 = [
        aligned_scores(
            average_precision_grid(np.roll(box(n), 1, axis=0), truth=False),
            average_precision_grid(box(n), truth=True) >= 0.5,
        )
        for n in (3, 7)
    ]
    assert ap20["value"] == pytest.approx(np.mean([s.average_precision for s in at_20]))
    assert aligned["value"] == pytest.approx(np.mean([s.aligned_average_precision for s in at_20]))
    assert aligned["value"] > ap20["value"]
    assert aligned_iou["value"] == pytest.approx(np.mean([s.aligned_iou for s in at_20]))
    assert iou["num_generated"] == 2 and "2 pairs of " in iou["protocol"]


def test_a_perfect_surface_in_another_place_is_not_perfect():
    """The F-score is taken in the truth's frame: centring both would hide the move."""
    pair = torch.from_numpy(np.stack([box(8), box(8)]))[None]
    still = Agreement(0.5)(NumberedClips(pair, torch.tensor([0])))
    assert still["fscore"] == 1 and still["chamfer"] == 0 and still["iou"] == 1
    pair[0, 0] = pair[0, 0].roll(4, dims=2)
    moved = Agreement(0.5)(NumberedClips(pair, torch.tensor([0])))
    assert moved["fscore"] < 0.5 and moved["chamfer"] > 0.01


def test_views_of_shapes_are_reconstructed(tmp_path, evaluate):
    game = tiny_vae_gan()
    for weight in game.generator.parameters():
        weight.data.add_(0.3 * torch.randn_like(weight))
    about = {"game": game.describe(), "classes": [], "fps": 24.0}
    save_checkpoint(tmp_path / "run", 1, game.state_dict(), {}, about, keep=1)
    root = furniture(tmp_path / "real", [box(3)], [box(4), box(7)])
    random = np.random.default_rng(0)
    views = []
    for number in range(2):
        folder = tmp_path / f"views/box/test/{number}"
        folder.mkdir(parents=True)
        views.append(random.integers(0, 256, (32, 32, 3)).astype(np.uint8))
        Image.fromarray(views[-1]).save(folder / "0.png")
    where = f"--data.views={tmp_path / 'views'}"
    result = evaluate(tmp_path / "run", "--metrics=iou,ap", root, where, "--samples=4")
    assert result.code == 0, result.error
    images = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2).float() / 127.5 - 1
    made = game.eval().reconstruct(images)[:, 0].numpy()
    truths = [box(4) > 0, box(7) > 0]
    overlap = [
        ((one >= 0.5) & two).sum() / ((one >= 0.5) | two).sum()
        for one, two in zip(made, truths, strict=True)
    ]
    precision = [
        average_precision_score(two.ravel(), one.ravel())
        for one, two in zip(made, truths, strict=True)
    ]
    iou, ap = scores(tmp_path / "run", "iou", "ap")
    # Two passes over both shapes.
    assert iou["value"] == pytest.approx(np.mean(overlap), abs=1e-6)
    assert ap["value"] == pytest.approx(np.mean(precision), rel=1e-4)
    result = evaluate(tmp_path / "run", "--metrics=iou", root, where, "--data.rotations=4")
    assert (
        result.code == 2 and "--data.rotations: a shape of an image keeps its pose" in result.error
    )


def test_classes_of_a_model_and_of_the_data_have_the_same_numbers(tmp_path, evaluate):
    save_boxes(tmp_path / "run", num_classes=2, classes=["wide", "narrow"])
    for name, width in (("narrow", 2), ("wide", 9), ("other", 5)):
        write_volumes(tmp_path / f"real/{name}", [box(4, width)])
    root = f"--data.root={tmp_path / 'real'}"
    assert evaluate(tmp_path / "run", ALLOWED, "--metrics=iou", root).code == 0
    line = scores(tmp_path / "run", "iou")
    assert (
        list(line["details"]["each_class"][0]) == ["wide", "narrow"] and line["num_generated"] == 2
    )


def test_only_games_of_shapes_that_reconstruct_are_judged_by_it(tmp_path, evaluate):
    game = tiny_gan()
    about = {"game": game.describe(), "classes": [], "fps": 24.0}
    save_checkpoint(tmp_path / "gan", 1, game.state_dict(), {}, about, keep=1)
    root = furniture(tmp_path / "real", [box(9)], [box(4)])
    result = evaluate(tmp_path / "gan", "--metrics=iou", root)
    assert result.code == 2 and "a VoxelGAN cannot reconstruct shapes" in result.error
    save_run(tmp_path / "clips")
    result = evaluate(tmp_path / "clips", "--metrics=occupancy")
    assert result.code == 2 and "a TGAN makes no shapes" in result.error
