import numpy as np
import pytest
import torch

from vidgen.trajectories.recurrent import RecurrentTrajectory


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize(
    ("input_dim", "frame_dim", "parameters"), [(10, 10, 660), (16, 10, 840), (16, 16, 1632)]
)
def test_parameters_are_those_of_the_sheet(input_dim, frame_dim, parameters):
    walk = RecurrentTrajectory(input_dim, frame_dim)
    assert sum(weight.numel() for weight in walk.parameters()) == parameters


def test_codes_follow_the_equations_of_a_gated_recurrent_unit():
    torch.manual_seed(0)
    walk = RecurrentTrajectory(3, 2)
    start, inputs = torch.randn(2, 2), torch.randn(2, 4, 3)
    weights = {name: weight.detach().numpy() for name, weight in walk.cell.named_parameters()}
    in_reset, in_update, in_new = np.split(weights["weight_ih"], 3)
    own_reset, own_update, own_new = np.split(weights["weight_hh"], 3)
    in_bias = np.split(weights["bias_ih"], 3)
    own_bias = np.split(weights["bias_hh"], 3)
    state, expected = start.numpy(), []
    for moment in inputs.numpy().swapaxes(0, 1):
        reset = sigmoid(moment @ in_reset.T + in_bias[0] + state @ own_reset.T + own_bias[0])
        update = sigmoid(moment @ in_update.T + in_bias[1] + state @ own_update.T + own_bias[1])
        new = np.tanh(moment @ in_new.T + in_bias[2] + reset * (state @ own_new.T + own_bias[2]))
        state = (1 - update) * new + update * state
        expected.append(state)
    codes = walk(start, inputs).detach().numpy()
    np.testing.assert_allclose(codes, np.stack(expected, axis=1), atol=1e-6)


def test_first_codes_of_a_long_walk_are_those_of_a_short_one():
    torch.manual_seed(0)
    walk = RecurrentTrajectory()
    start, inputs = torch.randn(3, 10), torch.randn(3, 48, 10)
    assert torch.equal(walk(start, inputs)[:, :16], walk(start, inputs[:, :16]))


def test_no_inputs_give_no_codes():
    walk = RecurrentTrajectory(3, 2)
    assert walk(torch.zeros(4, 2), torch.zeros(4, 0, 3)).shape == (4, 0, 2)


def test_codes_stay_in_float32_under_mixed_precision():
    torch.manual_seed(0)
    walk = RecurrentTrajectory()
    start, inputs = torch.randn(2, 10), torch.randn(2, 20, 10)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = walk(start, inputs)
    assert torch.equal(mixed, walk(start, inputs))
