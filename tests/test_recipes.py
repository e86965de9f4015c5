"""Every recipe is read whole, and trains two steps at tiny size on real files of its layout."""

from __future__ import annotations

import pytest
import torch

from tests.recipes import tiny_data, tiny_game
from vidgen.adversarial.checkpoints import load_game
from vidgen.commands.configuration import (
    RECIPE_FOLDERS,
    complete_data_options,
    parse,
    recipe_names,
    recipes,
    training_parser,
)
from vidgen.commands.train import main

READS_FILES = ("VideoClips", "Shapes", "ShapeViews")


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_makes_its_game_at_full_size(name, tmp_path):
    from jsonargparse import Namespace

    parser = training_parser("")
    arguments = ["--config", str(recipes()[name])]
    if any(f"data.{kind}\n" in recipes()[name].read_text() for kind in READS_FILES):
        arguments += ["--data.root", str(tmp_path)]
    config = parse(parser, arguments)
    with torch.device("meta"):  # shapes without memory
        game = parser.instantiate(Namespace(game=config.game)).game
    complete_data_options(config, game)
    if "class_path: voxel." in recipes()[name].read_text():
        assert config.data.init_args.size == game.example_shape[1]
    else:
        assert config.data.init_args.num_frames == game.example_shape[1]


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_trains_two_steps_at_tiny_size(name, tmp_path):
    text = recipes()[name].read_text()
    data = tiny_data(text, tmp_path / "data")
    arguments = ["--config", name, "--run", str(tmp_path / "run")]
    arguments += [
        *tiny_game(text),
        *data,
        "--training.steps=2",
        "--training.batch_size=4",
        "--training.num_workers=0",
    ]
    arguments += ["--training.num_samples=1", "--training.save_every=2"]
    arguments += ["--training.average=0.5"]  # every game can keep one, or says so at once
    assert main(arguments) == 0
    assert load_game(tmp_path / "run").step == 2


def test_the_demos_shapes_train_at_their_own_size(tmp_path):
    # Large enough for the quick convolutions, which tiny sizes do not reach.
    arguments = ["--config", "3dgan_tiny", "--run", str(tmp_path), "--data.num_shapes=32"]
    arguments += ["--training.steps=2", "--training.num_workers=0", "--training.num_samples=1"]
    assert main(arguments) == 0
    assert load_game(tmp_path).step == 2


def test_every_recipe_says_how_it_is_run():
    for name in recipe_names():
        header = recipes()[name].read_text().split("\ngame:")[0]
        assert f"--config {name} " in header, name
        assert all(line.startswith("#") for line in header.splitlines()), name
    assert len(recipe_names()) == sum(len(list(folder.iterdir())) for folder in RECIPE_FOLDERS)
