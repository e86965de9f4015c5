"""R1 against closed forms, and what its two reductions have to do with each other."""

import pytest
import torch

from vidgen.adversarial.penalties import r1_penalty

SLOPE = torch.tensor([3.0, 4.0])


def linear(samples, slope=SLOPE):
    return samples.flatten(1) @ slope


@pytest.mark.parametrize(("reduction", "expected"), [("sum", 75.0), ("mean", 25.0)])
def test_a_linear_judges_penalty_is_the_square_of_its_slope(reduction, expected):
    for shape in [(3, 2), (3, 1, 2), (3, 1, 1, 2), (3, 2, 1, 1, 1)]:
        samples = torch.randn(shape, requires_grad=True)
        assert r1_penalty(linear(samples), samples, reduction).item() == pytest.approx(expected)


def test_its_gradient_by_the_slope_is_twice_the_slope():
    slope = SLOPE.clone().requires_grad_()
    samples = torch.randn(5, 2, requires_grad=True)
    r1_penalty(linear(samples, slope), samples, "mean").backward()
    assert torch.allclose(slope.grad, 2 * SLOPE)


def test_a_quadratic_judges_penalty_is_the_squared_length_of_its_samples():
    samples = torch.randn(4, 3, 2, requires_grad=True)
    scores = samples.square().flatten(1).sum(1) / 2
    lengths = samples.detach().square().sum((1, 2))
    assert r1_penalty(scores, samples, "sum").item() == pytest.approx(lengths.sum().item())
    assert r1_penalty(scores, samples, "mean").item() == pytest.approx(lengths.mean().item())


def test_twice_the_batch_doubles_the_sum_and_leaves_the_mean():
    once = torch.randn(3, 2)
    values = {}
    for reduction in ("sum", "mean"):
        for samples in (once, torch.cat([once, once])):
            leaf = samples.clone().requires_grad_()
            scores = leaf.square().sum(1)
            values[reduction, len(leaf)] = r1_penalty(scores, leaf, reduction).item()
    assert values["sum", 6] == pytest.approx(2 * values["sum", 3])
    assert values["mean", 6] == pytest.approx(values["mean", 3])


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_weight_of_the_sum_is_that_weight_times_the_samples_of_a_process_of_the_mean(processes):
    """Gradients are averaged over processes, as their parts of the batch are here."""
    torch.manual_seed(0)
    whole, weight = torch.randn(8, 2, dtype=torch.float64), 0.5
    results = {}
    for reduction, factor in (("sum", weight), ("mean", weight * 8 / processes)):
        slope = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
        for part in whole.chunk(processes):
            samples = part.clone().requires_grad_()
            scores = (samples * slope).sum(1).square()
            (factor * r1_penalty(scores, samples, reduction) / processes).backward()
        results[reduction] = slope.grad
    assert torch.allclose(results["sum"], results["mean"])
    assert results["mean"].abs().min() > 0


def test_only_the_mean_is_the_same_for_every_number_of_processes():
    whole = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    found = {"sum": [], "mean": []}
    for reduction, values in found.items():
        for processes in (1, 2):
            parts = [part.clone().requires_grad_() for part in whole.chunk(processes)]
            terms = [r1_penalty(part.square().sum(1), part, reduction) for part in parts]
            values.append(sum(term.item() for term in terms) / processes)
    assert found["mean"][0] == pytest.approx(found["mean"][1])
    assert found["sum"][0] == pytest.approx(2 * found["sum"][1])
