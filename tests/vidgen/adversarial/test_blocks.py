"""The shared small parts: normalisation, noise, label planes, initial weights."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from vidgen.adversarial.blocks import (
    BATCH_NORMS,
    CONVOLUTIONS,
    DECONVOLUTIONS,
    GaussianNoise,
    batch_norm,
    initialize_,
    label_planes,
    spectrally_normalized,
)

# Layers of unlike in and out widths, so that a fan of the wrong axis shows; fan-in as torch has it.
LAYERS = {
    "linear": (lambda: nn.Linear(200, 800), 200),
    "conv1d": (lambda: nn.Conv1d(40, 400, 4), 40 * 4),
    "conv2d": (lambda: nn.Conv2d(10, 100, 4), 10 * 16),
    "conv3d": (lambda: nn.Conv3d(4, 40, 4), 4 * 64),
    "deconv1d": (lambda: nn.ConvTranspose1d(400, 40, 4), 40 * 4),
    "deconv2d": (lambda: nn.ConvTranspose2d(100, 10, 4), 10 * 16),
    "deconv3d": (lambda: nn.ConvTranspose3d(40, 4, 4), 4 * 64),
}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("rule", ["he_normal", "lecun_normal", "dcgan_normal", "uniform"])
def test_initial_weights_have_the_rules_moments_and_biases_are_zero(kind: str, rule: str):
    make, fan_in = LAYERS[kind]
    layer = make()
    layer.bias.data.fill_(9.0)
    torch.manual_seed(1)
    initialize_(nn.Sequential(layer, nn.ReLU()), rule)
    weight = layer.weight.detach()
    deviation = {
        "he_normal": math.sqrt(2 / fan_in),
        "lecun_normal": math.sqrt(1 / fan_in),
        "dcgan_normal": 0.02,
        "uniform": 0.01 / math.sqrt(3),
    }[rule]
    count = weight.numel()
    assert weight.std().item() == pytest.approx(deviation, rel=5 / math.sqrt(2 * count))
    assert abs(weight.mean().item()) < 5 * deviation / math.sqrt(count)
    kurtosis = ((weight / deviation) ** 4).mean().item()
    assert kurtosis == pytest.approx(1.8 if rule == "uniform" else 3.0, rel=0.1)
    if rule == "uniform":
        assert weight.abs().max() <= 0.01
    assert (layer.bias == 0).all()


def test_initialization_leaves_batch_norm_and_layers_without_bias_alone():
    norm, layer = nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        norm.weight.fill_(7.0)
    initialize_(nn.Sequential(layer, norm), "he_normal")
    assert (norm.weight == 7.0).all()
    assert layer.bias is None


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("shift", [True, False])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_batch_norm_has_the_scale_and_shift_that_were_asked(
    dimensions: int, scale: bool, shift: bool
):
    norm = batch_norm(dimensions, 5, scale, shift, epsilon=0.5)
    assert type(norm) is BATCH_NORMS[dimensions]
    names = {name for name, _ in norm.named_parameters()}
    assert names == {name for name, there in [("weight", scale), ("bias", shift)] if there}
    features = 3 * torch.randn(6, 5, *[4] * dimensions) + 2
    axes = [0, *range(2, 2 + dimensions)]
    mean = features.mean(axes, keepdim=True)
    variance = features.var(axes, correction=0, keepdim=True)
    expected = (features - mean) / (variance + 0.5).sqrt()
    if scale:
        norm.weight.data.fill_(2.0)
        expected = 2 * expected
    if shift:
        norm.bias.data.fill_(0.25)
        expected = expected + 0.25
    torch.testing.assert_close(norm(features), expected, atol=1e-5, rtol=1e-5)


def test_layers_by_their_number_of_dimensions():
    for dimensions in (1, 2, 3):
        image = torch.zeros(1, 1, *[4] * dimensions)
        down = CONVOLUTIONS[dimensions](1, 2, 4, 2, 1)(image)
        up = DECONVOLUTIONS[dimensions](1, 2, 4, 2, 1)(image)
        assert down.shape == (1, 2, *[2] * dimensions)
        assert up.shape == (1, 2, *[8] * dimensions)


def test_noise_is_there_only_in_training_with_the_right_deviation():
    torch.manual_seed(3)
    layer, features = GaussianNoise(0.2), torch.full((100, 1000), 5.0)
    noise = layer(features) - features
    assert abs(noise.mean()) < 5 * 0.2 / math.sqrt(noise.numel())
    assert noise.std().item() == pytest.approx(0.2, rel=0.01)
    assert not torch.equal(layer(features) - features, noise)
    assert torch.equal(layer.eval()(features), features)


def test_noise_keeps_the_layout_and_differs_everywhere():
    layer = GaussianNoise(0.2)
    features = torch.full((4, 8, 3, 16, 16), 5.0).to(memory_format=torch.channels_last_3d)
    noise = layer(features) - features
    assert noise.is_contiguous(memory_format=torch.channels_last_3d)
    assert noise.std().item() == pytest.approx(0.2, rel=0.02)
    assert abs(torch.corrcoef(noise.movedim(1, 0).flatten(1)) - torch.eye(8)).max() < 0.1


def test_label_planes_are_the_labels_everywhere():
    labels = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    planes = label_planes(labels, torch.Size([4, 5, 6]))
    assert planes.shape == (2, 3, 4, 5, 6)
    for sample in range(2):
        for kind in range(3):
            assert (planes[sample, kind] == labels[sample, kind]).all()


def test_every_weight_is_divided_by_its_spectral_norm():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv3d(2, 6, 3), nn.BatchNorm3d(6), nn.Flatten(), nn.Linear(6, 4))
    spectrally_normalized(network)
    for _ in range(200):  # a step of power iteration each
        network(torch.randn(3, 2, 3, 3, 3))
    for layer in (network[0], network[3]):
        norm = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
        assert norm == pytest.approx(1.0, abs=1e-3)
    assert not hasattr(network[1], "parametrizations")
