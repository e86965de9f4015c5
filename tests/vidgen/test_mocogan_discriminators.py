import pytest
import torch
from torch import nn

from vidgen.window_discriminators import ImageDiscriminator, WindowDiscriminator


def layer_shapes(module, given):
    shapes = []
    hooks = [
        part.register_forward_hook(lambda part, given, out: shapes.append(tuple(out.shape[1:])))
        for part in module.modules()
        if isinstance(part, nn.Conv2d | nn.Conv3d)
    ]
    with torch.no_grad():
        module(given)
    for hook in hooks:
        hook.remove()
    return shapes


def parameters_of(module):
    return sum(weight.numel() for weight in module.parameters())


def test_every_map_of_the_clip_judge_has_the_size_of_the_authors_code():
    judge = WindowDiscriminator(width=2, num_categories=4)
    assert layer_shapes(judge, torch.zeros(1, 3, 16, 64, 64)) == [
        (2, 13, 32, 32),
        (4, 10, 16, 16),
        (8, 7, 8, 8),
        (16, 4, 4, 4),
        (5, 1, 1, 1),
    ]


def test_every_map_of_the_patch_judges_has_the_size_of_the_authors_code():
    clips = WindowDiscriminator(width=2, patches=True)
    assert layer_shapes(clips, torch.zeros(1, 3, 16, 64, 64)) == [
        (2, 13, 32, 32),
        (4, 10, 16, 16),
        (8, 7, 8, 8),
        (1, 4, 4, 4),
    ]
    frames = ImageDiscriminator(width=2)
    assert layer_shapes(frames, torch.zeros(1, 3, 64, 64)) == [
        (2, 32, 32),
        (4, 16, 16),
        (8, 8, 8),
        (1, 4, 4),
    ]


def test_stride_one_gives_the_sizes_of_the_articles_table_six():
    judge = WindowDiscriminator(width=1, patches=True, stride=1)
    assert layer_shapes(judge, torch.zeros(1, 3, 16, 64, 64)) == [
        (1, 13, 61, 61),
        (2, 10, 58, 58),
        (4, 7, 55, 55),
        (1, 4, 52, 52),
    ]


@pytest.mark.parametrize(
    ("kind", "options", "parameters"),
    [
        (ImageDiscriminator, {}, 663_296),
        (ImageDiscriminator, {"normalize_first": True}, 663_424),
        (ImageDiscriminator, {"patches": False}, 2_765_568),
        (WindowDiscriminator, {}, 11_056_896),
        (WindowDiscriminator, {"num_categories": 4}, 11_187_968),
        (WindowDiscriminator, {"num_categories": 6}, 11_253_504),
        (WindowDiscriminator, {"num_categories": 101}, 14_366_464),
        (WindowDiscriminator, {"patches": True}, 2_650_880),
    ],
)
def test_parameters_are_those_of_the_sheet(kind, options, parameters):
    with torch.device("meta"):
        assert parameters_of(kind(**options)) == parameters


def test_patch_scores_keep_their_places_and_whole_scores_are_their_mean():
    frames = ImageDiscriminator(width=2)
    assert frames(torch.zeros(3, 3, 64, 64)).shape == (3, 16)
    assert frames(torch.zeros(3, 3, 96, 96)).shape == (3, 36)
    whole = ImageDiscriminator(width=2, patches=False).eval()
    given = torch.randn(2, 3, 96, 96)
    assert torch.allclose(whole(given), whole.layers(given).flatten(1).mean(1, keepdim=True))
    assert whole.layers(given).shape[2:] == (3, 3)


def test_scores_and_categories_are_different_channels_of_the_last_layer():
    torch.manual_seed(0)
    judge = WindowDiscriminator(width=2, num_categories=3).eval()
    clip = torch.randn(2, 3, 16, 64, 64)
    raw = judge.layers(clip).flatten(1)
    scores, categories = judge(clip)
    assert torch.equal(scores.flatten(), raw[:, 0])
    assert torch.equal(categories, raw[:, 1:])


def test_without_categories_their_axis_is_empty():
    assert WindowDiscriminator(width=2)(torch.zeros(2, 3, 16, 64, 64)).categories.shape == (2, 0)


@pytest.mark.parametrize("patches", [False, True])
def test_window_scores_are_those_of_every_window_judged_alone(patches):
    torch.manual_seed(0)
    judge = WindowDiscriminator(frame_size=16, width=2, patches=patches).eval()
    clip = torch.randn(2, 3, 20, 16, 16)
    with torch.no_grad():
        scores = judge.window_scores(clip, 16)
        alone = [judge(clip[:, :, first : first + 16]).scores.mean((1, 2)) for first in range(5)]
    assert scores.shape == (2, 20 - 16 + 1)
    assert torch.allclose(scores, torch.stack(alone, dim=1), atol=1e-6)


def inputs_of_convolutions(judge, size):
    """What every convolution sees of a black clip when only noise is added on the way."""
    inputs = []
    for part in judge.modules():
        if isinstance(part, nn.Conv2d | nn.Conv3d):
            part.register_forward_hook(lambda part, given, out: inputs.append(given[0].clone()))
        if isinstance(part, nn.LeakyReLU):
            part.register_forward_hook(lambda part, given, out: torch.zeros_like(out))
    judge(torch.zeros(2, 3, *size))
    return inputs


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (ImageDiscriminator, {"noise": 0.5}, [True] * 4),
        (ImageDiscriminator, {"noise": 0.5, "patches": False}, [True] * 4 + [False]),
        (WindowDiscriminator, {"noise": 0.5}, [True] * 4 + [False]),
        (WindowDiscriminator, {"noise": 0.5, "patches": True}, [True] * 3 + [False]),
        (WindowDiscriminator, {}, [False] * 5),
    ],
)
def test_noise_stands_before_the_convolutions_that_the_sheet_names(kind, options, expected):
    torch.manual_seed(0)
    size = (64, 64) if kind is ImageDiscriminator else (16, 64, 64)
    inputs = inputs_of_convolutions(kind(width=2, **options), size)
    assert [bool(given.std() > 0) for given in inputs] == expected
    if expected[0]:
        assert inputs[0].std().item() == pytest.approx(0.5, rel=0.02)


def test_patch_judge_refuses_categories():
    with pytest.raises(ValueError, match="score whole clips instead"):
        WindowDiscriminator(patches=True, num_categories=3)


def test_frames_too_small_for_a_judge_are_refused():
    with pytest.raises(ValueError, match="frame_size is 8; it must be 16 or more"):
        WindowDiscriminator(frame_size=8)
