"""Singular value clipping of TGAN's critic: full SVD, Gram matrix, and ours, in one run.

    python benchmarks/svc.py

The three take turns on equal copies, so that a busy machine slows all alike; times are medians in
milliseconds of wall clock and of CPU, ratios medians of the turns' ratios of CPU time. The last
column is the largest difference of a weight from that of the full SVD.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from vidgen.adversarial.constraints import clip_singular_values_

SHAPES = [(64, 192), (128, 4096), (256, 8192), (512, 16384), (1, 8192)]
NUM_TURNS = 7
RMSPROP_STEPS, LEARNING_RATE = 5, 5e-5


def full_svd(weight: Tensor) -> None:
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    weight.copy_(left * values.clamp(max=1) @ right)


def gram_eigen(weight: Tensor) -> None:
    exact = weight.double()
    squares, vectors = torch.linalg.eigh(exact @ exact.T)
    scales = squares.clamp(min=1).rsqrt()
    weight.copy_((vectors * scales) @ (vectors.T @ exact))


def he_initialised() -> list[Tensor]:
    return [torch.randn(shape) * math.sqrt(2 / shape[1]) for shape in SHAPES]


def some_steps_after_a_clip() -> list[Tensor]:
    weights = he_initialised()
    clip_singular_values_(weights)
    # A step of RMSProp moves each weight by about the learning rate.
    size = RMSPROP_STEPS * LEARNING_RATE
    return [weight + size * torch.randn_like(weight).sign() for weight in weights]


def all_inside() -> list[Tensor]:
    return [weight * 0.9 / torch.linalg.matrix_norm(weight, 2) for weight in he_initialised()]


def timed(clip: Callable[[Tensor], None], weights: list[Tensor]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for weight in weights:
        clip(weight)
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def compare(case: str, weights: list[Tensor]) -> None:
    methods = {"full SVD": full_svd, "Gram matrix": gram_eigen, "ours": clip_singular_values_}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    results: dict[str, list[Tensor]] = {}
    for _ in range(NUM_TURNS):
        for name, clip in methods.items():
            results[name] = [weight.clone() for weight in weights]
            times[name].append(timed(clip, results[name]))
    for name in methods:
        wall, cpu = (median(turn[clock] for turn in times[name]) for clock in range(2))
        pairs = zip(times["full SVD"], times[name], strict=True)
        ratio = median(full[1] / fast[1] for full, fast in pairs)
        difference = max(
            float((one - other).abs().max())
            for one, other in zip(results["full SVD"], results[name], strict=True)
        )
        print(f"{case:24}{name:13}{wall:9.1f}{cpu:9.1f}{ratio:8.1f} x{difference:14.1e}")


def main() -> None:
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'weights':24}{'method':13}{'wall ms':>9}{'CPU ms':>9}{'faster':>10}{'difference':>14}")
    with torch.no_grad():
        compare("He-initialised", he_initialised())
        compare("5 steps after a clip", some_steps_after_a_clip())
        compare("all inside", all_inside())


if __name__ == "__main__":
    main()
