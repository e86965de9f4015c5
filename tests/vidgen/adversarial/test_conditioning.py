"""Conditional BatchNorm: shared moments, scales and shifts of a class."""

import pytest
import torch
from torch import nn

from vidgen.adversarial.conditioning import ConditionalBatchNorm


def filled(num_classes=3, channels=2):
    norm = ConditionalBatchNorm(2, channels, num_classes, epsilon=1e-3)
    torch.manual_seed(0)
    nn.init.normal_(norm.scale.weight)
    nn.init.normal_(norm.shift.weight)
    return norm


def test_it_starts_as_plain_normalization():
    features = torch.randn(6, 2, 3, 3) * 4 + 1
    plain = nn.BatchNorm2d(2, eps=1e-3)(features)
    conditional = ConditionalBatchNorm(2, 2, 3, epsilon=1e-3)
    assert torch.allclose(conditional(features, torch.tensor([0, 1, 2] * 2)), plain, atol=1e-6)
    assert torch.allclose(ConditionalBatchNorm(2, 2, epsilon=1e-3)(features), plain)


def test_each_sample_gets_the_scale_and_shift_of_its_class():
    norm, features = filled(), torch.randn(4, 2, 3, 3)
    labels = torch.tensor([2, 0, 0, 1])
    result = norm(features, labels)
    centred = features - features.mean((0, 2, 3), keepdim=True)
    normal = centred / (features.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-3).sqrt()
    for number, label in enumerate(labels):
        scale, shift = norm.scale.weight[label], norm.shift.weight[label]
        expected = normal[number] * scale[:, None, None] + shift[:, None, None]
        assert torch.allclose(result[number], expected, atol=1e-5)


def test_moments_are_shared_by_the_classes():
    norm, features = filled(), torch.randn(4, 2, 3, 3)
    norm(features, torch.tensor([0, 0, 1, 2]))
    assert torch.allclose(norm.norm.running_mean, 0.1 * features.mean((0, 2, 3)))
    assert sum(buffer.numel() for buffer in norm.buffers()) == 2 + 2 + 1


def test_a_forgotten_label_is_noticed():
    with pytest.raises(AssertionError, match="needs labels"):
        filled()(torch.randn(4, 2, 3, 3))
