"""Random numbers that are a pure function of (seed, step), or of a sample's own seed."""

from __future__ import annotations

import math

import pytest
import torch

from vidgen.adversarial.latents import Randomness, SeedRandomness, StepRandomness

WEIGHTS = torch.tensor([1.0, 3.0, 0.0])


def three_draws(randomness: Randomness, count: int) -> list[torch.Tensor]:
    return [
        randomness.normal(count, 5),
        randomness.uniform(count, 2, 3),
        randomness.choice(count, WEIGHTS),
    ]


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].item()


@pytest.mark.parametrize("world_size", [2, 3, 6])
def test_the_ranks_rows_joined_are_the_draws_of_one_process(world_size: int):
    whole = StepRandomness(7)
    ranks = [StepRandomness(7, rank, world_size) for rank in range(world_size)]
    for stream in (whole, *ranks):
        stream.turn_to(12)
    parts = [three_draws(stream, 6 // world_size) for stream in ranks]
    for expected, *pieces in zip(three_draws(whole, 6), *parts, strict=True):
        assert torch.equal(torch.cat(pieces), expected)


def test_a_step_repeats_exactly_whatever_was_drawn_before():
    stream = StepRandomness(3)
    stream.turn_to(8)
    first = three_draws(stream, 4)
    stream.normal(100)
    stream.turn_to(9)
    stream.turn_to(8)
    for before, after in zip(first, three_draws(stream, 4), strict=True):
        assert torch.equal(before, after)


def test_steps_seeds_and_draws_are_unrelated():
    def drawn(seed: int, step: int) -> torch.Tensor:
        stream = StepRandomness(seed)
        stream.turn_to(step)
        return stream.normal(20_000)

    # The seed 3 at step 5, and what a sum, a swap or a shift of the two would repeat.
    one = drawn(3, 5)
    for seed, step in [(3, 6), (3, 4), (4, 5), (4, 4), (5, 3), (2, 6), (0, 0)]:
        assert abs(correlation(one, drawn(seed, step))) < 0.04, (seed, step)  # 5.6 deviations
    stream = StepRandomness(3)
    assert abs(correlation(stream.normal(20_000), stream.normal(20_000))) < 0.04


def test_a_step_seeds_the_noise_of_layers_for_each_rank_apart():
    def noise(rank: int, step: int) -> torch.Tensor:
        StepRandomness(1, rank, 2).turn_to(step)
        return torch.randn(20_000)

    assert torch.equal(noise(0, 4), noise(0, 4))
    assert abs(correlation(noise(0, 4), noise(1, 4))) < 0.04
    assert abs(correlation(noise(0, 4), noise(0, 5))) < 0.04
    stream = StepRandomness(1)
    stream.turn_to(4)
    assert abs(correlation(stream.normal(20_000), noise(0, 4))) < 0.04


def test_a_new_stream_is_that_of_step_0_and_leaves_the_seed_of_the_weights_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    stream = StepRandomness(1)
    assert torch.rand(3).equal(expected)
    drawn = stream.normal(2, 3)
    stream.turn_to(0)
    assert stream.normal(2, 3).equal(drawn)


def test_the_numbers_of_a_seed_do_not_depend_on_its_batch():
    batch, alone = SeedRandomness([5, 9, 2, 9]), SeedRandomness([9])
    for drawn, own in zip(
        [batch.normal(4, 30), batch.uniform(4, 30), batch.choice(4, torch.ones(1000))],
        [alone.normal(1, 30), alone.uniform(1, 30), alone.choice(1, torch.ones(1000))],
        strict=True,
    ):
        assert torch.equal(drawn[1], own[0])
        assert torch.equal(drawn[3], own[0])
        assert not torch.equal(drawn[0], own[0])
        assert not torch.equal(drawn[2], own[0])


def test_neighbouring_seeds_are_unrelated():
    rows = SeedRandomness([0, 1, 2, 2**62]).uniform(4, 20_000)
    for a in range(4):
        for b in range(a):
            assert abs(correlation(rows[a], rows[b])) < 0.04


@pytest.mark.parametrize("stream", [StepRandomness(1), SeedRandomness(range(200))], ids=type)
def test_uniform_fills_minus_one_to_one_and_normal_has_unit_variance(stream: Randomness):
    uniform, normal = stream.uniform(200, 1000), stream.normal(200, 1000)
    assert -1 <= uniform.min() < -0.9999
    assert 0.9999 < uniform.max() <= 1
    # Five standard errors of 200,000 numbers.
    assert abs(uniform.mean()) < 5 * math.sqrt(1 / 3 / 200_000)
    assert abs(uniform.var() - 1 / 3) < 0.004
    assert abs(normal.mean()) < 5 * math.sqrt(1 / 200_000)
    assert abs(normal.var() - 1) < 0.016


@pytest.mark.parametrize("stream", [StepRandomness(1), SeedRandomness(range(4000))], ids=type)
def test_a_choice_follows_its_weights(stream: Randomness):
    counts = torch.bincount(stream.choice(4000, WEIGHTS), minlength=3)
    assert counts[2] == 0
    assert abs(counts[0] - 1000) < 5 * math.sqrt(4000 * 0.25 * 0.75)


def test_as_many_samples_as_seeds():
    with pytest.raises(ValueError, match="3 samples asked of 2 seeds"):
        SeedRandomness([1, 2]).normal(3)


def test_a_shared_index_is_the_same_in_all_processes_and_takes_every_value():
    ranks = [StepRandomness(7, rank, 3) for rank in range(3)]
    met = []
    for step in range(60):
        for stream in ranks:
            stream.turn_to(step)
        drawn = {stream.shared_index(4) for stream in ranks}
        assert len(drawn) == 1
        met += drawn
    assert set(met) == {0, 1, 2, 3}


def test_samples_with_seeds_of_their_own_share_no_index():
    with pytest.raises(ValueError, match="share no random numbers"):
        SeedRandomness([1, 2]).shared_index(4)
