"""Neural differential equations against equations whose solutions are known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from vidgen.errors import UserError
from vidgen.trajectories.differential import NeuralODE, NeuralSDE, finer_times
from vidgen.trajectories.fields import InitialState
from vidgen.trajectories.settings import DifferentialSettings, PublishedEquation, named_equation

FRAMES = 16
TGAN_EQUATION = PublishedEquation("single_layer", 978, embedding=(512, 512, 512), glorot=True)


class Constant(nn.Module):
    def __init__(self, value: float | Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, state: Tensor) -> Tensor:
        return torch.zeros_like(state) + self.value


class Given(InitialState):
    """A latent of order · dim numbers is the state, highest derivative first."""

    def __init__(self, order: int, dim: int) -> None:
        nn.Module.__init__(self)
        self.order, self.state_shape = order, (dim,)

    def forward(self, latent: Tensor) -> Tensor:
        return latent.unflatten(1, (self.order, *self.state_shape))


def linear(matrix: Tensor) -> nn.Module:
    layer = nn.Linear(len(matrix), len(matrix), bias=False, dtype=matrix.dtype)
    layer.weight.data.copy_(matrix)
    return layer


def equation(drift: nn.Module, order: int = 1, dim: int = 3, **options) -> NeuralODE:
    return NeuralODE(Given(order, dim), drift, FRAMES, **options)


def test_without_change_all_frames_are_the_initial_state():
    latent = torch.randn(2, 3)
    states = equation(Constant(0.0))(latent)
    assert torch.equal(states, latent.unsqueeze(1).expand(2, FRAMES, 3))


def test_a_constant_change_adds_up_to_itself_over_the_trained_clip():
    """Also tells time from batch: the batch is as long as the clip."""
    change = torch.tensor([1.0, -2.0, 0.5])
    latent = torch.randn(FRAMES, 3)
    states = equation(Constant(change))(latent)
    time = torch.arange(FRAMES).view(1, FRAMES, 1) / 15
    torch.testing.assert_close(states, latent.unsqueeze(1) + change * time)


@pytest.fixture
def matrix() -> Tensor:
    torch.manual_seed(0)
    matrix = torch.randn(3, 3, dtype=torch.float64)
    return matrix / torch.linalg.matrix_norm(matrix, 2)


def exact(matrix: Tensor, start: Tensor, times: list[float]) -> Tensor:
    """exp(A t) z, batch by time."""
    return torch.stack([start @ torch.matrix_exp(matrix * t).T for t in times], dim=1)


def test_a_linear_equation_is_the_matrix_exponential(matrix):
    start = torch.randn(2, 3, dtype=torch.float64)
    expected = exact(matrix, start, [k / 15 for k in range(FRAMES)])
    assert (equation(linear(matrix))(start) - expected).abs().max() < 1e-6


def test_half_the_step_has_a_sixteenth_of_the_error(matrix):
    start = torch.randn(2, 3, dtype=torch.float64)
    expected = exact(3 * matrix, start, [1.0])
    errors = [
        (equation(linear(3 * matrix), steps_per_frame=n).at(start, [15]) - expected).abs().max()
        for n in (1, 2, 4)
    ]
    assert 14 < errors[0] / errors[1] < 18
    assert 14 < errors[1] / errors[2] < 18


def test_any_times_in_any_order_are_as_exact_as_the_frames(matrix):
    start = torch.randn(2, 3, dtype=torch.float64)
    times = [20.25, -3.5, 0.0, 7.75, -1.0, 15.0, 0.1, -0.1, 7.75]
    states = equation(linear(matrix)).at(start, times)
    expected = exact(matrix, start, [time / 15 for time in times])
    torch.testing.assert_close(states, expected, rtol=0, atol=1e-6)
    assert torch.equal(states[:, 3], states[:, 8])


def test_minus_y_decays():
    decay = linear(-torch.eye(1, dtype=torch.float64))
    states = equation(decay, dim=1)(torch.ones(1, 1, dtype=torch.float64))
    expected = [math.exp(-k / 15) for k in range(FRAMES)]
    torch.testing.assert_close(states[0, :, 0].tolist(), expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("drive", ["position", "top"])
@pytest.mark.parametrize("order", [2, 3])
def test_a_constant_highest_derivative_gives_the_polynomial(order, drive):
    """Runge-Kutta of order 4 is exact for them: components move together, not one by one."""
    torch.manual_seed(1)
    start = torch.randn(2, order * 3, dtype=torch.float64)
    highest = torch.tensor([2.0, -1.0, 6.0], dtype=torch.float64)
    times = [0, 1, 4.5, 15, 30, -6]
    states = equation(Constant(highest), order, drive=drive).at(start, times)
    *derivatives, position = start.unflatten(1, (order, 3)).unbind(dim=1)  # highest first
    for place, time in enumerate(times):
        t = time / 15
        expected = position + highest * t**order / math.factorial(order)
        for power, value in enumerate(reversed(derivatives), start=1):
            expected = expected + value * t**power / math.factorial(power)
        torch.testing.assert_close(states[:, place], expected)


def test_the_position_driven_equation_of_order_2_swings_and_the_top_driven_one_runs_away():
    """z'' = −ω² z is a harmonic oscillator; v' = −ω² v is a decay of the velocity alone."""
    omega = 3.0
    spring = linear(-(omega**2) * torch.eye(1, dtype=torch.float64))
    velocity, position = 0.7, 0.4
    start = torch.tensor([[velocity, position]], dtype=torch.float64)
    times = [15 * t for t in (0.0, 0.2, 0.8, 1.0, -0.5)]
    swinging = equation(spring, 2, 1, drive="position", steps_per_frame=4).at(start, times)
    decaying = equation(spring, 2, 1, drive="top", steps_per_frame=4).at(start, times)
    for place, time in enumerate(times):
        t = time / 15
        swing = position * math.cos(omega * t) + velocity / omega * math.sin(omega * t)
        decay = position + velocity / omega**2 * (1 - math.exp(-(omega**2) * t))
        assert swinging[0, place, 0].item() == pytest.approx(swing, abs=1e-5)
        assert decaying[0, place, 0].item() == pytest.approx(decay, rel=1e-3)


def fresh(name: str, **options) -> NeuralODE | NeuralSDE:
    torch.manual_seed(0)
    published = PublishedEquation("single_layer", 9, embedding=(7,), glorot=True)
    return named_equation(name).build(published, 5, (4,), FRAMES, **options)


@pytest.mark.parametrize("name", ["ode1", "ode2", "ode3"])
def test_forward_and_back_returns_to_the_start(name):
    """The last state of one clip starts another that goes back in time."""
    trajectory = fresh(name).double()
    start = trajectory.initial(torch.rand(6, 5, dtype=torch.float64))
    trajectory.initial = Given(start.shape[1], 4)

    def all_components(state: Tensor, node: int) -> Tensor:
        return trajectory._walk(state, [node], None)[:, 0]

    back = all_components(all_components(start, 15), -15)
    assert (all_components(start, 15) - start).abs().max() > 0.01
    assert ((back - start).abs().max() / start.abs().max()).item() < 1e-6


@pytest.mark.parametrize("factor", [1, 2, 5])
@pytest.mark.parametrize("name", ["ode1", "ode3", "sde"])
def test_a_higher_rate_keeps_every_frame_bit_for_bit_and_longer_clips_go_on(name, factor):
    trajectory = fresh(name)
    latent, seeds = torch.rand(3, 5), torch.tensor([4, 5, 6])
    frames = trajectory(latent, path_seeds=seeds)
    finer = trajectory.at(latent, finer_times(FRAMES, factor), seeds)
    assert finer.shape == (3, 15 * factor + 1, 4)
    assert torch.equal(finer[:, ::factor], frames)
    assert torch.equal(trajectory(latent, 40, seeds)[:, :FRAMES], frames)
    assert torch.equal(trajectory(latent, 3, seeds), frames[:, :3])
    backwards = trajectory.at(latent, list(range(15, -1, -1)), seeds)
    assert torch.equal(backwards.flip(1), frames)


@pytest.mark.parametrize("name", ["ode1", "ode2", "sde"])
def test_the_gradient_of_the_last_frame_is_that_of_finite_differences(name):
    trajectory = fresh(name).double()
    latent = torch.rand(1, 5, dtype=torch.float64, requires_grad=True)
    seeds = torch.tensor([1])

    def last(latent: Tensor) -> Tensor:
        return trajectory.at(latent, [15, 3.5], seeds)

    assert torch.autograd.gradcheck(last, (latent,))
    last(latent).sum().backward()
    assert latent.grad is not None
    assert latent.grad.abs().min() > 0
    for weight_name, weight in trajectory.named_parameters():
        assert weight.grad is not None, weight_name


def test_half_precision_around_it_does_not_reach_the_equation():
    trajectory = fresh("ode1")
    latent = torch.rand(2, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(trajectory(latent), fresh("ode1")(latent))
        assert trajectory(latent).dtype == torch.float32


@pytest.mark.parametrize("time", [math.nan, math.inf])
def test_a_time_that_is_no_number_is_refused(time):
    with pytest.raises(UserError, match="finite"):
        equation(Constant(0.0)).at(torch.zeros(1, 3), [0, time])


def test_one_frame_is_the_initial_state():
    trajectory = NeuralODE(Given(1, 3), Constant(1.0), 1)
    latent = torch.randn(2, 3)
    assert torch.equal(trajectory(latent)[:, 0], latent)
    with pytest.raises(ValueError, match="num_frames is 0"):
        NeuralODE(Given(1, 3), Constant(1.0), 0)


def test_states_of_feature_maps_have_the_interface_of_a_convolutional_trajectory():
    torch.manual_seed(0)
    settings = DifferentialSettings(order=2)
    published = PublishedEquation("convolutional", 0, glorot=True)
    trajectory = settings.build(published, 6, (4, 3, 3), 8)
    maps = trajectory(torch.randn(2, 6), 5)
    assert maps.shape == (2, 5, 4, 3, 3)
    assert not torch.allclose(maps[:, 0], maps[:, 4])
    first = settings.build(published, 6, (4, 3, 3), 8).initial(torch.ones(1, 6))
    assert first.shape == (1, 2, 4, 3, 3)


def test_initial_state_is_the_embedded_latent_and_frame_0():
    trajectory = fresh("ode1")
    assert isinstance(trajectory.initial, InitialState)
    latent = torch.rand(2, 5)
    torch.testing.assert_close(trajectory(latent)[:, 0], trajectory.initial.embedding(latent))


def test_finer_times_are_parts_of_frames_up_to_the_last_one():
    assert finer_times(3, 2) == [0, 0.5, 1, 1.5, 2]
    with pytest.raises(ValueError, match="factor is 0"):
        finer_times(3, 0)
