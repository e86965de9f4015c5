from __future__ import annotations

import math

import torch

from voxel.latent_lines import great_arc, straight_line


def test_a_line_has_its_ends_and_equal_steps():
    way = straight_line(torch.tensor([0.0, 4.0]), torch.tensor([1.0, 2.0]), 3)
    assert way.tolist() == [[0, 4], [0.5, 3], [1, 2]]


def test_an_arc_keeps_the_length_and_has_equal_angles():
    way = great_arc(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 4)
    angles = torch.tensor([0, math.pi / 6, math.pi / 3, math.pi / 2])
    expected = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)
    assert torch.allclose(way, expected, atol=1e-6)


def test_an_arc_between_parallel_latents_is_a_line():
    start = torch.tensor([1.0, 1.0])
    for end in (3 * start, -start, 0 * start):
        assert torch.equal(great_arc(start, end, 5), straight_line(start, end, 5))
