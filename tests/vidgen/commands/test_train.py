from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.data import films
from vidgen.adversarial.checkpoints import load_game
from vidgen.commands.configuration import recipe_file
from vidgen.commands.run_folder import recipe_name
from vidgen.commands.running import run_command
from vidgen.commands.train import main

TINY = """
game:
  class_path: vidgen.TGAN
  init_args:
    {num_frames: 4, frame_size: 16, temporal_width: 16, image_width: 16, critic_width: 4}
data:
  class_path: data.VideoClips
training:
  {steps: 4, batch_size: 4, save_every: 2, sample_every: 2, num_samples: 4, log_every: 1,
   num_workers: 0}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return str(path)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    import numpy as np

    folder = tmp_path_factory.mktemp("videos")
    for number in range(4):
        home = folder / ("red" if number % 2 else "green")
        home.mkdir(exist_ok=True)
        frames = np.zeros((8, 32, 32, 3), np.uint8)
        frames[..., number % 2] = 40 * np.arange(1, 9)[:, None, None] % 256
        films.write_film(home / f"{number}.mkv", list(frames), films.LOSSLESS)
    return folder


def log_lines(run: Path) -> list[dict]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def complaint(capsys, *arguments: object) -> str:
    """What the command says on stderr when it refuses: one line, exit code 2."""
    code = run_command("train.py", main, [str(argument) for argument in arguments])
    error = capsys.readouterr().err
    assert code == 2
    lines = [line for line in error.splitlines() if line.startswith("train.py: ")]
    assert len(lines) == 1 and "Traceback" not in error
    return lines[0]


def test_a_run_leaves_everything_that_is_promised(recipe, videos, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["--config", recipe, "--data.root", str(videos), "--run", str(run)]) == 0
    said = capsys.readouterr().out
    assert "4 videos in 2 classes" in said and "step 4/4" in said
    assert f"python -m vidgen generate {run}" in said
    for name in ("config.yaml", "about.json", "log.jsonl", "scan.json", "checkpoints/latest"):
        assert (run / name).stat().st_size > 0, name
    assert sorted(path.name for path in (run / "samples").iterdir()) == [
        f"step-00000000{step}.{kind}" for step in (2, 4) for kind in ("mp4", "png")
    ]
    about = json.loads((run / "about.json").read_text())
    assert about["recipe"] == recipe and about["versions"]["torch"] == torch.__version__
    assert about["hardware"].startswith(f"{len(os.sched_getaffinity(0))} cores of ")
    loaded = load_game(run)
    assert (loaded.step, loaded.classes) == (4, ["green", "red"])
    assert [line["step"] for line in log_lines(run)] == [1, 2, 3, 4]


def test_a_recipe_of_the_packages_is_known_by_its_name():
    (path,) = recipe_file(["--config", "demo"])[1:]
    assert recipe_name(path) == "demo" and recipe_name("demo.yaml") == "demo.yaml"


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_same_command_again_goes_on_bit_for_bit(recipe, videos, tmp_path, num_workers):
    def train(run: str, steps: int) -> None:
        main(
            [
                "--config",
                recipe,
                "--data.root",
                str(videos),
                "--run",
                str(tmp_path / run),
                "--training.steps",
                str(steps),
                "--training.num_workers",
                str(num_workers),
            ]
        )

    train("whole", 6)
    train("halves", 3)
    train("halves", 6)
    assert log_lines(tmp_path / "whole") == log_lines(tmp_path / "halves")
    whole, halves = (
        load_file(tmp_path / run / "checkpoints/step-000000006/model.safetensors")
        for run in ("whole", "halves")
    )
    assert all(torch.equal(whole[name], halves[name]) for name in whole)


def test_a_killed_run_repeats_at_most_a_save_interval(recipe, videos, tmp_path):
    arguments = ["--config", recipe, "--data.root", str(videos), "--training.steps", "40"]
    arguments += ["--training.sample_every", "0"]
    main([*arguments, "--run", str(tmp_path / "whole")])
    killed = tmp_path / "killed"
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, str(root / "train.py"), *arguments, "--run", str(killed)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    log = killed / "log.jsonl"
    while process.poll() is None and not (log.exists() and len(log.read_text().split("\n")) > 9):
        pass
    process.kill()
    process.wait()
    saved = load_game(killed).step
    assert 6 <= saved < 40
    main([*arguments, "--run", str(killed)])
    assert log_lines(killed) == log_lines(tmp_path / "whole")


def test_every_broken_file_is_named_and_training_goes_on(recipe, videos, tmp_path, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for path in videos.rglob("*.mkv"):
        (folder / path.name).write_bytes(path.read_bytes())
    good = next(folder.glob("*.mkv")).read_bytes()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no video")
    (folder / "cut.mkv").write_bytes(good[:200])
    os.mkfifo(folder / "pipe.mp4")
    films.write_sound(folder / "sound.mp4")
    run = tmp_path / "run"
    assert main(["--config", recipe, "--data.root", str(folder), "--run", str(run)]) == 0
    said = capsys.readouterr().out
    for name in ("empty.mp4", "text.mp4", "cut.mkv", "pipe.mp4", "sound.mp4"):
        assert said.count(name) == 1, name
    assert load_game(run).step == 4


def test_a_file_that_vanishes_costs_a_warning_and_not_the_run(
    recipe, videos, tmp_path, capsys, caplog
):
    folder = tmp_path / "vanishing"
    folder.mkdir()
    for path in videos.rglob("*.mkv"):
        (folder / path.name).write_bytes(path.read_bytes())
    run = tmp_path / "run"
    options = ["--config", recipe, "--data.root", str(folder), "--run", str(run)]
    main([*options, "--training.steps", "1"])
    scan = json.loads((run / "scan.json").read_text())
    assert scan
    from data import VideoClips
    from data.batches import Batches

    source = VideoClips(folder, 4, 16, 3, scan_cache=run / "scan.json")
    (folder / "2.mkv").unlink()
    with caplog.at_level(logging.WARNING), Batches(source, 4, seed=0) as batches:
        for _ in range(3):
            clips, _ = next(batches)
            assert clips.shape == (4, 3, 4, 16, 16)
    assert sum("2.mkv" in record.getMessage() for record in caplog.records) == 1


def test_mistakes_cost_one_line(recipe, videos, tmp_path, capsys):
    run = tmp_path / "run"
    good = ["--config", recipe, "--data.root", videos, "--run", run]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no recipe or file 'no_such'" in complaint(capsys, "--config", "no_such")
    assert "tgan_ucf101" in complaint(capsys, "--config", "tgan_ucf")
    assert "'no_key' is not accepted" in complaint(capsys, *good, "--game.no_key", 3)
    assert "--training.steps" in complaint(capsys, *good, "--training.stps", 3)
    assert "training.batch_size is 0" in complaint(capsys, *good, "--training.batch_size", 0)
    assert "num_frames is 5" in complaint(capsys, *good, "--game.num_frames", 5)
    assert "nowhere" in complaint(
        capsys, "--config", recipe, "--data.root", tmp_path / "nowhere", "--run", run
    )
    assert str(empty) in complaint(capsys, "--config", recipe, "--data.root", empty, "--run", run)
    assert "--run" in complaint(capsys, "--config", recipe, "--data.root", videos)
    assert "root" in complaint(capsys, "--config", recipe, "--run", run)
    assert "--game.num_classes 2" in complaint(capsys, *good, "--game.num_classes", 1)


def test_changed_settings_are_listed_and_refused(recipe, videos, tmp_path, capsys):
    good = ["--config", recipe, "--data.root", str(videos), "--run", str(tmp_path / "run")]
    main(good)
    changed = [*good, "--game.slow_dim", "7", "--training.seed", "3", "--training.steps", "9"]
    line = complaint(capsys, *changed)
    assert "game.init_args.slow_dim 100 -> 7" in line and "training.seed 0 -> 3" in line
    assert "steps" not in line
    films.write_film(videos / "red" / "more.mkv", [next(iter(films_frames()))] * 5, films.LOSSLESS)
    try:
        assert "the data itself" in complaint(capsys, *good, "--training.steps", "9")
        assert main([*good, "--training.steps", "5", "--allow_changes"]) == 0
    finally:
        (videos / "red" / "more.mkv").unlink()
    assert load_game(tmp_path / "run").step == 5


def films_frames():
    import numpy as np

    yield np.zeros((32, 32, 3), np.uint8)


def test_a_second_training_in_the_same_folder_is_refused(recipe, videos, tmp_path, capsys):
    from vidgen.commands.run_folder import RunFolder

    run = tmp_path / "run"
    with RunFolder(run):
        line = complaint(capsys, "--config", recipe, "--data.root", videos, "--run", run)
    assert "another training is running" in line


def test_a_dry_run_shows_layers_and_arithmetic_and_leaves_nothing(recipe, tmp_path, capsys):
    run = tmp_path / "run"
    main(["--config", recipe, "--data.root", "x", "--run", str(run), "--dry_run"])
    said = capsys.readouterr().out
    assert "critic_width: 4" in said and "size: 16" in said  # complete and filled in
    assert "generator.image.branches.0.0" in said
    assert "1 x critic, 1 x generator; 4 real examples" in said
    assert not run.exists()


def test_help_answers_without_torch():
    root = Path(__file__).parents[3]
    script = (
        "import sys; sys.argv = ['train.py', '--help']\n"
        "from vidgen.commands.train import main\n"
        "main(['--help']); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--training.steps (100000)" in done.stdout and "tgan_ucf101" in done.stdout
