"""The rule with its edge: at most 80 % of the last batch."""

from __future__ import annotations

import math

import pytest
import torch

from voxel.accuracy_rule import AccuracyRule


def batch_with(rule: AccuracyRule, right: int, judged: int) -> None:
    """Lets the rule watch one batch of which so many are judged rightly, and turns."""
    half = judged // 2
    logits = torch.cat([torch.ones(right), -torch.ones(judged - right)])
    rule.watch(logits[:half], -logits[half:])
    rule.turn()


def test_the_rule_allows_exactly_after_batches_of_at_most_eighty_percent():
    rule, allowed = AccuracyRule(0.8), []
    for right in (90, 80, 81, 50, 100):
        allowed.append(rule.may_move())
        batch_with(rule, right, 100)
    assert allowed == [True, False, True, False, True]
    assert not rule.may_move()


@pytest.mark.parametrize("judged", [10, 20, 30, 70, 200])
@pytest.mark.parametrize("percent", [70, 80, 90])
def test_the_edge_itself_is_allowed_and_one_more_is_not(judged, percent):
    rule = AccuracyRule(percent / 100)
    batch_with(rule, judged * percent // 100, judged)
    assert rule.may_move()
    batch_with(rule, judged * percent // 100 + 1, judged)
    assert not rule.may_move()


def test_a_logit_of_zero_is_wrong_on_both_sides():
    rule = AccuracyRule(0.8)
    rule.watch(torch.tensor([0.0, 2.0]), torch.tensor([0.0, -1.0, 3.0, -2.0]))
    rule.turn()
    assert rule.accuracy() == pytest.approx(3 / 6)
    figures = rule.figures()
    assert figures["discriminator/accuracy_real"] == 0.5
    assert figures["discriminator/accuracy_fake"] == 0.5


def test_parts_of_a_batch_count_together_and_batches_apart():
    rule = AccuracyRule(0.8)
    rule.watch(torch.tensor([1.0]), torch.tensor([-1.0]))
    rule.watch(torch.tensor([-1.0]), torch.tensor([1.0]))
    assert math.isnan(rule.accuracy()), "the batch is not finished"
    rule.turn()
    assert rule.accuracy() == 0.5
    batch_with(rule, 4, 4)
    assert rule.accuracy() == 1


def test_the_share_of_skipped_moves_follows_the_last_hundred_or_so():
    rule = AccuracyRule(0.8)
    for _ in range(700):
        batch_with(rule, 4, 4)
    assert rule.figures()["discriminator/skipped"] == pytest.approx(1, abs=1e-3)
    for _ in range(100):
        batch_with(rule, 2, 4)
    assert rule.figures()["discriminator/skipped"] == pytest.approx(0.99**99, rel=0.01)


def test_without_a_limit_every_move_is_allowed():
    rule = AccuracyRule(None)
    batch_with(rule, 10, 10)
    assert rule.may_move()
    assert rule.figures()["discriminator/skipped"] == 0


def test_a_limit_that_is_no_share_is_refused():
    with pytest.raises(ValueError, match=r"accuracy_limit is 80.0; it must be from 0 to 1"):
        AccuracyRule(80.0)
