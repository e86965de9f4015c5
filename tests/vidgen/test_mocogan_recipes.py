from pathlib import Path

import pytest
import torch
import yaml
from torch.nn.modules.batchnorm import _BatchNorm

import vidgen
from vidgen.adversarial.blocks import BatchSpread
from vidgen.adversarial.described import build
from vidgen.adversarial.optimizers import OptimizerSettings
from vidgen.adversarial.settings import TrainingSettings

RECIPES = Path(vidgen.__file__).parent / "configs"
SHAPES = {
    "mocogan_shapes": (0, 64, 0),
    "mocogan_shapes_categorical": (0, 64, 2),
    "mocogan_weizmann": (0, 64, 0),
    "mocogan_weizmann_categorical": (4, 64, 4),
    "mocogan_weizmann_image_to_video": (0, 64, 0),
    "mocogan_ucf101": (0, 64, 0),
    "mocogan_faces": (0, 96, 0),
}


def test_every_recipe_is_listed_here():
    assert {path.stem for path in RECIPES.glob("mocogan_*.yaml")} >= set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_recipe_builds_its_game_and_its_settings(name):
    recipe = yaml.safe_load((RECIPES / f"{name}.yaml").read_text())
    options = recipe["game"].get("init_args", {})
    for role in {"optimizer", "discriminator_optimizer"} & set(options):
        options[role] = OptimizerSettings(**options[role])
        assert options[role].weight_decay == 1e-5, "the authors' decay stays"
    with torch.device("meta"):
        game = build(recipe["game"])
    classes_of_data, frame_size, categories = SHAPES[name]
    assert game.num_classes == classes_of_data
    assert game.num_categories == categories
    assert game.data_options() == {"channels": 3, "num_frames": 16, "size": frame_size}
    settings = TrainingSettings(**recipe["training"])
    assert (settings.steps, settings.batch_size) == (100_000, 32)


@pytest.mark.parametrize("name", SHAPES)
def test_header_of_a_recipe_gives_its_own_command(name):
    text = (RECIPES / f"{name}.yaml").read_text()
    assert f"python train.py --config {name} --data.root " in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_small_recipe_needs_no_files_and_steadies_its_judges():
    recipe = yaml.safe_load((RECIPES / "mocogan_shapes_small.yaml").read_text())
    assert recipe["data"]["class_path"] == "data.ShapeMotion"
    options = recipe["game"]["init_args"]
    options["optimizer"] = OptimizerSettings(**options["optimizer"])
    with torch.device("meta"):
        game = build(recipe["game"])
    assert (game.num_classes, game.example_shape) == (2, (3, 16, 32, 32))
    assert game.r1 is not None
    parts = [*game.image_discriminator.modules(), *game.video_discriminator.modules()]
    assert not any(isinstance(part, _BatchNorm) for part in parts)
    assert sum(isinstance(part, BatchSpread) for part in parts) == 2
