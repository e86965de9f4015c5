"""Tables 2.1 and 2.2 of the networks: shapes, parameters, what each layer computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from voxel.networks import (
    FromOneVoxel,
    ImageEncoder,
    VolumeEncoder,
    VoxelDiscriminator,
    VoxelGenerator,
)


def num_weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def meta(kind, *args, **options):
    with torch.device("meta"):
        return kind(*args, **options)


@pytest.mark.parametrize(
    ("resolution", "width", "of_generator", "of_discriminator"),
    [
        (64, 64, 17_569_664, 11_048_832),
        (32, 64, 5_903_232, 2_642_816),
        (32, 128, 17_049_344, 10_528_512),
        (128, 32, 17_698_752, 11_177_920),
    ],
)
def test_networks_have_the_published_parameters(resolution, width, of_generator, of_discriminator):
    assert num_weights(meta(VoxelGenerator, 200, resolution, width)) == of_generator
    assert num_weights(meta(VoxelDiscriminator, resolution, width)) == of_discriminator


def test_biases_and_the_first_norm_cost_what_they_should():
    assert num_weights(meta(VoxelGenerator, bias=True)) == 17_570_625
    assert num_weights(meta(VoxelDiscriminator, normalize_first=False)) == 11_048_704
    assert num_weights(meta(VoxelDiscriminator, bias=True)) == 11_049_793
    both = meta(VoxelDiscriminator, bias=True, normalize_first=False)
    assert num_weights(both) == 11_049_665


def test_the_image_encoder_has_its_parameters_and_maps():
    assert num_weights(meta(ImageEncoder)) == 17_434_512
    assert num_weights(meta(ImageEncoder, bias=False)) == 17_433_152
    encoder = meta(ImageEncoder)
    sizes = output_shapes(encoder, nn.Conv2d, torch.empty(1, 3, 256, 256, device="meta"))
    assert sizes == [(64, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8), (400, 1, 1)]


def output_shapes(network: nn.Module, kind: type[nn.Module], example) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    for part in network.modules():
        if isinstance(part, kind):
            part.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    network(example)
    return shapes


def test_every_map_has_the_shape_of_the_figure():
    latent = torch.empty(2, 200, device="meta")
    generated = output_shapes(meta(VoxelGenerator), nn.ConvTranspose3d, latent)
    maps = [(512, 4, 4, 4), (256, 8, 8, 8), (128, 16, 16, 16), (64, 32, 32, 32)]
    assert generated == [*maps, (1, 64, 64, 64)]
    volume = torch.empty(2, 1, 64, 64, 64, device="meta")
    judged = meta(VoxelDiscriminator)
    assert [tuple(each.shape[1:]) for each in judged.maps(volume)] == maps[::-1]
    assert judged(volume).shape == (2,)


def test_the_first_layer_is_a_matrix_product_whatever_its_stride():
    torch.manual_seed(0)
    first = VoxelGenerator(6, 8, 5).layers[0]
    latent = torch.randn(3, 6)
    made = first(latent[:, :, None, None, None])
    product = (latent @ first.weight.flatten(1)).view(3, 5, 4, 4, 4)
    torch.testing.assert_close(made, product)
    first.stride = (2, 2, 2)
    assert torch.equal(first(latent[:, :, None, None, None]), made)


@pytest.mark.parametrize("bias", [False, True])
def test_the_first_layer_is_torch_s_transposed_convolution(bias):
    torch.manual_seed(0)
    layer = FromOneVoxel(5, 3, 4, bias=bias)
    latent = torch.randn(2, 5, 1, 1, 1, requires_grad=True)
    theirs = functional.conv_transpose3d(latent, layer.weight, layer.bias)
    made = layer(latent)
    torch.testing.assert_close(made, theirs)
    direction, weights = torch.randn_like(made), [latent, *layer.parameters()]
    ours = torch.autograd.grad(made, weights, direction)
    torch.testing.assert_close(ours, torch.autograd.grad(theirs, weights, direction))


def test_maps_on_a_cpu_have_the_channel_innermost():
    for made in VoxelDiscriminator(16, 4).maps(torch.rand(2, 1, 16, 16, 16)):
        assert made.is_contiguous(memory_format=torch.channels_last_3d)


def test_layers_follow_each_other_as_in_the_table():
    torch.manual_seed(0)
    generator, discriminator = VoxelGenerator(6, 16, 3), VoxelDiscriminator(16, 3)
    kinds = [type(layer).__name__ for layer in generator.layers]
    rise = ["BatchNorm3d", "ReLU", "QuickConvTranspose3d"]
    assert kinds == ["FromOneVoxel", *rise, *rise]
    latent = torch.randn(2, 6)
    odds = generator(latent) / (1 - generator(latent))
    torch.testing.assert_close(odds.log(), generator.logits(latent), atol=1e-5, rtol=1e-4)
    fall = ["QuickConv3d", "BatchNorm3d", "LeakyReLU"]
    for block in discriminator.blocks:
        assert [type(layer).__name__ for layer in block] == fall
        assert block[-1].negative_slope == 0.2


def test_weights_begin_as_dcgan_s():
    torch.manual_seed(0)
    discriminator = VoxelDiscriminator(16, 64)
    assert discriminator.blocks[1][0].weight.std().item() == pytest.approx(0.02, rel=0.01)
    scales = discriminator.blocks[1][1].weight
    assert scales.mean().item() == pytest.approx(1, abs=0.01)
    assert scales.std().item() == pytest.approx(0.02, rel=0.2)
    assert not discriminator.blocks[1][1].bias.any()


def test_samples_do_not_depend_on_their_batch_in_evaluation():
    torch.manual_seed(0)
    generator = VoxelGenerator(6, 16, 3)
    generator(torch.randn(8, 6))
    generator.eval()
    latents = torch.randn(4, 6)
    torch.testing.assert_close(generator(latents)[:1], generator(latents[:1]))


def test_features_are_the_largest_of_each_octant_of_layers_two_to_four():
    discriminator = meta(VoxelDiscriminator)
    volume = torch.empty(1, 1, 64, 64, 64, device="meta")
    assert discriminator.features(volume).shape == (1, 7168)
    torch.manual_seed(0)
    small = VoxelDiscriminator(32, 2).eval()
    volume = torch.rand(2, 1, 32, 32, 32)
    _, second, third = small.maps(volume)
    octants = [
        each[:, :, x : x + half, y : y + half, z : z + half].amax((2, 3, 4))
        for each, half in ((second, 4), (third, 2))
        for x in (0, half)
        for y in (0, half)
        for z in (0, half)
    ]
    pooled = small.features(volume)
    torch.testing.assert_close(pooled[:, :32], torch.stack(octants[:8], 2).flatten(1))
    torch.testing.assert_close(pooled[:, 32:], torch.stack(octants[8:], 2).flatten(1))


@pytest.mark.parametrize("normalization", ["layer", "none", "spectral"])
def test_without_batch_norm_a_volume_is_judged_by_itself(normalization):
    torch.manual_seed(0)
    judge = VoxelDiscriminator(16, 3, normalization=normalization).eval()
    volumes = torch.rand(4, 1, 16, 16, 16)
    torch.testing.assert_close(judge(volumes)[:1], judge(volumes[:1]))
    assert not any(isinstance(part, nn.BatchNorm3d) for part in judge.modules())


@pytest.mark.parametrize("normalization", ["none", "spectral"])
def test_only_biases_let_a_judge_without_norms_tell_an_empty_volume(normalization):
    torch.manual_seed(0)
    empty, cell = torch.zeros(2, 1, 16, 16, 16)
    cell[0, 8, 8, 8] = 1
    volumes = torch.stack([empty, cell, 3 * cell])
    judge = VoxelDiscriminator(16, 4, normalization=normalization).eval()
    scores = judge(volumes)
    assert scores[0] == 0 and scores[1] != 0
    torch.testing.assert_close(scores[2], 3 * scores[1])
    biased = VoxelDiscriminator(16, 4, normalization=normalization, bias=True).eval()
    nn.init.constant_(biased.head.bias, -2.0)
    torch.testing.assert_close(biased(volumes)[0], torch.tensor(-2.0))


def test_spectral_weights_have_norm_one():
    torch.manual_seed(0)
    judge = VoxelDiscriminator(8, 6, normalization="spectral")
    for _ in range(50):
        judge(torch.rand(2, 1, 8, 8, 8))
    weight = judge.eval().head.weight.flatten(1)
    assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, abs=1e-4)


def test_labels_change_volumes_and_scores():
    torch.manual_seed(0)
    generator = VoxelGenerator(6, 16, 3, num_classes=2).eval()
    judge = VoxelDiscriminator(16, 3, num_classes=2).eval()
    latent, classes = torch.randn(1, 6).expand(2, -1), torch.eye(2)
    volumes = generator(latent, classes)
    assert not torch.allclose(volumes[0], volumes[1], atol=1e-4)
    one = volumes[:1].expand(2, -1, -1, -1, -1)
    scores = judge(one, classes)
    assert abs(scores[0] - scores[1]) > 1e-6


def test_log_variances_stay_within_ten():
    torch.manual_seed(0)
    encoder = ImageEncoder(4, 32, 2)
    encoder.layers[-1].bias.data[4:] = torch.tensor([50.0, -50.0, 0.0, 1.0])
    mean, log_variance = encoder(torch.randn(3, 3, 32, 32))
    assert mean.shape == log_variance.shape == (3, 4)
    assert log_variance[:, :2].tolist() == [[10.0, -10.0]] * 3


@pytest.mark.parametrize("resolution", [4, 20, 48])
def test_other_sizes_are_refused(resolution):
    with pytest.raises(ValueError, match=f"resolution is {resolution}; it must be 8, 16"):
        VolumeEncoder(resolution)
    with pytest.raises(ValueError, match="image_size is 100; it must be a multiple of 32"):
        ImageEncoder(image_size=100)
