"""Frames and segments of long videos, by hand and by trying every matching."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lrcn.metrics.temporal import (
    FrameAccuracy,
    SegmentF1,
    match_segments,
    overlap,
)
from lrcn.structures import IGNORE_INDEX, Segment


def _segment(start: float, end: float, name: str = "a") -> Segment:
    return Segment(start_seconds=start, end_seconds=end, class_name=name)


def test_frames_outside_every_segment_are_left_out() -> None:
    metric = FrameAccuracy()
    metric.update([0, 1, 1, 2], [0, 0, 1, IGNORE_INDEX])

    assert metric.compute() == {"frame_accuracy": 2 / 3}
    with pytest.raises(ValueError, match="one label per frame"):
        metric.update([0, 1], [0])


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 2), (1, 3), 1 / 3),
        ((0, 4), (1, 3), 0.5),
        ((0, 1), (1, 2), 0.0),
        ((0, 1), (5, 6), 0.0),
        ((2, 2), (2, 2), 0.0),
    ],
)
def test_overlap(a: tuple[float, float], b: tuple[float, float], expected: float) -> None:
    assert overlap(_segment(*a), _segment(*b)) == pytest.approx(expected)


def test_half_an_overlap_is_enough_and_the_class_must_be_right() -> None:
    assert match_segments([_segment(0, 2)], [_segment(0, 4)]) == [(0, 0)]
    assert match_segments([_segment(0, 1.99)], [_segment(0, 4)]) == []
    assert match_segments([_segment(0, 4, "b")], [_segment(0, 4)]) == []


def test_two_predictions_on_one_truth_count_once() -> None:
    metric = SegmentF1()
    metric.update([_segment(0, 10), _segment(0, 9)], [_segment(0, 10)])

    assert metric.compute() == pytest.approx(
        {"segment_f1": 2 / 3, "segment_precision": 0.5, "segment_recall": 1.0}
    )


def test_nothing_predicted_is_zero() -> None:
    metric = SegmentF1()
    metric.update([], [_segment(0, 1)])

    assert metric.compute() == {"segment_f1": 0.0, "segment_precision": 0.0, "segment_recall": 0.0}


def test_as_many_matches_as_the_best_of_all_matchings() -> None:
    rng = np.random.default_rng(0)

    def some() -> list[Segment]:
        cuts = np.sort(rng.choice(30, size=5, replace=False))
        return [
            _segment(float(a), float(b), "ab"[rng.integers(0, 2)])
            for a, b in itertools.pairwise(cuts)
        ]

    for _ in range(200):
        predicted, true = some(), some()
        best = max(
            sum(
                overlap(predicted[i], true[j]) >= 0.5
                and predicted[i].class_name == true[j].class_name
                for i, j in enumerate(places)
            )
            for places in itertools.permutations(range(len(true)))
        )
        assert len(match_segments(predicted, true)) == best
