"""The README's commands work as printed, one after the other, in a folder with small videos."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

from data.__main__ import main as data_command
from data.solids import write_solids
from tests.data import camera, films
from tests.recipes import tiny_game, ucf_tree
from vidgen.__main__ import main as vidgen_command
from vidgen.commands.configuration import recipes
from vidgen.commands.evaluate import main as evaluate_clips
from vidgen.commands.run_kind import makes_shapes
from vidgen.commands.train import main as train_command
from voxel.__main__ import main as voxel_command
from voxel.commands.evaluate import main as evaluate_shapes


def evaluate_command(arguments: list[str]) -> None:
    """As evaluate.py does."""
    (evaluate_shapes if makes_shapes(arguments) else evaluate_clips)(arguments)


ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "python train.py": train_command,
    "python evaluate.py": evaluate_command,
    "python -m vidgen": vidgen_command,
    "python -m data": data_command,
    "python -m voxel": voxel_command,
}
THRESHOLDED = ("generate", "interpolate", "arithmetic", "dimensions", "reconstruct")
FEW_STEPS = ["--training.steps=2", "--training.batch_size=4", "--training.num_workers=0"]


def printed_commands() -> list[str]:
    """Lines of the README's code blocks, without their remarks."""
    blocks = re.findall(r"^```\n(.*?)^```", README, re.S | re.M)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def test_the_commands_of_the_readme_work_as_printed(tmp_path, monkeypatch):
    for folder in ("weizmann/videos", "videos"):
        ucf_tree(tmp_path / folder)
    (tmp_path / "shaken").mkdir()
    views = camera.shaken_views(20, "similarity")
    films.write_film(tmp_path / "shaken/street.mkv", [camera.frame(view) for view in views])
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "photo.jpg")
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 40), "teal").save(tmp_path / "photos/box.png")
    write_solids(tmp_path / "meshes", 5)
    write_volumes(tmp_path / "volumetric_data")
    monkeypatch.chdir(tmp_path)
    done = 0
    for line in printed_commands():
        for program, run in PROGRAMS.items():
            if line.startswith(program):
                arguments = shlex.split(line.removeprefix(program))
                if run is train_command:
                    recipe = recipes()[arguments[arguments.index("--config") + 1]]
                    arguments += [*FEW_STEPS, *tiny_game(recipe.read_text())]
                if " finetune " in line:
                    arguments += ["--steps=1", "--seeds=1", "--clips=1"]
                if " fit_classifier " in line:
                    arguments += ["--steps=1", "--num_frames=4", "--size=16", "--width=1"]
                if run is voxel_command and arguments[0] in THRESHOLDED:
                    # Of two steps' shapes some are empty at one half.
                    arguments += ["--threshold=0.01"]
                if run is evaluate_command and "--compare" not in arguments:
                    arguments += ["--samples=4"]
                assert run(arguments) in (0, None), line
                done += 1
    assert done >= 6
    assert (tmp_path / "runs/weizmann/mp4/grid.mp4").stat().st_size > 0
    assert (tmp_path / "store/index.json").exists()
    assert (tmp_path / "voxels/volumes.bits").stat().st_size == 4 * 5 * 64**3 // 8
    for made in ("near/neighbours.png", "neurons/neurons.png", "accuracy/accuracy.png"):
        assert (tmp_path / made).stat().st_size > 0
    assert (tmp_path / "steady/street.mp4").stat().st_size > 0
    assert (tmp_path / "runs/vgan_train/finetune/accuracy.png").stat().st_size > 0
    assert (tmp_path / "runs/weizmann/metrics/fid.jsonl").stat().st_size > 0


def write_volumes(folder: Path) -> None:
    """Five boxes as 3D ShapeNets' volumes of 30 cells a side."""
    home = folder / "chair" / "30" / "train"
    home.mkdir(parents=True)
    for number in range(5):
        volume = np.zeros((30, 30, 30), np.uint8)
        volume[3 : 10 + number, 3:20, 3:27] = 1
        scipy.io.savemat(home / f"chair_{number:09d}_1.mat", {"instance": volume})


def test_every_command_of_the_readme_is_known():
    targets = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.M))
    for line in printed_commands():
        program, _, target = line.partition(" ")
        known = program == "make" and target in targets
        assert known or any(line.startswith(name) for name in PROGRAMS), line


def test_the_files_that_the_readme_links_to_exist():
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_the_readme_names_every_recipe():
    from vidgen.commands.configuration import recipe_names

    for name in recipe_names():
        assert f"`{name}`" in README, name
