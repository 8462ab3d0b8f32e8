"""Clips out of videos: pure arithmetic, checked against written-out cases and by property."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrcn.errors import ConfigError
from lrcn.video.sampling import (
    SamplingConfig,
    Thinner,
    clip_indices,
    clip_starts,
    random_clip_start,
    thin,
)


@pytest.mark.parametrize(
    ("num_frames", "clip_length", "clip_stride", "expected"),
    [
        (9, 4, 3, [0, 3, 5]),
        (10, 4, 3, [0, 3, 6]),
        (32, 16, 8, [0, 8, 16]),
        (33, 16, 8, [0, 8, 16, 17]),
        (16, 16, 8, [0]),
        (3, 16, 8, [0]),
        (1, 1, 1, [0]),
        (5, 1, 2, [0, 2, 4]),
        (20, 4, 30, [0, 16]),
    ],
)
def test_starts_of_all_clips(num_frames, clip_length, clip_stride, expected):
    found = clip_starts(num_frames, clip_length=clip_length, clip_stride=clip_stride)

    assert expected == found


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 40))
def test_the_last_clip_ends_with_the_video_and_none_runs_over(num_frames, length, stride):
    starts = clip_starts(num_frames, clip_length=length, clip_stride=stride)

    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert starts[-1] == max(num_frames - length, 0)
    assert all(b - a <= stride for a, b in itertools.pairwise(starts)) or (num_frames <= length)


@pytest.mark.parametrize("name", ["num_frames", "clip_length", "clip_stride"])
def test_starts_refuse_zero(name):
    numbers = {"num_frames": 9, "clip_length": 4, "clip_stride": 3, name: 0}

    with pytest.raises(ValueError, match=f"{name} is 0; it must be at least 1"):
        clip_starts(numbers.pop("num_frames"), **numbers)


def test_indices_of_a_clip_stop_at_the_end():
    sampling = SamplingConfig(clip_length=3, frame_stride=2)

    assert clip_indices(8, 1, sampling) == [1, 3, 5]
    assert clip_indices(8, 5, sampling) == [5, 7]
    assert clip_indices(1, 0, sampling) == [0]
    with pytest.raises(ValueError, match="cannot start at frame 8 of a video with 8 frames"):
        clip_indices(8, 8, sampling)


def test_random_starts_reach_every_whole_clip_and_nothing_else():
    sampling = SamplingConfig(clip_length=3, frame_stride=2)
    generator = torch.Generator().manual_seed(0)

    drawn = {random_clip_start(7, sampling, generator) for _ in range(100)}

    assert drawn == {0, 1, 2}
    assert random_clip_start(4, sampling, generator) == 0
    with pytest.raises(ValueError, match="0 frames"):
        random_clip_start(0, sampling, generator)


def test_random_starts_come_from_the_generator_alone():
    sampling = SamplingConfig()
    first = [random_clip_start(500, sampling, torch.Generator().manual_seed(s)) for s in range(20)]
    torch.manual_seed(99)
    second = [random_clip_start(500, sampling, torch.Generator().manual_seed(s)) for s in range(20)]

    assert first == second
    assert len(set(first)) > 10


def test_thinning_by_time_takes_the_first_frame_at_or_after_each_instant():
    assert thin([i / 25 for i in range(11)], sample_fps=10) == [0, 3, 5, 8, 10]


def test_thinning_by_time_on_a_variable_rate():
    times = [0.0, 0.01, 0.02, 0.5, 0.51, 2.0, 2.01, 2.3]

    assert thin(times, sample_fps=2) == [0, 3, 5]


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30000 / 1001, 59.94])
def test_a_rate_equal_to_or_above_the_sources_keeps_everything(fps):
    times = [i / fps for i in range(1000)]

    assert thin(times, sample_fps=fps) == list(range(1000))
    assert thin(times, sample_fps=2 * fps) == list(range(1000))


@given(st.floats(1, 120), st.floats(0.5, 60), st.integers(1, 200))
def test_thinning_by_time_gives_the_rate_asked_for(fps, sample_fps, num_frames):
    kept = thin([i / fps for i in range(num_frames)], sample_fps=sample_fps)

    duration = (num_frames - 1) / fps
    expected = min(math.floor(duration * sample_fps) + 1, num_frames)
    assert kept == sorted(set(kept))
    assert kept[0] == 0
    assert abs(len(kept) - expected) <= 1 + num_frames * max(0, sample_fps / fps - 0.5)


def test_stride_counts_what_the_rate_leaves():
    times = [i / 20 for i in range(20)]

    assert thin(times, frame_stride=3) == [0, 3, 6, 9, 12, 15, 18]
    assert thin(times, sample_fps=10, frame_stride=3) == [0, 6, 12, 18]
    assert thin([]) == []


def test_the_stream_form_agrees():
    times = [i / 29.97 for i in range(200)]
    thinner = Thinner(frame_stride=2, sample_fps=12)

    assert [i for i, t in enumerate(times) if thinner.keeps(t)] == thin(
        times, frame_stride=2, sample_fps=12
    )


def test_settings_report_all_faults_at_once():
    with pytest.raises(ConfigError) as caught:
        SamplingConfig(clip_length=0, frame_stride=0, clip_stride=-1, sample_fps=-5.0)

    for name in ("clip_length is 0", "frame_stride is 0", "clip_stride is -1", "sample_fps is -5"):
        assert name in str(caught.value)
    with pytest.raises(ConfigError, match="frame_stride is 0"):
        thin([0.0], frame_stride=0)


def test_every_setting_has_its_help():
    from lrcn.settings import describe

    leaves = describe(SamplingConfig)
    assert len(leaves) == 4
    assert all(leaf.help for leaf in leaves)
