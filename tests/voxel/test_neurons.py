from __future__ import annotations

import torch
from torch import nn

from voxel.neurons import answers, guided_maps, guided_saliency


def one_convolution(weights):
    """A network of one convolution of 1³ and a leaky rectifier: a channel a weight."""
    layer = nn.Conv3d(1, len(weights), 1, bias=False)
    with torch.no_grad():
        layer.weight[:] = torch.tensor(weights)[:, None, None, None, None]
    return [nn.Sequential(layer, nn.LeakyReLU(0.2, inplace=True))]


def test_the_values_are_those_of_the_plain_network():
    torch.manual_seed(0)
    blocks = [
        nn.Sequential(nn.Conv3d(1, 3, 3), nn.BatchNorm3d(3), nn.LeakyReLU(0.2)).eval(),
        nn.Sequential(nn.Conv3d(3, 2, 3), nn.LeakyReLU(0.1)),
    ]
    volume = torch.randn(2, 1, 7, 7, 7)
    assert torch.equal(guided_maps(blocks, volume), blocks[1](blocks[0](volume)))


def test_a_neuron_answers_with_its_largest_value():
    volume = torch.zeros(1, 1, 2, 2, 2)
    volume[0, 0, 1, 0, 1], volume[0, 0, 0, 0, 0] = 3.0, -2.0
    assert answers(guided_maps(one_convolution([1.0, -1.0]), volume)).tolist() == [[3.0, 2.0]]


def test_only_the_strongest_place_is_salient():
    volume = torch.zeros(1, 2, 2, 2)
    volume[0, 1, 0, 1], volume[0, 0, 0, 0] = 3.0, 2.0
    saliency = guided_saliency(one_convolution([0.5]), volume, 0)
    assert saliency.nonzero().tolist() == [[1, 0, 1]] and saliency[1, 0, 1] == 1


def test_gradients_pass_only_where_value_and_gradient_are_positive():
    # Four cells feed one neuron through four rectified channels of one cell each.
    first = nn.Conv3d(1, 4, (1, 1, 4), bias=False)
    second = nn.Conv3d(4, 1, 1, bias=False)
    with torch.no_grad():
        first.weight[:] = torch.eye(4)[:, None, None, None, :]
        second.weight[0, :, 0, 0, 0] = torch.tensor([2.0, 1.0, -1.0, 4.0])
    blocks = [nn.Sequential(first, nn.LeakyReLU(0.2)), nn.Sequential(second, nn.LeakyReLU(0.2))]
    volume = torch.tensor([1.0, 1.0, 1.0, -1.0])[None, None, None]
    # The third has a negative gradient, the fourth a negative value: plain ones would be -1, 0.8.
    assert guided_saliency(blocks, volume, 0).flatten().tolist() == [1.0, 0.5, 0.0, 0.0]


def test_a_neuron_that_nothing_speaks_for_has_no_saliency():
    saliency = guided_saliency(one_convolution([-1.0]), torch.ones(1, 2, 2, 2), 0)
    assert saliency.tolist() == torch.zeros(2, 2, 2).tolist()
