"""Descriptions of objects: the way there, the way back, and what is refused on it."""

from __future__ import annotations

import copy
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from vidgen import TGAN, OptimizerSettings
from vidgen.adversarial.described import build
from vidgen.errors import UserError


class LoudTGAN(TGAN):
    """A user's game: one option of its own, the others passed on."""

    def __init__(self, volume: int = 11, **options: Any) -> None:
        super().__init__(**options)
        self.volume = volume


def through_json(description: Any) -> Any:
    return json.loads(json.dumps(description))


def test_a_game_comes_back_from_json_with_all_its_arguments(make_tiny_game):
    adam = OptimizerSettings(rule="adam", learning_rate=3e-4, betas=(0.1, 0.9))
    game = make_tiny_game(num_classes=3, constraint="spectral", optimizer=adam)
    again = build(through_json(game.describe()))
    assert type(again) is TGAN
    assert again.arguments == game.arguments
    assert again.arguments["optimizer"] == adam
    assert again.arguments["optimizer"].betas == (0.1, 0.9)
    assert again.arguments["critic_optimizer"] is None
    assert again.describe() == game.describe()
    shapes = {name: value.shape for name, value in game.state_dict().items()}
    assert {name: value.shape for name, value in again.state_dict().items()} == shapes


def test_a_description_names_every_option_and_the_public_path(tiny_game):
    description = tiny_game.describe()
    assert description["class_path"] == "vidgen.TGAN"
    arguments = description["init_args"]
    assert arguments["image_width"] == 16
    assert arguments["clip_every"] == 5  # a default
    assert arguments["optimizer"] == {
        "class_path": "vidgen.OptimizerSettings",
        "init_args": {
            "rule": "rmsprop",
            "learning_rate": 5e-5,
            "betas": [0.5, 0.999],
            "smoothing": 0.99,
            "epsilon": 1e-8,
            "weight_decay": 0.0,
            "schedule": "constant",
        },
    }


@pytest.mark.parametrize(
    "path",
    [
        "os.mkdir",
        "builtins.eval",
        "vidgen.adversarial.settings.TrainingSettings",
        "vidgen.tgan.TGAN",
        "vidgen.import_module",
        "vidgen.__version__",
        "vidgen",
        "TGAN",
        ".TGAN",
        "",
    ],
)
def test_a_class_that_is_not_exported_is_refused_and_not_called(path: str, tmp_path: Path):
    trap = {"class_path": path, "init_args": {"path": str(tmp_path / "made")}}
    with pytest.raises(UserError, match="not among the classes of vidgen and voxel"):
        build(trap)
    with pytest.raises(UserError, match="not among the classes of vidgen and voxel"):
        build({"class_path": "vidgen.TGAN", "init_args": {"optimizer": trap}})
    with pytest.raises(UserError, match="not among the classes of vidgen and voxel"):
        build({"class_path": "vidgen.TGAN", "init_args": {"optimizer": [{"deep": trap}]}})
    assert not (tmp_path / "made").exists()


def test_the_user_may_allow_a_class_by_its_full_name():
    third = {"class_path": "fractions.Fraction", "init_args": {"numerator": 1, "denominator": 3}}
    assert build(third, allow=["fractions.Fraction"]) == Fraction(1, 3)
    with pytest.raises(UserError, match=r"--allow fractions\.Fraction"):
        build(third, allow=["fractions", "fractions.Fractions"])
    with pytest.raises(UserError, match="there is no class"):
        build({"class_path": "fractions.Nothing"}, allow=["fractions.Nothing"])


@pytest.mark.parametrize(
    "description",
    [
        None,
        [],
        "vidgen.TGAN",
        {},
        {"class_path": 3},
        {"class_path": ["vidgen.TGAN"]},
        {"class_path": "vidgen.TGAN", "init_args": []},
    ],
)
def test_what_is_no_description_is_refused(description: Any):
    with pytest.raises(UserError, match="not the description of an object"):
        build(description)


@pytest.mark.parametrize(
    "arguments",
    [
        {"colour": 3},
        {"num_frames": 5},
        {"num_frames": "sixteen"},
        {"loss": "no such loss"},
        {"initialization": "no such rule"},
        {"num_classes": 10**30},
        {"optimizer": {"class_path": "vidgen.OptimizerSettings", "init_args": {"betas": 3}}},
    ],
)
def test_wrong_arguments_are_one_line(arguments: dict[str, Any]):
    with pytest.raises(UserError, match="cannot be built from its description"):
        build({"class_path": "vidgen.TGAN", "init_args": arguments})


def test_a_copy_is_equal_and_of_its_own(make_tiny_game):
    game = make_tiny_game(num_classes=2)
    twin = copy.deepcopy(game)
    assert twin.describe() == game.describe()
    for name, value in twin.state_dict().items():
        assert torch.equal(value, game.state_dict()[name]), name
    twin.arguments["num_classes"] = 7
    with torch.no_grad():
        twin.critic.score.weight.zero_()
    assert game.arguments["num_classes"] == 2
    assert game.critic.score.weight.abs().sum() > 0


def test_options_that_a_subclass_passes_on_are_described_one_by_one():
    game = LoudTGAN(5, num_frames=4, frame_size=16, image_width=16, critic_width=4)
    assert game.describe()["init_args"] == {
        "volume": 5,
        "num_frames": 4,
        "frame_size": 16,
        "image_width": 16,
        "critic_width": 4,
    }
    path = game.describe()["class_path"]
    assert path == f"{__name__}.LoudTGAN"
    again = build(through_json(game.describe()), allow=[path])
    assert again.volume == 5
    assert again.example_shape == (3, 4, 16, 16)


def test_an_argument_that_json_cannot_hold_is_named(tiny_game):
    tiny_game.arguments["noise"] = torch.zeros(1)
    with pytest.raises(TypeError, match="Tensor tensor"):
        tiny_game.describe()
