"""Right-hand sides, embeddings and settings: sizes, forms, what does not fit."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

from vidgen import TGAN, DifferentialSettings, MoCoGAN, VolumetricTGAN
from vidgen.adversarial.described import build
from vidgen.mocogan_generator import published_equation
from vidgen.tgan_generator import EQUATION
from vidgen.trajectories.fields import (
    InitialState,
    convolutional_field,
    dense_field,
    embedding_network,
    initialize_equation_,
)
from vidgen.trajectories.settings import PublishedEquation, named_equation


def parameters(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (lambda: dense_field(100), 10_100),
        (lambda: dense_field(100, 100), 20_200),
        (lambda: dense_field(100, 978), 196_678),
        (lambda: embedding_network([100, 512, 512, 512, 100]), 628_324),
        (lambda: dense_field(16), 272),
        (lambda: dense_field(16, 16), 544),
        (lambda: dense_field(16, 49), 1_633),
        (lambda: embedding_network([16, 64, 16]), 2_128),
        (lambda: convolutional_field(1024), 9_438_208),
    ],
)
def test_parts_have_the_published_numbers_of_weights(network, count):
    with torch.device("meta"):
        assert parameters(network()) == count


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 628_324 + 10_100),
        ({"field": "two_layers"}, 628_324 + 20_200),
        ({"field": "equal_parameters"}, 825_002),
        ({"embedding": ()}, 10_100),
        ({"order": 2}, 628_324 + 3 * 10_100),
        ({"order": 3}, 628_324 + 4 * 10_100),
        ({"family": "sde"}, 628_324 + 20_200),
    ],
)
def test_tgan_s_equations_have_the_published_numbers_of_weights(options, count):
    trajectory = DifferentialSettings(**options).build(EQUATION, 100, (100,), 16)
    assert parameters(trajectory) == count


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"field": "single_layer"}, 272 + 2_128),
        ({"field": "two_layers"}, 544 + 2_128),
        ({}, 1_633),
        ({"order": 2}, 1_633 + 2 * 272),
        ({"order": 3}, 1_633 + 3 * 272),
        ({"order": 3, "field": "single_layer"}, 4 * 272),
        ({"family": "sde"}, 3_266),
        ({"family": "sde", "field": "single_layer"}, 544),
    ],
)
def test_mocogan_s_equations_have_the_published_numbers_of_weights(options, count):
    settings = DifferentialSettings(**options)
    trajectory = settings.build(published_equation(settings), 16, (16,), 16)
    assert parameters(trajectory) == count


@pytest.mark.parametrize(("family", "count"), [("ode", 9_438_208), ("sde", 18_876_416)])
def test_tganv2_s_equations_have_the_published_numbers_of_weights(family, count):
    published = PublishedEquation("convolutional", 0)
    with torch.device("meta"):
        trajectory = DifferentialSettings(family).build(published, 256, (1024, 3, 3), 16)
    assert parameters(trajectory) == count + 257 * 9_216
    activation = trajectory.drift[-1]
    assert isinstance(activation, nn.LeakyReLU if family == "ode" else nn.ReLU)


def test_forms_end_as_the_code_does_and_as_the_article_does():
    one, two, closed = dense_field(3), dense_field(3, 5), dense_field(3, 5, final_tanh=True)
    state = 1e3 * torch.randn(4, 3)
    assert one(state).abs().max() <= 1
    for network in (two, closed):
        network[2].weight.data.fill_(4.0)
    assert two(state).abs().max() > 1 >= closed(state).abs().max()
    assert [type(layer) for layer in embedding_network([2, 3, 2])] == [nn.Linear, nn.LeakyReLU] * 2


def test_glorot_s_rule_has_gain_root_two_and_leaves_the_biases_to_torch():
    torch.manual_seed(0)
    layer = nn.Linear(300, 200)
    initialize_equation_(layer, glorot=True)
    bound = math.sqrt(2) * math.sqrt(6 / 500)
    assert 0.98 * bound < layer.weight.abs().max() <= bound
    assert 0.9 / math.sqrt(300) < layer.bias.abs().max() <= 1 / math.sqrt(300)
    initialize_equation_(layer, glorot=False)
    assert layer.weight.abs().max() <= 1 / math.sqrt(300)


def test_games_leave_the_equations_their_own_initial_weights():
    torch.manual_seed(0)
    tgan = TGAN(num_frames=4, frame_size=8, critic_width=4, image_width=8, trajectory="ode1")
    drift = tgan.generator.temporal.drift[0]
    bound = math.sqrt(2) * math.sqrt(6 / 200)
    assert 0.98 * bound < drift.weight.abs().max() <= bound
    assert drift.bias.abs().max() > 0
    mocogan = MoCoGAN(
        frame_size=16,
        generator_width=2,
        discriminator_width=2,
        trajectory="ode1",
        initialization="dcgan_normal",
    )
    weight = mocogan.generator.motion.drift[0].weight  # (49, 10), uniform up to 1 / √10
    assert 0.3 < weight.abs().max() <= 1 / math.sqrt(10)
    assert mocogan.generator.image.layers[0].weight.abs().max() < 0.12


def test_names_stand_for_settings_and_settings_for_themselves():
    assert named_equation("ode3") == DifferentialSettings(order=3)
    assert named_equation("sde") == DifferentialSettings("sde")
    chosen = DifferentialSettings(drive="top", order=2)
    assert named_equation(chosen) is chosen


def test_settings_survive_a_checkpoint():
    torch.manual_seed(0)
    settings = DifferentialSettings(order=2, embedding=(8, 9), steps_per_frame=2)
    options = {"num_frames": 4, "frame_size": 8, "critic_width": 4, "image_width": 8}
    game = TGAN(**options, trajectory=settings)
    again = build(json.loads(json.dumps(game.describe())))
    assert again.trajectory == settings
    assert again.generator.temporal.steps_per_frame == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "sde", "order": 2}, "a stochastic equation has order 1"),
        ({"hidden_dim": 0}, "hidden_dim is 0"),
        ({"steps_per_frame": 0}, "steps_per_frame is 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DifferentialSettings(**options)


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="give widths for trajectory"):
        InitialState(120, (100,))
    InitialState(120, (100,), order=2)  # its encoders fit anything
    dense = PublishedEquation("single_layer", 9)
    with pytest.raises(ValueError, match="field single_layer does not fit"):
        DifferentialSettings().build(dense, 5, (4, 3, 3), 16)
    with pytest.raises(ValueError, match="field convolutional does not fit"):
        DifferentialSettings(field="convolutional").build(dense, 4, (4,), 16)


def test_a_generator_without_a_trajectory_takes_none():
    with pytest.raises(ValueError, match=r"leave game\.trajectory out"):
        VolumetricTGAN(trajectory="ode1")


def test_components_have_encoders_of_their_own():
    torch.manual_seed(0)
    initial = InitialState(5, (4,), order=3, embedding=(6,))
    latent = torch.randn(2, 5)
    components = initial(latent)
    assert components.shape == (2, 3, 4)
    for place, encoder in enumerate(initial.encoders):
        expected = encoder[0](initial.embedding(latent))
        torch.testing.assert_close(components[:, place], expected)
