"""A classifier learns what can be told apart, is tested on the rest, and can be loaded again."""

from __future__ import annotations

import pytest
import torch

from tests.vidgen.commands.judged_runs import shaded_films
from vidgen.errors import UserError
from vidgen.metrics.extractors.own import OwnClassifier, read_config

SMALL = ["--num_frames=4", "--size=16", "--width=2", "--batch_size=4", "--learning_rate=0.01"]


def test_dark_and_bright_films_are_told_apart(tmp_path, vidgen):
    shaded_films(tmp_path / "films")
    out = tmp_path / "shades.safetensors"
    result = vidgen(
        "fit_classifier", f"--data.root={tmp_path / 'films'}", f"--out={out}", *SMALL, "--steps=25"
    )
    assert result.code == 0, result.error
    assert result.lines[-1].endswith(
        "8 training videos; 100.0% of 10 clips of 2 held-out videos are right"
    )
    classifier = OwnClassifier(out)
    assert classifier.config.classes == ["Bright", "Dark"]
    assert classifier.config.accuracy == 1 and classifier.name == "shades"
    assert not classifier.literature
    clips = torch.stack([torch.full((3, 6, 20, 20), level) for level in (-0.7, 0.6)])
    assert classifier(clips).logits.argmax(dim=1).tolist() == [1, 0]


def test_equal_seeds_give_equal_weights_and_leave_torchs_generator_alone(tmp_path, vidgen):
    shaded_films(tmp_path / "films", 4)
    before = torch.get_rng_state()
    files = [tmp_path / f"{name}.safetensors" for name in "abc"]
    for file, seed in zip(files, (0, 0, 1), strict=True):
        arguments = [f"--data.root={tmp_path / 'films'}", f"--out={file}", f"--seed={seed}"]
        assert vidgen("fit_classifier", *arguments, *SMALL, "--steps=1", "--name=x").code == 0
    assert torch.equal(torch.get_rng_state(), before)
    same, again, other = (file.read_bytes() for file in files)
    assert same == again != other


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--out=small.pt"], "give a name that ends in .safetensors"),
        (["--out=small.safetensors", "--data.classes=[Dark]"], "has 1 classes; a classifier needs"),
        (["--out=small.safetensors", "--steps=0"], "--steps 0 is outside"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path, vidgen, arguments, complaint):
    shaded_films(tmp_path / "films", 2)
    result = vidgen("fit_classifier", f"--data.root={tmp_path / 'films'}", *arguments)
    assert result.code == 2 and complaint in result.error.splitlines()[-1]


def test_another_safetensors_file_is_no_classifier(tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"is not a classifier of clips; make one with"):
        read_config(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("none")
    with pytest.raises(UserError, match="cannot be read"):
        read_config(tmp_path / "text.safetensors")
