"""The core's loop on games of shapes: the rule, resuming, views, and that something is learned."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.tiny_voxels import tiny_gan, tiny_shapes, tiny_vae_gan
from vidgen import OptimizerSettings
from vidgen.adversarial.checkpoints import find_checkpoint, load_game
from vidgen.adversarial.settings import TrainingSettings
from vidgen.adversarial.training import fit
from vidgen.errors import UserError

FAST = OptimizerSettings(learning_rate=2e-3)


def settings(steps: int, **options) -> TrainingSettings:
    plain = {"save_every": 3, "batch_size": 4, "log_every": 1, "accelerator": "cpu"}
    return TrainingSettings(steps=steps, **{**plain, **options})


def without_views(first: int) -> Iterator[tuple[Tensor, Tensor]]:
    for voxels, labels, _ in tiny_shapes(first):
        yield voxels, labels


def stored(run: Path) -> list[tuple[str, Tensor]]:
    """Weights, buffers and optimiser states of the newest checkpoint."""
    folder = find_checkpoint(run)
    state = torch.load(folder / "state.pt", weights_only=True)
    found = list(load_game(run).game.state_dict().items())
    for name, player in state["players"].items():
        for number, values in player["state"].items():
            found += [(f"{name} {number} {key}", value) for key, value in values.items()]
    return found


GAMES = {
    "rule": (lambda: tiny_gan(num_classes=2, discriminator_optimizer=FAST), without_views),
    "lazy r1": (
        lambda: tiny_gan(normalization="none", penalty="r1", penalty_every=2, accuracy_limit=None),
        without_views,
    ),
    "pairs": (lambda: tiny_vae_gan(discriminator_optimizer=FAST, warm_up=8), tiny_shapes),
}


@pytest.mark.parametrize("name", GAMES)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(name, tmp_path):
    make, batches = GAMES[name]
    fit(make(), batches, settings(9), tmp_path / "whole")
    for steps in (3, 6, 9):  # each sitting begins from new weights
        fit(make(), batches, settings(steps), tmp_path / "parts")
    whole, parts = stored(tmp_path / "whole"), stored(tmp_path / "parts")
    assert [key for key, _ in whole] == [key for key, _ in parts]
    different = [key for (key, a), (_, b) in zip(whole, parts, strict=True) if not a.equal(b)]
    assert different == []
    if name != "lazy r1":
        skipped = dict(whole)["accuracy_rule.skipped"].item()
        assert 0 < skipped < 1 - 0.99**8, "both branches of the rule must have been taken"


def test_a_halted_discriminator_keeps_its_weights_while_the_generator_moves(tmp_path):
    game = tiny_gan(accuracy_limit=0.0)
    game.accuracy_rule.watch(torch.ones(2), -torch.ones(2))
    game.accuracy_rule.turn()
    before = {name: value.clone() for name, value in game.named_parameters()}
    fit(game, without_views, settings(1), tmp_path)
    changed = {n.split(".")[0] for n, v in game.named_parameters() if not v.equal(before[n])}
    assert changed == {"generator"}
    assert game.discriminator.blocks[0][1].num_batches_tracked == 2, "it goes on judging"


def test_accumulated_parts_count_as_one_batch_and_keep_their_views(tmp_path):
    game, seen = tiny_vae_gan(), []
    game.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    fit(game, tiny_shapes, settings(1, accumulate=2), tmp_path)
    assert game.accuracy_rule.last_judged.tolist() == [4, 4]
    _, _, views = next(tiny_shapes(0))
    of_encoder, of_generator = seen[:2], seen[2:]
    for parts in (of_encoder, of_generator):
        torch.testing.assert_close(torch.cat(parts), views.float() / 127.5 - 1)


def test_the_log_holds_the_rule_s_figures(tmp_path):
    fit(tiny_gan(), without_views, settings(2), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 2
    for line in lines:
        assert 0 <= line["discriminator/accuracy"] <= 1
        assert 0 < line["occupancy_real"] < 1


def test_data_without_views_or_with_others_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"gives views of shape None, but the game wants \(3, 32"):
        fit(tiny_vae_gan(), without_views, settings(1), tmp_path)
    with pytest.raises(UserError, match=r"views of shape \(3, 32, 32\), but the game wants \(3, 6"):
        fit(tiny_vae_gan(image_size=64), tiny_shapes, settings(1), tmp_path)


def test_it_learns_which_of_two_shapes_a_picture_shows(tmp_path):
    voxels = torch.zeros(8, 1, 8, 8, 8, dtype=torch.uint8)
    voxels[::2, 0, 3:5, 3:5, 1:7] = 255
    voxels[1::2, 0, 1:7, 1:7, 2:4] = 255
    views = torch.zeros(8, 3, 32, 32, dtype=torch.uint8)
    views[::2, 0, :16], views[1::2, 1, 16:] = 255, 255

    def two_shapes(first: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        while True:
            yield voxels, torch.full((8,), -1), views

    quick = OptimizerSettings(learning_rate=0.01)
    game = tiny_vae_gan(
        resolution=8,
        width=8,
        distance="cross_entropy",
        reconstruction_weight=0.1,
        divergence_weight=0.1,
        optimizer=quick,
        encoder_optimizer=quick,
    )
    fit(game, two_shapes, settings(80, batch_size=8, save_every=80), tmp_path)
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    # Who does not look at the picture can at best give 1/2 to each voxel in which they differ.
    differing = (voxels[0] != voxels[1]).sum().item()
    blind = 0.1 * differing * math.log(2)
    assert last["encoder/reconstruction"] < blind / 2
