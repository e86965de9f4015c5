"""Metrics during a training: their values, their bests, and that they change nothing."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from tests.vidgen.commands.judged_runs import save_small_classifier, shaded_films
from vidgen.adversarial.checkpoints import find_checkpoint, load_game
from vidgen.commands.running import run_command
from vidgen.commands.train import main
from vidgen.metrics.motion import frame_differences

TINY = """
game:
  class_path: vidgen.TGAN
  init_args:
    {num_frames: 4, frame_size: 16, temporal_width: 16, image_width: 16, critic_width: 4}
data:
  class_path: data.VideoClips
training:
  {steps: 4, batch_size: 4, save_every: 3, sample_every: 0, log_every: 1, num_workers: 0, keep: 9,
   evaluate_samples: 4, accelerator: cpu}
"""
EVERY = ["--training.evaluate_every=2", "--training.evaluate=change,acd,swd,fid"]


@pytest.fixture
def train(tmp_path, capsys):
    """Runs train.py on films of noise: exit code, stdout, stderr."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    shaded_films(tmp_path / "videos", 6)
    save_small_classifier(tmp_path / "small.safetensors")

    def run(name, *options):
        arguments = ["--config", str(tmp_path / "tiny.yaml"), f"--run={tmp_path / name}"]
        arguments += [f"--data.root={tmp_path / 'videos'}", *options]
        return run_command("train.py", main, arguments), *capsys.readouterr()

    return run


def scores(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line for line in lines if any("metrics/" in name for name in line)}


def weights(run, name="latest"):
    return load_file(find_checkpoint(run, name) / "model.safetensors")


def test_a_training_is_the_same_bit_for_bit_judged_or_not_and_resumed(train, tmp_path):
    extractor = f"--training.extractor={tmp_path / 'small.safetensors'}"
    assert train("plain")[0] == 0
    code, _, error = train("judged", *EVERY, extractor)
    assert code == 0, error
    assert train("parts", *EVERY, extractor, "--training.steps=3")[0] == 0
    assert train("parts", *EVERY, extractor)[0] == 0
    for name, value in weights(tmp_path / "plain").items():
        assert torch.equal(value, weights(tmp_path / "judged")[name]), name
        assert torch.equal(value, weights(tmp_path / "parts")[name]), name
    whole = scores(tmp_path / "judged")
    assert list(whole) == [2, 4] and whole == scores(tmp_path / "parts")
    names = {"step", "metrics/change", "metrics/acd", "metrics/swd", "metrics/fid"}
    assert whole[2].keys() == names
    game = load_game(tmp_path / "judged", "step-2").game
    change = float(frame_differences(game.sample(range(4))).mean())
    assert whole[2]["metrics/change"] == pytest.approx(change, rel=1e-5)
    for name in ("acd", "swd", "fid"):
        better = min(whole, key=lambda step: (whole[step][f"metrics/{name}"], step))
        for run in ("judged", "parts"):
            assert find_checkpoint(tmp_path / run, f"best-{name}").name == f"step-{better:09d}"
    assert not (tmp_path / "judged/checkpoints/best-change").exists()
    (tmp_path / "parts/checkpoints/best-fid").unlink()  # killed right before it was written
    assert train("parts", *EVERY, extractor)[0] == 0
    assert find_checkpoint(tmp_path / "parts", "best-fid").name == "step-000000004"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--training.evaluate=fid"], "fid needs a network: give --training.extractor FILE"),
        (["--training.evaluate=psnr"], "psnr: this one is for evaluate.py"),
        (["--training.evaluate=beauty"], "--training.evaluate beauty: 'beauty' is none of is"),
        (["--training.evaluate=flicker", "--game.num_frames=2"], "fewer than three frames"),
    ],
)
def test_what_cannot_be_judged_is_said_before_the_training(train, tmp_path, options, complaint):
    code, _, error = train("run", "--training.evaluate_every=2", *options)
    assert code == 2 and complaint in error
    assert not (tmp_path / "run/log.jsonl").exists()
