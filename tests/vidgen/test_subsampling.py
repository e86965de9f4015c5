"""Which frames are left at each level, and what real clips look like there."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch

from vidgen.subsampling import FrameSubsampling, sparse_levels

PUBLISHED = [
    (16, (2, 2, 2), [16, 8, 4, 2]),
    (16, (4, 4, 4), [16, 4, 1, 1]),
    (16, (4, 4, 1), [16, 4, 1, 1]),
    (16, (1, 1, 1), [16, 16, 16, 16]),
    (16, (2, 1, 1), [16, 8, 8, 8]),
    (16, (1, 4, 2), [16, 16, 4, 2]),
    (2, (4, 4, 4), [2, 1, 1, 1]),
    (1, (2, 2, 2), [1, 1, 1, 1]),
]


def kept_frames(subsampling, offsets):
    """The numbers of the frames that are left at each level."""
    kept = [torch.arange(subsampling.num_frames)]
    for layer in subsampling.layers(offsets):
        kept.append(layer(kept[-1], 0))
    return [frames.tolist() for frames in kept]


def all_offsets(subsampling):
    return product(*(range(count) for count in subsampling.num_offsets))


@pytest.mark.parametrize(("num_frames", "rates", "expected"), PUBLISHED)
def test_levels_have_the_published_numbers_of_frames_at_every_offset(num_frames, rates, expected):
    subsampling = FrameSubsampling(num_frames, rates)
    assert subsampling.lengths == expected
    for offsets in all_offsets(subsampling):
        kept = kept_frames(subsampling, offsets)
        assert [len(frames) for frames in kept] == expected


@pytest.mark.parametrize(("num_frames", "rates", "expected"), PUBLISHED)
def test_every_frame_is_kept_equally_often_over_the_offsets(num_frames, rates, expected):
    subsampling = FrameSubsampling(num_frames, rates)
    draws = list(all_offsets(subsampling))
    for level, length in enumerate(expected):
        met = Counter(frame for draw in draws for frame in kept_frames(subsampling, draw)[level])
        assert set(met) == set(range(num_frames))
        assert set(met.values()) == {len(draws) * length // num_frames}


def test_kept_frames_are_where_the_formula_says():
    """Frame j of level 4 is b1 + r1·b2 + r1·r2·b3 + r1·r2·r3·j."""
    subsampling = FrameSubsampling(48, (2, 3, 4))
    b1, b2, b3 = 1, 2, 3
    levels = kept_frames(subsampling, [b1, b2, b3])
    assert list(levels[0]) == list(range(48))
    assert list(levels[1]) == [b1 + 2 * j for j in range(24)]
    assert list(levels[2]) == [b1 + 2 * b2 + 6 * j for j in range(8)]
    assert list(levels[3]) == [b1 + 2 * b2 + 6 * b3 + 24 * j for j in range(2)]


def test_averages_are_of_frames_in_a_row_and_need_no_offset():
    subsampling = FrameSubsampling(8, (2, 1, 8), average=True)
    assert subsampling.lengths == [8, 4, 4, 1]
    assert subsampling.num_offsets == [1, 1, 1]
    maps = torch.randn(3, 8, 5)
    pairs, same, whole = subsampling.layers([0, 0, 0])
    torch.testing.assert_close(pairs(maps, 1), (maps[:, ::2] + maps[:, 1::2]) / 2)
    assert torch.equal(same(maps, 1), maps)
    torch.testing.assert_close(whole(maps[:, :4], 1), maps[:, :4].mean(1, keepdim=True))


def test_averaged_levels_of_real_clips_are_means_over_frames_and_squares():
    subsampling = FrameSubsampling(4, (2, 1, 2), average=True)
    clips = torch.randn(2, 3, 4, 8, 8)
    levels = sparse_levels(clips, [subsampling.layers([0, 0, 0])] * 2)
    for level, (frames, square) in enumerate(((1, 8), (2, 4), (2, 2), (4, 1))):
        blocks = clips.reshape(2, 3, 4 // frames, frames, 8 // square, square, 8 // square, square)
        torch.testing.assert_close(levels[level], blocks.mean((3, 5, 7)))


@pytest.mark.parametrize(
    ("num_frames", "rates", "reason"),
    [
        (10, (4, 1, 1), "every 4. of 10 frames"),
        (16, (2, 3, 1), "every 3. of 8 frames"),
        (16, (2, 0, 1), "must be 1 or more"),
        (16, (-2, 1, 1), "must be 1 or more"),
    ],
)
def test_rates_that_would_keep_unequal_numbers_are_refused(num_frames, rates, reason):
    with pytest.raises(ValueError, match=reason):
        FrameSubsampling(num_frames, rates)


def test_real_levels_hold_each_clips_own_frames_averaged_over_squares():
    subsampling = FrameSubsampling(8, (2, 2, 2))
    clips = torch.randn(2, 3, 8, 16, 16)
    offsets = [[0, 1, 1], [1, 0, 0]]
    levels = sparse_levels(clips, [subsampling.layers(own) for own in offsets])
    expected_frames = [
        [list(range(8)), [0, 2, 4, 6], [2, 6], [6]],
        [list(range(8)), [1, 3, 5, 7], [1, 5], [1]],
    ]
    for level, square in enumerate((8, 4, 2, 1)):
        size = 16 // square
        assert levels[level].shape == (2, 3, 8 // 2**level, size, size)
        for number in range(2):
            frames = clips[number].numpy()[:, expected_frames[number][level]]
            blocks = frames.reshape(3, -1, size, square, size, square).mean(
                (3, 5), dtype=np.float64
            )
            np.testing.assert_allclose(levels[level][number].numpy(), blocks, atol=1e-6)


def test_lone_frames_reach_the_highest_level_as_they_are():
    subsampling = FrameSubsampling(4, (4, 4, 4))
    clips = torch.randn(1, 3, 4, 8, 8)
    levels = sparse_levels(clips, [subsampling.layers([3, 0, 0])])
    assert torch.equal(levels[3], clips[:, :, 3:])
