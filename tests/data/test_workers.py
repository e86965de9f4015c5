from __future__ import annotations

import os
from math import sqrt

import pytest

from data.sources import DataError
from data.workers import worker_pool


@pytest.mark.parametrize("num_workers", [0, 2])
def test_results_come_in_order(num_workers):
    with worker_pool(num_workers) as work:
        assert list(work(sqrt, [16, 9, 4, 1, 0])) == [4, 3, 2, 1, 0]


def test_few_jobs_are_taken_before_the_first_is_done():
    taken = []

    def jobs():
        for number in range(50):
            taken.append(number)
            yield number

    with worker_pool(1) as work:
        results = work(sqrt, jobs())
        assert next(results) == 0 and len(taken) <= 2
        assert sum(1 for _ in results) == 49


def test_what_a_process_raises_is_raised_here_and_a_killed_one_is_said():
    with pytest.raises(ValueError, match="math domain"), worker_pool(1) as work:
        list(work(sqrt, [-1]))
    with pytest.raises(DataError, match="was killed"), worker_pool(1) as work:
        list(work(os._exit, [9]))
