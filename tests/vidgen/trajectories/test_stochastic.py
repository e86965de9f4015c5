"""Stochastic equations and the paths that drive them."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from vidgen.adversarial.latents import SeedRandomness, StepRandomness
from vidgen.errors import UserError
from vidgen.trajectories.brownian import BrownianPath, path_seeds
from vidgen.trajectories.differential import NeuralSDE
from vidgen.trajectories.fields import InitialState
from vidgen.trajectories.settings import PublishedEquation, named_equation
from vidgen.trajectories.solvers import stochastic_states

FRAMES = 16


class Constant(nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, state: Tensor) -> Tensor:
        return torch.full_like(state, self.value)


class Times(Constant):
    def forward(self, state: Tensor) -> Tensor:
        return self.value * state


class Given(InitialState):
    def __init__(self, dim: int) -> None:
        nn.Module.__init__(self)
        self.state_shape = (dim,)

    def forward(self, latent: Tensor) -> Tensor:
        return latent.unsqueeze(1)


def equation(drift: nn.Module, diffusion: nn.Module, dim: int = 3, **options) -> NeuralSDE:
    return NeuralSDE(Given(dim), drift, diffusion, FRAMES, **options)


def brownian(seeds: list[int], size: int = 2) -> BrownianPath:
    return BrownianPath(seeds, size, torch.zeros(0, dtype=torch.float64))


def test_without_noise_it_is_euler_s_method():
    latent = torch.ones(1, 1, dtype=torch.float64)
    states = equation(Times(-0.8), Constant(0.0), 1)(latent, path_seeds=torch.tensor([0]))
    expected = [(1 - 0.8 / 45) ** (3 * frame) for frame in range(FRAMES)]
    torch.testing.assert_close(states[0, :, 0].tolist(), expected)


def test_steps_stay_within_the_published_length():
    assert equation(Constant(0.0), Constant(0.0)).steps_per_frame == 3
    short = NeuralSDE(Given(1), Constant(0.0), Constant(0.0), 41)
    assert (short.steps_per_frame, short.step) == (1, 0.025)


def test_pure_noise_has_variance_t_independent_by_sample_and_feature():
    trajectory = equation(Constant(0.0), Constant(1.0), dim=40)
    start = torch.zeros(100, 40)
    states = trajectory.at(start, [0, 2.5, 7, 15, 22.75], torch.arange(100))
    assert torch.equal(states[:, 0], start)
    for place, t in enumerate([0, 2.5 / 15, 7 / 15, 1, 22.75 / 15]):
        values = states[:, place].flatten()  # 4,000 numbers: deviation 2.2 % of the variance
        assert values.var().item() == pytest.approx(t, rel=0.1)
        assert abs(values.mean().item()) <= 4 * math.sqrt(t / 4000)
    # Independent increments: the covariance of two times is the earlier time.
    covariance = (states[:, 2] * states[:, 3]).mean().item()
    assert covariance == pytest.approx(7 / 15, abs=0.06)
    correlation = torch.corrcoef(states[:, 3].T) - torch.eye(40)
    assert correlation.abs().max() < 0.5
    assert torch.corrcoef(states[:, 3]).fill_diagonal_(0).abs().max() < 0.75


def test_geometric_brownian_motion_has_its_moments():
    """dz = μ z dt + σ z dW in Itô's sense: mean exp(μ), not exp(μ + σ²/2)."""
    trajectory = equation(Times(0.5), Times(0.6), dim=300)
    states = trajectory.at(torch.ones(60, 300), [15], torch.arange(60))
    assert states.mean().item() == pytest.approx(math.exp(0.5), rel=0.03)
    second = math.exp(2 * 0.5 + 0.36)
    assert states.square().mean().item() == pytest.approx(second, rel=0.1)


def test_finer_steps_on_the_same_path_come_nearer_to_the_exact_solution():
    """z = exp((μ − σ²/2) t + σ W(t)) is known path by path."""
    path = brownian(list(range(200)), 1)
    start = torch.ones(200, 1, dtype=torch.float64)
    steps, mu, sigma = 4, 0.3, 0.8
    exact = torch.exp((mu - sigma**2 / 2) + sigma * path.increment(0, steps) / steps**0.5)
    errors = []
    for finer in (1, 4, 16):
        length = 1 / (steps * finer)

        def driven(begin: float, end: float, finer: int = finer) -> Tensor:
            return path.increment(begin / finer, end / finer) * finer**0.5

        states = stochastic_states(
            lambda z, length=length: length * mu * z,
            lambda z, length=length: length**0.5 * sigma * z,
            start,
            steps * finer,
            driven,
        )
        errors.append((states[:, -1] - exact).abs().mean())
    # Strong order one half: a quarter of the step, half of the error.
    assert 1.6 < errors[0] / errors[1] < 2.5
    assert 1.6 < errors[1] / errors[2] < 2.5


@pytest.fixture
def trajectory() -> NeuralSDE:
    torch.manual_seed(0)
    published = PublishedEquation("single_layer", 9, embedding=(7,), glorot=True)
    made = named_equation("sde").build(published, 5, (4,), FRAMES)
    assert isinstance(made, NeuralSDE)
    return made


def test_seeds_make_the_clip_and_share_frame_0(trajectory):
    latent = torch.rand(1, 5).expand(3, 5)
    states = trajectory(latent, path_seeds=torch.tensor([7, 8, 7]))
    # To rounding: some processors' kernels round the rows of a batch differently.
    torch.testing.assert_close(states[0], states[2], rtol=0, atol=1e-6)
    torch.testing.assert_close(states[0, 0], states[1, 0], rtol=0, atol=1e-6)
    assert (states[0, 1:] - states[1, 1:]).abs().min() > 1e-5
    alone = trajectory(latent[:1], path_seeds=torch.tensor([8]))
    torch.testing.assert_close(alone[0], states[1])


def test_the_states_between_two_frames_follow_the_path(trajectory):
    """Not the line between the frames, and continuous at both of them."""
    latent, seeds = torch.rand(2, 5), torch.tensor([1, 2])
    near = trajectory.at(latent, [3, 3 + 1e-4, 4 - 1e-4, 4, 3.5], seeds)
    assert (near[:, 1] - near[:, 0]).abs().max() < 0.02
    assert (near[:, 2] - near[:, 3]).abs().max() < 0.02
    assert (near[:, 4] - (near[:, 0] + near[:, 3]) / 2).abs().max() > 0.02


@pytest.mark.parametrize("time", [-1, -0.25, -1 / 6])
def test_times_before_a_path_begins_are_refused(trajectory, time):
    with pytest.raises(UserError, match="lies before frame 0, where the path"):
        trajectory.at(torch.rand(1, 5), [0, time], torch.tensor([1]))


def test_a_path_is_needed(trajectory):
    with pytest.raises(ValueError, match="needs path_seeds, one for each"):
        trajectory(torch.rand(2, 5))


def test_a_path_does_not_depend_on_what_was_asked_before():
    asked, fresh = brownian([1, 2]), brownian([1, 2])
    for begin, end in [(40, 41), (0.25, 0.75), (0, 1), (0.5, 17.5)]:
        asked.increment(begin, end)
    assert torch.equal(asked.increment(0.375, 20.3), fresh.increment(0.375, 20.3))


def test_increments_of_parts_add_up_to_that_of_the_whole():
    path = brownian([3, 4])
    places = [0, 0.25, 1 / 3, 0.5, 1, 2.125, 15, 16.7, 33]
    parts = [path.increment(a, b) for a, b in pairwise(places)]
    torch.testing.assert_close(torch.stack(parts).sum(dim=0), path.increment(0, 33))
    assert torch.equal(path.increment(5, 5), torch.zeros(2, 2, dtype=torch.float64))


@pytest.mark.parametrize(("begin", "end"), [(0, 0.5), (0.25, 0.375), (0.3, 0.8), (7, 9), (15, 17)])
def test_an_increment_has_the_variance_of_its_time(begin, end):
    numbers = brownian(list(range(50)), 100).increment(begin, end)  # 5,000: deviation 2 %
    assert numbers.var().item() == pytest.approx(end - begin, rel=0.1)


def test_increments_that_do_not_overlap_are_independent():
    path = brownian(list(range(50)), 100)
    spans = [(0, 0.25), (0.25, 0.5), (0.5, 1), (1, 2), (15, 16), (16, 17)]
    rows = torch.stack([path.increment(a, b).flatten() for a, b in spans])
    assert torch.corrcoef(rows).fill_diagonal_(0).abs().max() < 0.06


@pytest.mark.parametrize(("begin", "end"), [(-1, 0), (2, 1)])
def test_a_path_goes_forward_from_0_only(begin, end):
    with pytest.raises(ValueError, match="from 0 only"):
        brownian([1]).increment(begin, end)


def test_seeds_of_paths_come_from_the_games_random_numbers():
    randomness = StepRandomness(5)
    whole = path_seeds(randomness, 4)
    assert whole.dtype == torch.int64
    assert len(set(whole.tolist())) == 4
    assert whole.min() >= 0
    assert whole.max() < 2**48
    assert whole.max() > 2**44, "both halves are used"
    randomness.turn_to(0)
    assert torch.equal(path_seeds(randomness, 4), whole)
    # Two processes share the whole's rows.
    second = StepRandomness(5, rank=1, world_size=2)
    assert torch.equal(path_seeds(second, 2), whole[2:])
    alone, both = path_seeds(SeedRandomness([9]), 1), path_seeds(SeedRandomness([8, 9]), 2)
    assert torch.equal(alone, both[1:])
