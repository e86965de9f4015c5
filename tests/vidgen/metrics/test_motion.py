"""Motion, freezing and flicker of clips whose motion is known."""

from __future__ import annotations

import pytest
import torch

from vidgen.metrics.motion import flicker_rate, frame_differences, freeze_rate


def shades(*levels):
    """One clip of one-shade frames, by their levels of 255."""
    values = torch.tensor(levels, dtype=torch.float64) / 127.5 - 1
    return values.view(1, 1, -1, 1, 1).expand(-1, 3, -1, 4, 5)


def test_changes_are_in_levels():
    changes = frame_differences(shades(0, 10, 7, 7))
    torch.testing.assert_close(changes, torch.tensor([[10.0, 3.0, 0.0]]).double())
    with pytest.raises(ValueError, match="one frame"):
        frame_differences(shades(3))


def test_frozen_changes_are_those_nobody_sees():
    assert freeze_rate(shades(0, 0.4, 0.8, 9, 9)).item() == 0.75
    assert freeze_rate(shades(0, 0.4, 0.8, 9, 9), below=0.1).item() == 0.25


def test_even_change_does_not_flicker_and_alternation_does():
    assert flicker_rate(shades(0, 5, 10, 15)).item() == pytest.approx(0, abs=1e-12)
    assert flicker_rate(shades(0, 50, 0, 50, 0)).item() == pytest.approx(1)
    assert flicker_rate(shades(9, 9, 9)).item() == 0
    with pytest.raises(ValueError, match="fewer than three frames"):
        flicker_rate(shades(0, 1))


def test_noise_flickers_by_half_the_root_of_three():
    noise = torch.randn(1, 3, 40, 16, 16, generator=torch.Generator().manual_seed(0))
    assert flicker_rate(noise).item() == pytest.approx(3**0.5 / 2, rel=0.01)
