"""What happens when: worked examples, and properties that hold for any probabilities."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn.errors import ConfigError
from lrcn.models.segment_config import SegmentConfig
from lrcn.models.segments import NONE, end_of_frames, find_segments, hysteresis, smooth
from lrcn.structures import Segment

NAMES = ("a", "b", "c")
PLAIN = SegmentConfig(smoothing="none", min_seconds=0.0)


def probs_of(text: str, prob: float = 0.8) -> torch.Tensor:
    """One frame a letter: "a" is class 0 with `prob`, "." is nothing in particular."""
    rest = (1 - prob) / 2
    rows = [
        [prob if name == letter else rest for name in NAMES] if letter in NAMES else [1 / 3] * 3
        for letter in text
    ]
    return torch.tensor(rows)


def times_of(probs_TK: torch.Tensor, fps: float = 10.0) -> torch.Tensor:
    return torch.arange(len(probs_TK), dtype=torch.float64) / fps


def found(text: str, config: SegmentConfig = PLAIN) -> str:
    """Segments as "a0-3 b3-5", in tenths of a second."""
    probs_TK = probs_of(text)
    segments = find_segments(probs_TK, times_of(probs_TK), NAMES, config)
    return " ".join(
        f"{s.class_name}{10 * s.start_seconds:.0f}-{10 * s.end_seconds:.0f}" for s in segments
    )


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("aaabb", "a0-3 b3-5"),
        ("aaa..bb", "a0-5 b5-7"),  # 1/3 is above `leave`: a goes on until b begins
        ("..aab", "a2-4 b4-5"),
        ("....", ""),
        ("a", "a0-0"),
    ],
)
def test_runs_become_segments(text: str, segments: str) -> None:
    assert found(text) == segments


def test_a_segment_holds_from_enter_to_leave() -> None:
    probs_TK = torch.tensor([[0.45], [0.55], [0.45], [0.35], [0.25], [0.45]])
    config = SegmentConfig(smoothing="none", min_seconds=0.0, enter=0.5, leave=0.3)
    assert hysteresis(probs_TK, config) == [NONE, 0, 0, 0, NONE, NONE]


def test_enter_of_zero_takes_the_most_probable_always() -> None:
    config = SegmentConfig(smoothing="none", min_seconds=0.0, enter=0.0, leave=0.0)
    probs_TK = torch.softmax(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), 1)
    assert hysteresis(probs_TK, config) == probs_TK.argmax(1).tolist()


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("aaaabaaaa", "a0-9"),  # one frame of b inside a
        ("aaaa.bbbb", "a0-5 b5-9"),
        ("aaaacbbbb", "a0-5 b5-9"),  # a and b are equally probable there: the earlier one
        ("baaaa", "a0-5"),
        ("aaaab", "a0-5"),
        ("....b....", ""),
        ("b", "b0-0"),  # a lone frame is all there is
    ],
)
def test_what_is_too_short_goes_to_a_neighbour(text: str, segments: str) -> None:
    config = SegmentConfig(smoothing="none", min_seconds=0.2, enter=0.5, leave=0.4)
    assert found(text, config) == segments


def test_smoothing_goes_by_time_not_by_frames() -> None:
    config = SegmentConfig(smooth_seconds=0.4)
    step = torch.zeros(40, 1)
    step[20:] = 1.0
    slow = smooth(step[::2], times_of(step)[::2], config)
    fast = smooth(step, times_of(step), config)
    assert fast[19].item() == pytest.approx(2 / 5)
    assert fast[17].item() == 0
    assert slow[9].item() == pytest.approx(1 / 3)
    late = smooth(step, times_of(step), SegmentConfig(smoothing="exponential", smooth_seconds=0.4))
    assert late[19].item() == 0
    assert late[24].item() == pytest.approx(1 - torch.tensor(-0.5 / 0.4).exp().item(), rel=1e-5)


def test_several_labels_overlap() -> None:
    probs_TK = torch.tensor([[0.9, 0.1], [0.9, 0.9], [0.1, 0.9]])
    segments = find_segments(
        probs_TK, times_of(probs_TK), ("a", "b"), PLAIN, multi_label=True, end_seconds=0.35
    )
    assert [(s.class_name, s.start_seconds, s.end_seconds) for s in segments] == [
        ("a", 0.0, 0.2),
        ("b", 0.1, 0.35),
    ]
    assert segments[0].prob == pytest.approx(0.9)


def test_impossible_settings_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError, match=r"enter must be between.*min_seconds must be"):
        SegmentConfig(enter=1.5, min_seconds=-1.0)
    with pytest.raises(ConfigError, match="above enter"):
        SegmentConfig(enter=0.2, leave=0.3)
    with pytest.raises(ValueError, match="must be 2 x 3"):
        find_segments(torch.zeros(2, 4), torch.zeros(2), NAMES, PLAIN)


def test_no_frames_no_segments() -> None:
    assert find_segments(torch.zeros(0, 3), torch.zeros(0), NAMES, PLAIN) == ()


def test_the_last_frame_lasts_as_long_as_frames_do() -> None:
    times_T = torch.tensor([1.0, 1.5, 2.0])
    assert end_of_frames(times_T, None) == 2.5
    assert end_of_frames(times_T, 10.0) == pytest.approx(2.1)
    assert end_of_frames(times_T[:1], None) == 1.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.floats(0, 1),
    st.sampled_from(["mean", "exponential", "none"]),
    st.floats(0, 1.0),
)
def test_segments_are_in_order_apart_and_long_enough(
    letters: list[int], enter: float, smoothing: str, min_seconds: float
) -> None:
    probs_TK = probs_of("".join("abc."[i] for i in letters))
    config = SegmentConfig(
        smoothing=smoothing, enter=enter, leave=enter / 2, min_seconds=min_seconds
    )
    segments = find_segments(probs_TK, times_of(probs_TK), NAMES, config)
    total = len(letters) / 10
    for before, after in itertools.pairwise(segments):
        assert before.end_seconds <= after.start_seconds
        assert before.class_name != after.class_name or before.end_seconds < after.start_seconds
    for segment in segments:
        assert isinstance(segment, Segment)
        alone = segment.start_seconds == 0 and segment.end_seconds == pytest.approx(total)
        length = segment.end_seconds - segment.start_seconds
        assert alone or length >= min_seconds - 2e-3 or len(letters) == 1
