"""What patches of frames and of space-time slices hold."""

from __future__ import annotations

import pytest
import torch

from vidgen.commands.clip_sets import NumberedClips
from vidgen.commands.measures import Patches


def patches(clips, slices):
    return Patches(slices)(NumberedClips(clips, torch.zeros(len(clips)).long()))


def test_motion_is_what_changes_in_a_slice_and_not_the_ground():
    ground = torch.rand(3, 3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    still = ground.expand(-1, -1, 16, -1, -1)
    assert not patches(still, slices=True)["level0"].any()
    assert patches(still, slices=False)["level0"].std() > 0.1
    times = torch.arange(16.0).view(1, 1, -1, 1, 1)
    brighter = patches(still + 0.25 * times, slices=True)
    assert list(brighter) == ["level0"] and brighter["level0"].shape == (3, 32, 3, 7, 7)
    torch.testing.assert_close(brighter["level0"], torch.full((3, 32, 3, 7, 7), 0.25))


def test_a_long_clip_has_changes_at_two_scales():
    times = torch.arange(32.0).view(1, 1, -1, 1, 1)
    levels = patches((0.5 * times).expand(2, 3, 32, 64, 64), slices=True)
    assert list(levels) == ["level0", "level1"]
    # The finer level holds what the coarser cannot: at even change nothing, but at the borders.
    assert levels["level0"].abs().median() < 1e-5
    assert float(levels["level1"].median()) == pytest.approx(1), "two frames further on"


def test_a_clip_of_seven_frames_has_too_few_changes_for_a_patch():
    with pytest.raises(ValueError, match="6 x 16 hold no patch of 7 x 7"):
        patches(torch.zeros(2, 3, 7, 16, 16), slices=True)
