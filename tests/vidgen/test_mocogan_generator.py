from collections import Counter

import pytest
import torch

from vidgen.adversarial.latents import StepRandomness
from vidgen.errors import UserError
from vidgen.frames import ImageGenerator
from vidgen.mocogan_generator import (
    VideoGenerator,
    VideoLatents,
    category_schedule,
    labels_by_frame,
    moments,
    one_hot,
    recombined,
)
from vidgen.trajectories.recurrent import RecurrentTrajectory


@pytest.fixture
def latents():
    torch.manual_seed(0)
    return VideoLatents(
        torch.randn(3, 5), torch.randn(3, 2), torch.randn(3, 6, 2), torch.rand(3, 6, 4)
    )


def make_generator(category_to="rnn", begin_at_start=False):
    torch.manual_seed(1)
    told_motion, told_image = (4, 0) if category_to == "rnn" else (0, 4)
    return VideoGenerator(
        RecurrentTrajectory(told_motion + 2, 2),
        ImageGenerator(5 + told_image + 2, 16, 3, 2),
        category_to,
        begin_at_start,
    ).eval()


def test_codes_are_content_then_motion(latents):
    generator = make_generator()
    path, motion = generator.path(latents), generator.unroll(latents)
    assert torch.equal(path[:, :, :5], latents.content[:, None].expand(3, 6, 5))
    assert torch.equal(path[:, :, 5:], motion)
    assert path.shape == (3, 6, 7)


def test_codes_are_content_then_category_then_motion_if_the_image_generator_is_told(latents):
    generator = make_generator("generator")
    path = generator.path(latents)
    assert torch.equal(path[:, :, 5:9], latents.categories)
    assert torch.equal(path[:, :, 9:], generator.motion(latents.start, latents.noise))


def test_motion_is_driven_by_category_and_noise_of_the_same_frame(latents):
    generator = make_generator()
    inputs = torch.cat([latents.categories, latents.noise], dim=2)
    assert torch.equal(generator.unroll(latents), generator.motion(latents.start, inputs))


def test_path_that_begins_at_its_start_goes_on_with_the_noise_of_the_second_frame(latents):
    generator = make_generator(begin_at_start=True)
    motion = generator.unroll(latents)
    assert torch.equal(motion[:, 0], latents.start)
    inputs = torch.cat([latents.categories, latents.noise], dim=2)[:, 1:]
    assert torch.equal(motion[:, 1:], generator.motion(latents.start, inputs))


def test_frame_of_a_clip_is_the_image_of_its_code(latents):
    generator = make_generator()
    clips, path = generator(latents), generator.path(latents)
    assert clips.shape == (3, 3, 6, 16, 16)
    assert torch.allclose(clips[2, :, 4], generator.image(path[2, 4:5])[0], atol=1e-6)
    assert torch.allclose(clips[0, :, 5], generator.image(path[0, 5:6])[0], atol=1e-6)


def test_drawing_in_pieces_gives_the_same_frames(latents):
    generator = make_generator()
    path = generator.path(latents)
    whole = generator.draw(path)
    for piece in (1, 4, 6, 16):
        assert torch.allclose(generator.draw_evenly(path, piece), whole, atol=1e-6)


def test_slowed_path_passes_through_the_given_codes_and_halfway_between(latents):
    generator = make_generator("generator")
    path, slow = generator.path(latents), generator.slowed_path(latents, 2)
    assert torch.equal(slow[:, ::2], path)
    assert torch.allclose(slow[:, 1, 9:], (path[:, 0, 9:] + path[:, 1, 9:]) / 2, atol=1e-6)
    assert torch.equal(slow[:, 3, 5:9], latents.categories[:, 1])


def test_recombined_rows_share_content_and_columns_share_motion(latents):
    both = recombined(latents.clips([0, 1]), latents.clips([2, 1, 0]))
    assert len(both) == 6
    for row, content in enumerate([0, 1]):
        for column, motion in enumerate([2, 1, 0]):
            clip = row * 3 + column
            assert torch.equal(both.content[clip], latents.content[content])
            assert torch.equal(both.start[clip], latents.start[motion])
            assert torch.equal(both.noise[clip], latents.noise[motion])
            assert torch.equal(both.categories[clip], latents.categories[motion])


def test_first_frames_keep_what_belongs_to_the_whole_clip(latents):
    short = latents.first_frames(2)
    assert short.num_frames == 2
    assert torch.equal(short.noise, latents.noise[:, :2])
    assert torch.equal(short.categories, latents.categories[:, :2])
    assert torch.equal(short.content, latents.content)
    assert torch.equal(short.start, latents.start)


def test_category_changes_every_sixteen_frames():
    schedule = category_schedule(range(6), 16, 96)
    assert schedule == [frame // 16 for frame in range(96)]
    assert category_schedule([2, 0], 3, 8) == [2, 2, 2, 0, 0, 0, 2, 2]


@pytest.mark.parametrize(("categories", "every"), [([1, 2], 0), ([], 4)])
def test_schedule_that_cannot_be_is_refused(categories, every):
    with pytest.raises(UserError, match="cannot change among"):
        category_schedule(categories, every, 8)


def test_labels_of_clips_are_spread_and_labels_of_frames_kept():
    assert labels_by_frame([2, [0, 1, 0]], 3).tolist() == [[2, 2, 2], [0, 1, 0]]


def test_labels_for_another_length_are_refused():
    with pytest.raises(UserError, match="2 categories were given for 3 frames"):
        labels_by_frame([[0, 1]], 3)


def test_one_hot_axis_is_empty_without_kinds():
    assert one_hot(torch.tensor([[1, 0]]), 3).tolist() == [[[0, 1, 0], [1, 0, 0]]]
    assert one_hot(torch.tensor([[1, 0]]), 0).shape == (1, 2, 0)


def test_moments_reach_every_place_below_their_limit_equally_often():
    drawn = moments(StepRandomness(3), [5] * 5000)
    counts = Counter(drawn.tolist())
    assert sorted(counts) == [0, 1, 2, 3, 4]
    assert min(counts.values()) > 880  # 1000 each, deviation 28
    assert moments(StepRandomness(3), [1] * 50).tolist() == [0] * 50
    assert all(
        low < high
        for low, high in zip(moments(StepRandomness(0), [1, 9] * 40), [1, 9] * 40, strict=True)
    )
