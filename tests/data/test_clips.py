from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.clips import ClipSampler
from data.sources import DataError

lengths = st.integers(1, 200)
clip_lengths = st.integers(1, 40)
strides = st.integers(1, 8)
rates = st.integers(1, 120).map(float)
# A loaded machine makes a test slow, not wrong.
unhurried = settings(deadline=None)


def drawn(sampler: ClipSampler, num_frames: int, fps: float = 25.0, seed: int = 0) -> list[int]:
    return sampler.indices(num_frames, fps, np.random.default_rng(seed)).tolist()


def test_span_counts_first_and_last_frame():
    assert ClipSampler(16).span(25.0) == 16
    assert ClipSampler(16, stride=2).span(25.0) == 31
    assert ClipSampler(1, stride=9).span(25.0) == 1
    assert ClipSampler(3, fps=10.0).span(50.0) == 11


@unhurried
@given(clip_lengths, strides, lengths, st.integers(0, 2**32 - 1))
def test_a_clip_that_fits_is_evenly_spaced_and_inside(length, stride, num_frames, seed):
    sampler = ClipSampler(length, stride, short="skip")
    if not sampler.usable(num_frames, 25.0):
        assert num_frames < (length - 1) * stride + 1
        return
    indices = sampler.indices(num_frames, 25.0, np.random.default_rng(seed))
    assert indices.dtype == np.int64
    assert len(indices) == length
    assert set(np.diff(indices)) <= {stride}
    assert indices[0] >= 0 and indices[-1] < num_frames


@unhurried
@given(clip_lengths, strides, st.integers(0, 5))
def test_every_start_is_reached_and_none_beyond(length, stride, spare):
    sampler = ClipSampler(length, stride)
    num_frames = sampler.span(25.0) + spare
    generator = np.random.default_rng(0)
    starts = {int(sampler.indices(num_frames, 25.0, generator)[0]) for _ in range(60)}
    assert starts == set(range(spare + 1))


def test_starts_are_drawn_evenly():
    generator = np.random.default_rng(1)
    sampler = ClipSampler(4)
    starts = [int(sampler.indices(7, 25.0, generator)[0]) for _ in range(4000)]
    # Four starts, 1000 times each; five standard deviations of a binomial are 137.
    assert np.abs(np.bincount(starts, minlength=4) - 1000).max() < 137


def test_centre_and_first_are_where_they_say_and_draw_nothing():
    generator = np.random.default_rng(3)
    before = generator.bit_generator.state
    assert ClipSampler(4, start="centre").indices(9, 25.0, generator).tolist() == [2, 3, 4, 5]
    assert ClipSampler(4, start="first").indices(9, 25.0, generator).tolist() == [0, 1, 2, 3]
    assert generator.bit_generator.state == before


def test_equal_generators_give_equal_clips():
    assert drawn(ClipSampler(8), 500, seed=5) == drawn(ClipSampler(8), 500, seed=5)
    assert drawn(ClipSampler(8), 500, seed=5) != drawn(ClipSampler(8), 500, seed=6)


def test_short_videos_loop_or_repeat_their_last_frame():
    assert drawn(ClipSampler(5, short="loop"), 3) == [0, 1, 2, 0, 1]
    assert drawn(ClipSampler(4, stride=2, short="loop"), 3) == [0, 2, 1, 0]
    assert drawn(ClipSampler(5, short="repeat_last"), 3) == [0, 1, 2, 2, 2]
    assert drawn(ClipSampler(4, stride=2, short="repeat_last"), 4) == [0, 2, 3, 3]
    assert drawn(ClipSampler(3, short="loop"), 1) == [0, 0, 0]


def test_short_videos_are_skipped_or_refused():
    assert not ClipSampler(5, short="skip").usable(4, 25.0)
    assert ClipSampler(5, short="skip").usable(5, 25.0)
    assert ClipSampler(5, short="error").usable(4, 25.0)
    for policy in ("skip", "error"):
        with pytest.raises(DataError, match="4 frames is shorter than a clip of 5"):
            drawn(ClipSampler(5, short=policy), 4)
    with pytest.raises(DataError, match="shorter"):
        ClipSampler(5, short="error").windows(4, 25.0)


@pytest.mark.parametrize("policy", ["loop", "repeat_last", "skip", "error"])
def test_empty_videos_are_never_usable(policy):
    sampler = ClipSampler(2, short=policy)
    assert not sampler.usable(0, 25.0)
    with pytest.raises(DataError):
        drawn(sampler, 0)


@unhurried
@given(clip_lengths, strides, st.integers(1, 9), lengths)
def test_windows_start_every_hop_and_miss_none(length, stride, hop, num_frames):
    sampler = ClipSampler(length, stride, short="skip", hop=hop)
    starts = [int(window[0]) for window in sampler.windows(num_frames, 25.0)]
    last = num_frames - sampler.span(25.0)
    assert starts == [start for start in range(num_frames) if start <= last and start % hop == 0]


def test_windows_of_short_videos_follow_the_policy():
    assert [w.tolist() for w in ClipSampler(3, short="loop").windows(2, 25.0)] == [[0, 1, 0]]
    assert ClipSampler(3, short="skip").windows(2, 25.0) == []


def test_clips_spread_over_a_video_begin_with_its_first_and_end_with_its_last_frame():
    sampler = ClipSampler(3, stride=2)  # a span of 5
    assert sampler.spread(12, 25.0, 3).tolist() == [[0, 2, 4], [3, 5, 7], [7, 9, 11]]
    assert sampler.spread(12, 25.0, 2).tolist() == [[0, 2, 4], [7, 9, 11]]
    assert sampler.spread(12, 25.0, 1).tolist() == [[3, 5, 7]]
    assert sampler.spread(5, 25.0, 2).tolist() == [[0, 2, 4]] * 2


def test_clips_spread_over_a_short_video_follow_the_policy():
    assert ClipSampler(5).spread(3, 25.0, 2).tolist() == [[0, 1, 2, 0, 1]] * 2
    assert ClipSampler(5, short="repeat_last").spread(3, 25.0, 1).tolist() == [[0, 1, 2, 2, 2]]
    with pytest.raises(DataError, match="3 frames is shorter"):
        ClipSampler(5, short="error").spread(3, 25.0, 2)


def test_rates_choose_the_frame_on_display_at_each_time():
    at_ten = ClipSampler(5, fps=10.0, start="first")
    assert drawn(at_ten, 100, 50.0) == [0, 5, 10, 15, 20]
    assert drawn(at_ten, 100, 25.0) == [0, 2, 5, 7, 10]
    assert drawn(ClipSampler(4, fps=50.0, start="first"), 100, 25.0) == [0, 0, 1, 1]
    assert drawn(ClipSampler(4, fps=29.97, start="first"), 100, 29.97) == [0, 1, 2, 3]


@unhurried
@given(rates, rates, clip_lengths)
def test_clips_by_time_lag_their_times_by_less_than_a_frame(video_fps, fps, length):
    sampler = ClipSampler(length, fps=fps, start="first")
    indices = sampler.indices(10_000, video_fps, np.random.default_rng(0))
    lag = np.arange(length) / fps - indices / video_fps
    assert (lag > -1e-6).all() and (lag < 1 / video_fps).all()
    assert sampler.span(video_fps) == indices[-1] - indices[0] + 1


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"num_frames": 0}, "num_frames is 0"),
        ({"num_frames": 2.5}, "num_frames is 2.5"),
        ({"num_frames": 4, "stride": 0}, "stride is 0"),
        ({"num_frames": 4, "hop": -1}, "hop is -1"),
        ({"num_frames": 4, "fps": 0.0}, "fps is 0.0"),
        ({"num_frames": 4, "fps": float("nan")}, "fps is nan"),
        ({"num_frames": 4, "fps": 25.0, "stride": 2}, "give only one"),
        ({"num_frames": 4, "start": "center"}, "choose one of random, centre, first"),
        ({"num_frames": 4, "short": "wrap"}, "choose one of loop, repeat_last, skip, error"),
    ],
)
def test_settings_without_meaning_are_refused(unchecked, settings, complaint):
    with pytest.raises(DataError, match=complaint):
        ClipSampler(**settings)


def test_a_video_without_a_rate_cannot_be_sampled_by_time():
    with pytest.raises(DataError, match="use stride"):
        drawn(ClipSampler(4, fps=10.0), 100, 0.0)
