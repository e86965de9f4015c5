"""Shapes whose outline from each side is known."""

from __future__ import annotations

import pytest
import torch

from voxel.previews import turntable


def outline(picture: torch.Tensor) -> list[int]:
    """Top, bottom, left and right of what is not white."""
    rows, columns = (picture < 255).nonzero(as_tuple=True)
    return [rows.min().item(), rows.max().item(), columns.min().item(), columns.max().item()]


def box(x: slice, y: slice, z: slice, side: int = 32) -> torch.Tensor:
    volume = torch.zeros(1, 1, side, side, side)
    volume[0, 0, x, y, z] = 1.0
    return volume


def test_an_upright_bar_stands_in_the_middle_of_every_view():
    everything = slice(None)
    frames = turntable(
        box(slice(14, 18), slice(14, 18), everything), num_frames=4, elevation=0.0, size=61
    )
    # The picture shows [-1.5, 1.5]: the cube's 2 are 40 of its 60 steps.
    for frame in frames[0, 0]:
        assert outline(frame) == pytest.approx([10, 50, 28, 32], abs=1)


def test_up_is_the_last_axis():
    frames = turntable(
        box(slice(None), slice(None), slice(24, 32)), num_frames=2, elevation=0.0, size=61
    )
    assert outline(frames[0, 0, 0]) == pytest.approx([10, 20, 10, 50], abs=1)


def test_what_is_right_at_first_is_left_after_half_a_turn():
    volume = box(slice(24, 32), slice(12, 20), slice(12, 20))
    frames = turntable(volume, num_frames=4, elevation=0.0, size=61)[0, 0]
    assert outline(frames[0])[2:] == pytest.approx([40, 50], abs=1)
    assert outline(frames[2])[2:] == pytest.approx([10, 20], abs=1)
    assert outline(frames[1])[2:] == pytest.approx([25, 35], abs=1)


def test_the_nearer_thing_is_seen_and_the_upper_side_is_the_brighter():
    frame = turntable(
        box(slice(4, 28), slice(4, 28), slice(4, 28)), num_frames=1, elevation=30.0, size=61
    )[0, 0, 0]
    top, bottom, left, right = outline(frame)
    middle = (left + right) // 2
    assert frame[top + 5, middle] > frame[bottom - 5, middle] + 20


def test_an_empty_volume_is_white_and_a_faint_one_too():
    assert (turntable(torch.full((2, 1, 8, 8, 8), 0.49)) == 255).all()
    assert (turntable(torch.full((1, 1, 8, 8, 8), 0.5)) < 255).any()
