"""Long videos: intervals cut from them, frames and segments against the truth."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from lrcn.evaluate.sources import SourceScorer, cut, whole_sources
from lrcn.models.segment_config import SegmentConfig
from lrcn.structures import VideoFeatures, VideoInfo, VideoItem

PLAIN = SegmentConfig(smoothing="none", enter=0.0, leave=0.0, min_seconds=0.0)


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


def _scorer(config: SegmentConfig = PLAIN) -> SourceScorer:
    return SourceScorer(("a", "b"), config)


def _certain(labels: list[int]) -> torch.Tensor:
    return torch.eye(2)[labels]


def _times(num_frames: int) -> torch.Tensor:
    return torch.arange(num_frames, dtype=torch.float64) / 10


def test_frames_and_segments_by_hand() -> None:
    """Truth a 0..0.5, b 0.5..1; the model changes a frame late: 9 of 10, both found."""
    scorer = _scorer()
    items = [_item(0.5, 1.0, "b"), _item(0.0, 0.5)]
    scorer.add("v", items, _certain([0] * 6 + [1] * 4), _times(10))

    assert scorer.compute() == pytest.approx(
        {"frame_accuracy": 0.9, "segment_f1": 1, "segment_precision": 1, "segment_recall": 1}
    )
    (source,) = scorer.results
    assert [s.class_name for s in source.true_segments] == ["a", "b"]
    bands = [(s.class_name, s.start_seconds, s.end_seconds) for s in source.predicted_segments]
    assert bands == [("a", 0.0, pytest.approx(0.6)), ("b", pytest.approx(0.6), pytest.approx(1.0))]


def test_smoothing_mends_flicker_and_the_threshold_leaves_segments_out() -> None:
    probs_TK = torch.tensor([[0.8, 0.2]]).repeat(20, 1)
    probs_TK[10] = torch.tensor([0.4, 0.6])
    flicker, mended = _scorer(), _scorer(replace(PLAIN, smoothing="mean", smooth_seconds=0.5))
    unsure = _scorer(replace(PLAIN, enter=0.9))
    for scorer in (flicker, mended, unsure):
        scorer.add("v", [_item(0.0, 2.0)], probs_TK, _times(20))

    assert len(flicker.results[0].predicted_segments) == 3
    assert flicker.compute()["frame_accuracy"] == 0.95
    assert mended.compute()["segment_f1"] == mended.compute()["frame_accuracy"] == 1.0
    assert unsure.results[0].predicted_segments == ()
    # A frame has an answer even where no segment is sure enough.
    assert unsure.compute()["frame_accuracy"] == 0.95


def test_open_ends_reach_the_ends_and_nothing_labelled_gives_nothing() -> None:
    scorer = _scorer()
    assert scorer.compute() == {}
    items = [_item(None, 0.3), _item(0.3, None, "b")]
    scorer.add("v", items, _certain([0, 0, 0, 1]), _times(4))

    assert scorer.compute()["frame_accuracy"] == 1.0
    assert scorer.results[0].true_segments[1].end_seconds == pytest.approx(0.4)


def test_a_video_of_one_frame() -> None:
    scorer = _scorer(SegmentConfig(smooth_seconds=1.0))
    scorer.add("v", [_item(0.0, 1.0)], torch.tensor([[0.9, 0.1]]), _times(1))

    assert scorer.compute()["frame_accuracy"] == 1.0
