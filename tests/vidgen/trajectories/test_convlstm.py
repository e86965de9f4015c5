"""The ConvLSTM against a plain loop that really convolves its zero inputs and zero first state."""

import math

import pytest
import torch
from torch.nn.functional import conv2d

from vidgen.trajectories.convlstm import ConvLSTM


def make_trajectory(channels=5, size=2):
    torch.manual_seed(0)
    return ConvLSTM(latent_dim=3, channels=channels, size=size)


def plain_loop(trajectory, latent, num_frames):
    """Equations of an LSTM without peepholes; gates in the order input, forget, output, new."""
    weights = dict(trajectory.named_parameters())
    inputs = latent @ weights["start.weight"].T + weights["start.bias"]
    inputs = inputs.view(len(latent), *trajectory.map_shape)
    hidden = cell = torch.zeros_like(inputs)
    maps = []
    for _ in range(num_frames):
        gates = conv2d(inputs, weights["from_input.weight"], weights["from_input.bias"], padding=1)
        gates = gates + conv2d(hidden, weights["from_state.weight"], padding=1)
        i, f, o, g = gates.split(trajectory.map_shape[0], dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        hidden = torch.sigmoid(o) * torch.tanh(cell)
        maps.append(hidden)
        inputs = torch.zeros_like(inputs)
    return torch.stack(maps, dim=1)


def test_it_walks_as_a_plain_loop_does():
    trajectory, latent = make_trajectory(), torch.randn(2, 3)
    torch.nn.init.normal_(trajectory.from_input.bias)  # its start, 0, would hide a lost bias
    torch.nn.init.normal_(trajectory.start.bias)
    maps = trajectory(latent, 4)
    assert maps.shape == (2, 4, 5, 2, 2)
    torch.testing.assert_close(maps, plain_loop(trajectory, latent, 4), rtol=1e-5, atol=1e-6)


def test_the_first_maps_of_a_long_walk_are_those_of_a_short_one():
    trajectory, latent = make_trajectory(), torch.randn(2, 3)
    assert torch.equal(trajectory(latent, 7)[:, :3], trajectory(latent, 3))


def test_it_has_the_articles_parameters():
    with torch.device("meta"):
        trajectory = ConvLSTM()
    counts = {name: part for name, part in trajectory.named_children()}
    assert sum(weight.numel() for weight in counts["start"].parameters()) == 2_368_512
    assert sum(weight.numel() for weight in trajectory.parameters()) == 2_368_512 + 75_501_568


def test_weights_start_normal_by_their_fan_in_and_biases_at_zero():
    trajectory = make_trajectory(channels=32, size=4)
    for name, weight in trajectory.named_parameters():
        if name.endswith("bias"):
            assert not weight.any(), name
        else:
            expected = 1 / math.sqrt(weight[0].numel())
            assert abs(weight.std().item() / expected - 1) < 0.05, name


@pytest.mark.parametrize("forget_bias", [0.0, 3.0])
def test_a_cell_alone_keeps_the_forget_gates_share_of_itself_each_frame(forget_bias):
    torch.manual_seed(0)
    trajectory, latent = ConvLSTM(3, 5, 2, forget_bias), torch.randn(2, 3)
    torch.nn.init.zeros_(trajectory.from_state.weight)
    first, *later = trajectory(latent, 6).unbind(1)
    # The output gate of a lone cell is open by half.
    gates = conv2d(trajectory.start(latent).view(2, 5, 2, 2), trajectory.from_input.weight,
                   trajectory.from_input.bias, padding=1)  # fmt: skip
    cell = gates[:, :5].sigmoid() * gates[:, 15:].tanh()
    torch.testing.assert_close(first, gates[:, 10:15].sigmoid() * cell.tanh())
    share = 1 / (1 + math.exp(-forget_bias))
    for frame, maps in enumerate(later, start=1):
        torch.testing.assert_close(maps, 0.5 * (share**frame * cell).tanh(), rtol=1e-4, atol=1e-6)


def test_at_the_published_start_late_frames_hardly_know_of_the_latent_unless_cells_keep_it():
    left = {}
    for forget_bias in (0.0, 3.0):
        torch.manual_seed(0)
        maps = ConvLSTM(16, 64, 1, forget_bias)(torch.rand(32, 16) * 2 - 1, 16)
        spread = maps.std(0).mean((1, 2, 3))
        left[forget_bias] = (spread[15] / spread[0]).item()
    assert 0 < left[0.0] < 1e-3
    assert left[3.0] > 0.3


def test_its_state_stays_exact_in_mixed_precision():
    trajectory, latent = make_trajectory(), torch.randn(2, 3)
    exact = trajectory(latent, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = trajectory(latent, 16)
    assert mixed.dtype == torch.float32
    assert not torch.equal(mixed, exact)
    torch.testing.assert_close(mixed, exact, rtol=0, atol=5e-3)
