"""GAM: thresholds by brute force, ratios and verdicts by hand."""

from __future__ import annotations

import math

import pytest
import torch

from vidgen.metrics.gam import (
    Duel,
    Opponent,
    best_threshold,
    duel,
    fake_error_rate,
    real_error_rate,
)


def test_error_rates_count_what_is_called_wrong():
    scores = torch.tensor([-1.0, 0.0, 1.0, 2.0])
    assert real_error_rate(scores, 0.0) == 0.5
    assert fake_error_rate(scores, 0.0) == 0.5
    assert fake_error_rate(scores, 1.5) == 0.25


def test_the_best_threshold_has_the_highest_balanced_accuracy():
    generator = torch.Generator().manual_seed(0)
    for real_count, fake_count in ((20, 20), (30, 7)):
        real = torch.randn(real_count, generator=generator) + 1
        fake = torch.randn(fake_count, generator=generator)

        def balanced(threshold, real=real, fake=fake):
            return 2 - real_error_rate(real, threshold) - fake_error_rate(fake, threshold)

        found = balanced(best_threshold(real, fake))
        tried = [balanced(score + 1e-6) for score in [*real.tolist(), *fake.tolist(), -100]]
        assert found == pytest.approx(max(tried), abs=1e-12)


def test_separated_scores_are_cut_halfway():
    assert best_threshold(torch.tensor([5.0, 9.0]), torch.tensor([1.0, -7.0])) == 3


def test_equal_scores_are_not_cut_apart():
    real, fake = torch.tensor([1.0, 1.0, 2.0]), torch.tensor([1.0, 0.0, 0.0])
    threshold = best_threshold(real, fake)
    errors = real_error_rate(real, threshold) + fake_error_rate(fake, threshold)
    assert threshold == 0.5 and errors == pytest.approx(1 / 3)


def scores(num_above, count=10):
    return torch.cat([torch.ones(num_above), -torch.ones(count - num_above)])


def test_the_duel_is_won_by_who_fools_the_other_more():
    # A's discriminator errs on 2 of 10 test clips and takes 1 of 10 of B's clips for real; B's
    # errs on 2 too, and takes 4 of 10 of A's for real.
    ours = Opponent(0.0, scores(8), scores(1))
    theirs = Opponent(0.0, scores(8), scores(4))
    result = duel(ours, theirs)
    assert result == Duel(r_test=1.0, r_samples=0.25, score=4.0)
    assert result.verdict() == "A"
    assert duel(theirs, ours).score == 0.25 and duel(theirs, ours).verdict() == "B"
    assert duel(ours, ours) == Duel(1.0, 1.0, 1.0) and duel(ours, ours).verdict() == "tie"


def test_no_error_at_all_is_guarded():
    blind = Opponent(0.0, scores(10), scores(0))
    other = Opponent(0.0, scores(5), scores(5))
    assert duel(other, blind).r_test == math.inf
    assert duel(other, blind).verdict() == "undecided"
    assert duel(blind, blind) == Duel(1.0, 1.0, 1.0)


def test_unequal_discriminators_decide_nothing():
    assert Duel(1.19, 0.1, 10.0).verdict() == "A"
    assert Duel(1.21, 0.1, 10.0).verdict() == "undecided"
    assert Duel(0.79, 0.1, 10.0).verdict() == "undecided"
