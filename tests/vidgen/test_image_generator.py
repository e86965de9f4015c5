import pytest
import torch
from torch import nn

from vidgen.frames import ImageGenerator


def shapes_of(module, *inputs):
    shapes = []
    hooks = [
        part.register_forward_hook(lambda part, given, out: shapes.append(tuple(out.shape[1:])))
        for part in module.modules()
        if isinstance(part, nn.ConvTranspose2d)
    ]
    module(*inputs)
    for hook in hooks:
        hook.remove()
    return shapes


def parameters_of(module):
    return sum(weight.numel() for weight in module.parameters())


def test_every_map_has_the_size_of_the_authors_table():
    with torch.device("meta"):
        generator, latent = ImageGenerator(60), torch.zeros(2, 60)
    assert shapes_of(generator, latent) == [
        (512, 4, 4),
        (256, 8, 8),
        (128, 16, 16),
        (64, 32, 32),
        (3, 64, 64),
    ]


@pytest.mark.parametrize(
    ("latent_dim", "frame_size", "parameters"),
    [(60, 64, 3_249_024), (66, 64, 3_298_176), (60, 96, 3_863_424)],
)
def test_parameters_are_those_of_the_sheet(latent_dim, frame_size, parameters):
    with torch.device("meta"):
        assert parameters_of(ImageGenerator(latent_dim, frame_size)) == parameters


def test_article_size_begins_with_a_map_of_six():
    generator = ImageGenerator(5, 96, width=2)
    assert shapes_of(generator, torch.zeros(2, 5))[0] == (16, 6, 6)


def test_images_lie_in_the_open_range_of_tanh():
    torch.manual_seed(0)
    images = ImageGenerator(5, 16, width=2)(100 * torch.randn(8, 5))
    assert images.shape == (8, 3, 16, 16)
    assert images.abs().max() <= 1
    assert images.std() > 0.01


def test_no_layer_has_a_bias():
    generator = ImageGenerator(5, 16, width=2)
    convolutions = [part for part in generator.modules() if isinstance(part, nn.ConvTranspose2d)]
    assert len(convolutions) == 5
    assert all(part.bias is None for part in convolutions)


def test_leaky_activation_lets_negative_values_through_at_a_fifth():
    leaky = ImageGenerator(5, 16, width=2, activation="leaky_relu")
    kinds = [part for part in leaky.modules() if isinstance(part, nn.LeakyReLU)]
    assert [part.negative_slope for part in kinds] == [0.2] * 4
    assert not [part for part in leaky.modules() if isinstance(part, nn.ReLU)]


@pytest.mark.parametrize("frame_size", [8, 40, 0])
def test_a_size_that_is_no_multiple_of_sixteen_is_refused(frame_size):
    with pytest.raises(ValueError, match=f"frame_size is {frame_size}; it must be a multiple"):
        ImageGenerator(5, frame_size)
