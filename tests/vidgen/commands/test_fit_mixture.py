from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
import yaml

from tests.recipes import TINY_GAMES, ucf_tree
from vidgen.adversarial.checkpoints import LoadedGame, load_game, load_state
from vidgen.commands.mixtures import encoded
from vidgen.commands.run_folder import RunFolder
from vidgen.commands.run_source import open_source
from vidgen.commands.train import main as train
from vidgen.errors import UserError


def train_arguments(place, steps):
    return [
        "--config", "video_autoencoder_weizmann", *TINY_GAMES["vidgen.VideoAutoencoder"],
        "--data.root", str(place / "videos"), "--run", str(place / "run"),
        "--training.batch_size=2", "--training.num_workers=0", "--training.sample_every=0",
        "--training.average=0.9", f"--training.steps={steps}",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The videos and the run of an autoencoder trained for two steps."""
    place = tmp_path_factory.mktemp("finished")
    ucf_tree(place / "videos")
    assert train(train_arguments(place, 2)) == 0
    return place


@pytest.fixture
def place(finished, tmp_path):
    shutil.copytree(finished / "run", tmp_path / "run")
    shutil.copytree(finished / "videos", tmp_path / "videos")
    return tmp_path


def weights(place):
    return load_game(place / "run").game.state_dict()


def test_the_mixture_joins_the_checkpoint_and_nothing_else_changes(place, vidgen):
    before = weights(place)
    state = load_state(place / "run/checkpoints/step-000000002")
    assert not before["mixture_weights"].any()
    result = vidgen("fit_mixture", place / "run")
    assert result.code == 0, result.error
    assert "2 Gaussians fitted to the codes of 20 clips of 4 videos" in result.lines[-2]
    after = weights(place)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"mixture_weights", "mixture_means", "mixture_factors"}
    assert after["mixture_weights"].sum().item() == pytest.approx(1)
    kept = load_state(place / "run/checkpoints/step-000000002")
    assert kept.keys() == state.keys() and kept["step"] == 2
    assert all(torch.equal(kept["raw"][name], state["raw"][name]) for name in state["raw"])
    loaded = load_game(place / "run")
    assert loaded.step == 2 and loaded.classes == ["Archery", "Biking"]


def test_clips_are_then_generated_from_the_mixture_and_the_training_goes_on(place, vidgen):
    arguments = ["--count", 2, "--format", "png"]
    assert vidgen("generate", place / "run", *arguments, "--out", place / "before").code == 0
    assert vidgen("fit_mixture", place / "run", "--seed", 3).code == 0
    assert vidgen("generate", place / "run", *arguments, "--out", place / "after").code == 0
    assert len(list((place / "after").iterdir())) == 2
    fitted = weights(place)["mixture_means"]
    assert train(train_arguments(place, 3)) == 0
    assert load_game(place / "run").step == 3
    assert torch.equal(weights(place)["mixture_means"], fitted)


def test_equal_seeds_fit_equal_mixtures_and_the_data_may_have_moved(place, vidgen):
    assert vidgen("fit_mixture", place / "run", "--clips", 7, "--seed", 5).code == 0
    first = weights(place)["mixture_means"]
    (place / "videos").rename(place / "moved")
    # The path that the run knows is that of the first place, which is still there.
    arguments = ["--clips", 7, "--seed", 5, "--data.root", place / "moved", "--batch_size", 3]
    result = vidgen("fit_mixture", place / "run", *arguments)
    assert result.code == 0, result.error
    torch.testing.assert_close(weights(place)["mixture_means"], first)


def test_fewer_gaussians_leave_the_rest_without_weight(place, vidgen):
    assert vidgen("fit_mixture", place / "run", "--components", 1, "--clips", 4).code == 0
    assert weights(place)["mixture_weights"].tolist() == [1, 0]


def test_codes_are_those_of_the_videos_in_turn(place, monkeypatch):
    loaded, source = load_game(place / "run"), open_source(place / "run")
    drawn, draw = [], source.draw

    def remembered(item, generator):
        drawn.append((item, draw(item, generator)))
        return drawn[-1][1]

    monkeypatch.setattr(source, "draw", remembered)
    codes = encoded(loaded, source, 6, 4, seed=0)
    assert sorted(item for item, _ in drawn[:4]) == [0, 1, 2, 3]
    clips = torch.stack([torch.from_numpy(sample.clip) for _, sample in drawn[:6]])
    expected = loaded.game.encode(clips / 127.5 - 1)
    torch.testing.assert_close(codes, expected)
    assert expected.std(dim=0).min() > 1e-3 * expected.abs().max(), "codes differ"
    assert not torch.equal(codes, encoded(loaded, source, 6, 4, seed=1))


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["--components", 3], "room for 1 to 2 Gaussians, not 3"),
        (["--clips", 1], "1 codes cannot be a mixture of 2 Gaussians"),
        (["--components", 0], "--components 0 is outside 1 ..."),
        (["--data.root", "/nowhere/at/all"], "no folder '/nowhere/at/all'"),
        (["--device", "gpu7"], "--device gpu7 cannot be used"),
        (["--seed", -1], "--seed -1 is outside 0 ..."),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(place, vidgen, arguments, complaint):
    result = vidgen("fit_mixture", place / "run", *arguments)
    assert result.code == 2 and result.error.count("\n") == 1
    assert complaint in result.error
    assert not weights(place)["mixture_weights"].any()


def test_what_is_no_run_is_said(place, vidgen):
    result = vidgen("fit_mixture", place / "run/checkpoints/step-000000002")
    assert result.code == 2 and "is a checkpoint; give the --run folder" in result.error
    (place / "run/config.yaml").write_text("data: 3")
    result = vidgen("fit_mixture", place / "run")
    assert result.code == 2 and "does not say what the run was trained on" in result.error


def test_a_run_in_training_is_left_alone(place, vidgen):
    with RunFolder(place / "run"):
        result = vidgen("fit_mixture", place / "run")
    assert result.code == 2 and "another training is running" in result.error


def test_models_without_a_mixture_say_so(place, make_tiny_game, vidgen, monkeypatch):
    tgan = LoadedGame(make_tiny_game(), step=2, fps=25.0, classes=[], folder=place)
    monkeypatch.setattr("vidgen.commands.mixtures.load_game", lambda *_, **__: tgan)
    result = vidgen("fit_mixture", place / "run")
    assert result.code == 2 and "a TGAN cannot sample codes from a mixture" in result.error


def test_a_run_that_names_a_foreign_data_class_is_refused(place):
    path = place / "run/config.yaml"
    config = yaml.safe_load(path.read_text())
    config["data"]["class_path"] = "this.that"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(UserError, match=r"names the data class this\.that"):
        open_source(place / "run")


def test_data_without_a_folder_is_opened_without_one(tmp_path):
    described = {"class_path": "data.ShapeMotion", "init_args": {"num_frames": 16, "size": 64}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"data": described}))
    assert open_source(tmp_path).draw(0, np.random.default_rng(0)).clip.shape == (3, 16, 64, 64)
    with pytest.raises(UserError, match=r"a data\.ShapeMotion reads no folder"):
        open_source(tmp_path, tmp_path)
