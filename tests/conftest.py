"""Shapes and types are checked while the tests run; games and batches small enough for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jaxtyping

# Before the first import of what it checks. Tests of torch.compile need a process without it.
jaxtyping.install_import_hook(["vidgen", "voxel", "data"], "beartype.beartype")

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)  # bit-identical sums, and two test processes on two cores


@pytest.fixture
def make_tiny_game() -> Callable[..., Any]:
    """Makes TGANs for 3×4×16×16 clips from always the same initial weights."""
    from tests.tiny import tiny_game

    return tiny_game


@pytest.fixture
def tiny_game(make_tiny_game: Callable[..., Any]) -> Any:
    """An unconditional TGAN for 3×4×16×16 clips."""
    return make_tiny_game()


@pytest.fixture
def tiny_batches() -> Callable[..., Any]:
    """For `fit`: endless batches of 4 clips that fit `tiny_game`, a function of their number."""
    from tests.tiny import tiny_batches

    return tiny_batches
