"""Players, batches, and the guards around a move."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn

from tests.tiny import tiny_batches
from tests.vidgen.adversarial.tug_of_war import TugOfWar
from vidgen.adversarial.game import (
    Batch,
    Game,
    evaluation,
    fixed_statistics,
    only_trainable,
)
from vidgen.errors import UserError

GAMES: dict[str, dict[str, Any]] = {
    "critic first": {},
    "generator first": {"order": "generator_first"},
    "conditional": {"num_classes": 2},
    "conditional, generator first": {"num_classes": 2, "order": "generator_first"},
    "spectral": {"constraint": "spectral", "loss": "hinge"},
    "weights": {"constraint": "weights"},
    "noise": {"noise": 0.2, "constraint": "none", "loss": "non_saturating"},
    "frames from z1 alone": {"slow_to_frames": False},
    "with offsets": {"shift": True},
}


def real_batch(game: Game) -> Batch:
    examples, labels = next(tiny_batches(0))
    return Batch(game.from_pixels(examples), labels)


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(module.state_dict())


def assert_same_state(module: nn.Module, before: dict[str, torch.Tensor]) -> None:
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.fixture(params=GAMES)
def game(request: pytest.FixtureRequest, make_tiny_game: Any) -> Any:
    return make_tiny_game(**GAMES[request.param])


def test_each_players_backward_touches_exactly_its_modules(game):
    batch = real_batch(game)
    owned: set[int] = set()
    for player in game.players():
        mine = {id(weight) for weight in player.parameters()}
        assert mine, player.name
        assert not mine & owned, "two players share a weight"
        owned |= mine
        game.zero_grad(set_to_none=True)
        with only_trainable(game, player.parameters()):
            terms = player.loss(batch)
            torch.stack(list(terms.values())).sum().backward()
        touched = {id(weight) for weight in game.parameters() if weight.grad is not None}
        assert touched == mine, player.name
        assert all(weight.grad.isfinite().all() for weight in player.parameters())
        assert sum(float(weight.grad.abs().sum()) for weight in player.parameters()) > 0
    assert owned == {id(weight) for weight in game.parameters()}


def test_the_critics_loss_holds_no_graph_of_the_generator(game):
    """Even without the guard of the loop: a graph that is thrown away costs time and memory."""
    batch = real_batch(game)
    for player in game.players():
        game.zero_grad(set_to_none=True)
        terms = player.loss(batch)
        if player.name == "critic":
            terms["adversarial"].backward()
            assert all(weight.grad is None for weight in game.generator.parameters())


def test_the_generators_turn_leaves_the_critics_running_moments_alone(game):
    batch = real_batch(game)
    before = state(game.critic)
    norms = [m for m in game.critic.modules() if isinstance(m, nn.BatchNorm3d)]
    next(player for player in game.players() if player.name == "generator").loss(batch)
    if norms:  # spectral normalization has none, and its power iteration goes on
        assert_same_state(game.critic, before)
    next(player for player in game.players() if player.name == "critic").loss(batch)
    for norm in norms:
        assert norm.num_batches_tracked == 2  # fakes and reals, apart
    image_norms = [m for m in game.generator.modules() if isinstance(m, nn.BatchNorm2d)]
    made_once = game.order == "generator_first"
    assert all(norm.num_batches_tracked == (1 if made_once else 2) for norm in image_norms)


def test_only_the_chosen_weights_take_gradients_and_the_flags_come_back():
    game = TugOfWar()
    game.leader.weight.requires_grad_(False)  # frozen by its owner: stays so
    with pytest.raises(KeyboardInterrupt), only_trainable(game, [game.follower.weight]):
        assert game.follower.weight.requires_grad
        assert not game.leader.weight.requires_grad
        raise KeyboardInterrupt
    assert game.follower.weight.requires_grad
    assert not game.leader.weight.requires_grad
    with only_trainable(game, [game.leader.weight]):
        assert not game.follower.weight.requires_grad
        assert not game.leader.weight.requires_grad
    assert game.follower.weight.requires_grad


def test_fixed_statistics_change_no_bit_of_the_moments_and_nothing_of_the_output():
    torch.manual_seed(0)
    norm = nn.Sequential(nn.BatchNorm2d(3), nn.BatchNorm2d(3, track_running_stats=False))
    norm(torch.randn(4, 3, 2, 2))
    features = 5 + 2 * torch.randn(4, 3, 2, 2)
    before = state(norm)
    with fixed_statistics(norm):
        fixed = norm(features)
    assert_same_state(norm, before)
    assert torch.equal(norm(features), fixed)
    assert norm[0].num_batches_tracked == 2
    with pytest.raises(KeyboardInterrupt), fixed_statistics(norm):
        raise KeyboardInterrupt
    assert [part.track_running_stats for part in norm] == [True, False]


def test_evaluation_brings_every_mode_back_and_records_no_gradient():
    module = nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2)))
    module[1].eval()
    module[1][1].train()
    modes = [part.training for part in module.modules()]
    assert True in modes
    assert False in modes
    with pytest.raises(KeyboardInterrupt), evaluation(module):
        assert not any(part.training for part in module.modules())
        assert not module[1][1](torch.ones(1, 2)).requires_grad
        raise KeyboardInterrupt
    assert [part.training for part in module.modules()] == modes
    assert module[1][1](torch.ones(1, 2)).requires_grad


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        ([0, -1], "but the data has no labels; set game.num_classes to 0"),
        ([0, 2], r"label 2 is outside 0 … 1; set game.num_classes"),
        (torch.tensor([7, -1]), "label -1 is outside 0 … 1"),
        (torch.tensor([9, 3]), "label 3 is outside 0 … 1"),
    ],
)
def test_labels_that_the_game_does_not_have_are_refused(make_tiny_game, labels, line: str):
    with pytest.raises(UserError, match=line):
        make_tiny_game(num_classes=2).check_labels(labels)


def test_labels_that_the_game_has_are_taken_and_without_classes_all_are(make_tiny_game):
    make_tiny_game(num_classes=2).check_labels([0, 1, 1])
    make_tiny_game(num_classes=2).check_labels(torch.tensor([1, 0]))
    make_tiny_game(num_classes=0).check_labels([-1, 5])


def test_a_batch_splits_into_equal_pieces_in_order():
    batch = Batch(torch.arange(6.0).unsqueeze(1), torch.arange(6))
    pieces = batch.split(3)
    assert [len(piece) for piece in pieces] == [2, 2, 2]
    assert torch.equal(torch.cat([piece.real for piece in pieces]), batch.real)
    assert torch.equal(torch.cat([piece.labels for piece in pieces]), batch.labels)
    pieces[0].made["fake"] = batch.real
    assert pieces[1].made == {}


def test_pixels_of_a_game_without_a_range_of_its_own_round_trip(tiny_game):
    pixels = torch.arange(256, dtype=torch.uint8).view(1, -1)
    examples = Game.from_pixels(tiny_game, pixels)
    assert examples.min() == -1
    assert examples.max() == 1
    assert torch.equal(Game.to_pixels(tiny_game, examples), pixels)
    beyond = torch.tensor([[-1.5, 1.5]])
    assert Game.to_pixels(tiny_game, beyond).tolist() == [[0, 255]]


def test_data_options_follow_the_example_shape(make_tiny_game):
    options = make_tiny_game(channels=1, num_frames=8).data_options()
    assert options == {"channels": 1, "num_frames": 8, "size": 16}
    game = make_tiny_game()
    game.example_shape = (3, 4, 16, 32)
    assert game.data_options()["size"] == (16, 32)
