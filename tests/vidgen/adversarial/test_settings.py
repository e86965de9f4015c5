"""The settings of every training."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from vidgen.adversarial.settings import FREE_TO_CHANGE, TrainingSettings


@pytest.mark.parametrize(
    ("wrong", "least"),
    [
        ({"batch_size": 0}, 1),
        ({"accumulate": 0}, 1),
        ({"save_every": 0}, 1),
        ({"keep": 0}, 1),
        ({"log_every": -1}, 1),
        ({"steps": -1}, 0),
        ({"sample_every": -1}, 0),
        ({"num_samples": -1}, 0),
        ({"num_workers": -2}, 0),
        ({"evaluate_every": -1}, 0),
        ({"evaluate_samples": 1}, 2),
    ],
)
def test_numbers_below_their_least_are_refused(wrong: dict[str, Any], least: int):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf"training\.{name} is {value}; it must be {least}"):
        TrainingSettings(**wrong)
    TrainingSettings(**{name: least})


def test_a_batch_that_cannot_be_cut_into_equal_parts_is_refused():
    with pytest.raises(ValueError, match=r"batch_size 10 cannot be cut into .*accumulate 4"):
        TrainingSettings(batch_size=10, accumulate=4)
    TrainingSettings(batch_size=12, accumulate=4)


def test_every_setting_is_explained_and_what_is_free_to_change_is_a_setting():
    names = {field.name for field in fields(TrainingSettings)}
    explained = set(re.findall(r"^ {8}(\w+): ", TrainingSettings.__doc__ or "", re.M))
    assert explained == names
    assert names > FREE_TO_CHANGE
    assert not FREE_TO_CHANGE & {"batch_size", "accumulate", "seed", "average", "precision"}
