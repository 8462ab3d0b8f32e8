"""Long videos: intervals cut from them, smoothing, bands against the truth."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lrcn.evaluate.protocol import ProtocolConfig
from lrcn.evaluate.sources import SourceScorer, cut, smooth, whole_sources, without_short
from lrcn.structures import VideoFeatures, VideoInfo, VideoItem


def _item(start: float | None, end: float | None, name: str = "a", path: str = "v") -> VideoItem:
    return VideoItem(
        path=path, video_id=path, class_names=(name,), start_seconds=start, end_seconds=end
    )


def _features(num_frames: int = 10) -> VideoFeatures:
    return VideoFeatures(
        video_id="v",
        features_VTD=torch.arange(num_frames).float().view(1, -1, 1),
        pts_seconds_T=torch.arange(num_frames).double() / 10,
        frame_indices_T=torch.arange(num_frames),
        info=VideoInfo(height=4, width=4),
    )


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0.2, 0.5, [2, 3, 4]), (None, 0.15, [0, 1]), (0.8, None, [8, 9]), (0.9, 5.0, [9])],
)
def test_an_interval_holds_its_start_and_not_its_end(
    start: float | None, end: float | None, expected: list[int]
) -> None:
    part = cut(_features(), _item(start, end))

    assert part is not None
    assert part.frame_indices_T.tolist() == expected
    assert part.features_VTD[0, :, 0].tolist() == expected


def test_an_interval_behind_the_end_is_empty() -> None:
    assert cut(_features(), _item(3.0, 4.0)) is None


def test_each_source_is_read_once() -> None:
    items = [_item(0, 1), _item(1, 2), _item(0, 1, path="w"), _item(2, 3)]

    assert [(i.path, i.is_segment) for i in whole_sources(items)] == [("v", False), ("w", False)]


@pytest.mark.parametrize("num_frames", [0, 1, 2, 5, 100])
def test_smoothing_is_the_mean_of_the_frames_around(num_frames: int) -> None:
    probs = np.random.default_rng(0).random((17, 2))
    half = num_frames // 2
    expected = [probs[max(0, t - half) : t + half + 1].mean(axis=0) for t in range(17)]

    np.testing.assert_allclose(smooth(probs, num_frames), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("labels", "seconds", "expected"),
    [
        ("aaabcc", 0.2, "aaaacc"),
        ("aaabcc", 0.1, "aaabcc"),
        ("abababab", 0.2, None),
        ("baaac", 0.3, "aaaaa"),
        ("ab", 5.0, None),
        ("a", 5.0, "a"),
        ("aabbbaabbbbb", 0.3, None),
    ],
)
def test_short_runs_go_to_the_longer_neighbour(
    labels: str, seconds: float, expected: str | None
) -> None:
    times = np.arange(len(labels)) / 10
    found = without_short(np.array([ord(c) for c in labels]), times, seconds)
    text = "".join(map(chr, found))

    if expected is not None:
        assert text == expected
    runs = ["".join(run) for _, run in itertools.groupby(text)]
    assert len(runs) == 1 or min(map(len, runs)) / 10 >= seconds - 1e-9


def _scorer(**changes: float) -> SourceScorer:
    values = {"smooth_seconds": 0.0, "min_segment_seconds": 0.0, **changes}
    return SourceScorer(("a", "b"), ProtocolConfig(**values))


def test_frames_and_segments_by_hand() -> None:
    """Truth a 0..0.5, b 0.5..1; the model changes a frame late: 9 of 10, both found."""
    scorer = _scorer()
    predicted = np.array([0] * 6 + [1] * 4)
    times = np.arange(10) / 10
    scorer.add("v", [_item(0.5, 1.0, "b"), _item(0.0, 0.5)], np.eye(2)[predicted], times)

    assert scorer.compute() == pytest.approx(
        {"frame_accuracy": 0.9, "segment_f1": 1, "segment_precision": 1, "segment_recall": 1}
    )
    (source,) = scorer.results
    assert [s.class_name for s in source.true_segments] == ["a", "b"]
    bands = [(s.class_name, s.start_seconds, s.end_seconds) for s in source.predicted_segments]
    assert bands == [("a", 0.0, pytest.approx(0.6)), ("b", pytest.approx(0.6), pytest.approx(1.0))]


def test_smoothing_mends_flicker_and_the_threshold_leaves_frames_out() -> None:
    probs = np.full((20, 2), 0.5) + np.array([[0.3, -0.3]])
    probs[10] = [0.4, 0.6]
    flicker, mended, unsure = _scorer(), _scorer(smooth_seconds=0.5), _scorer(threshold=0.9)
    for scorer in (flicker, mended, unsure):
        scorer.add("v", [_item(0.0, 2.0)], probs, np.arange(20) / 10)

    assert len(flicker.results[0].predicted_segments) == 3
    assert mended.compute()["segment_f1"] == 1.0
    assert unsure.compute()["frame_accuracy"] == 0.0
    assert unsure.results[0].predicted_segments == ()


def test_open_ends_reach_the_ends_and_nothing_labelled_gives_nothing() -> None:
    scorer = _scorer()
    assert scorer.compute() == {}
    scorer.add(
        "v", [_item(None, 0.3), _item(0.3, None, "b")], np.eye(2)[[0, 0, 0, 1]], np.arange(4) / 10
    )

    assert scorer.compute()["frame_accuracy"] == 1.0
    assert scorer.results[0].true_segments[1].end_seconds == pytest.approx(0.4)


def test_a_video_of_one_frame() -> None:
    scorer = _scorer(smooth_seconds=1.0)
    scorer.add("v", [_item(0.0, 1.0)], np.array([[0.9, 0.1]]), np.zeros(1))

    assert scorer.compute()["frame_accuracy"] == 1.0
