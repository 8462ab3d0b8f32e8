"""Long videos whose truth has start and end: their items, their frames, their segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lrcn.evaluate.results import SourceResult
from lrcn.metrics.temporal import FrameAccuracy, SegmentF1
from lrcn.models.segment_config import SegmentConfig
from lrcn.models.segments import end_of_frames, find_segments, smooth
from lrcn.structures import IGNORE_INDEX, Segment, VideoFeatures, VideoItem
from lrcn.video.features import is_feature_path

_TOUCH_SECONDS = 5e-4
"""Times of lists are rounded: intervals this near to each other have no gap between them."""


def source_key(item: VideoItem) -> str:
    """What names the video behind an item; one feature file can hold several."""
    return f"{item.path} {item.video_id}" if is_feature_path(item.path) else item.path


def whole_sources(items: Iterable[VideoItem]) -> list[VideoItem]:
    """The videos behind a list's intervals, each once and whole, in the order of the list."""
    first: dict[str, VideoItem] = {}
    for item in items:
        first.setdefault(source_key(item), item)
    return [
        replace(item, start_seconds=None, end_seconds=None, class_names=())
        for item in first.values()
    ]


def cut(features: VideoFeatures, item: VideoItem) -> VideoFeatures | None:
    """The frames of one interval, start <= time < end; None where there are none."""
    times_T = features.pts_seconds_T
    inside_T = torch.ones_like(times_T, dtype=torch.bool)
    if item.start_seconds is not None:
        inside_T &= times_T >= item.start_seconds
    if item.end_seconds is not None:
        inside_T &= times_T < item.end_seconds
    if not bool(inside_T.any()):
        return None
    return VideoFeatures(
        video_id=item.video_id,
        features_VTD=features.features_VTD[:, inside_T],
        pts_seconds_T=times_T[inside_T],
        frame_indices_T=features.frame_indices_T[inside_T],
        info=features.info,
        truncated=features.truncated,
    )


class SourceScorer:
    """Frame accuracy and segment F1 over all long videos, and each one's own.

    Args:
        class_names: In the order of the probabilities.
        config: How segments are found.
        thresholds: Of every class, where several can be present at once (multi-label): a frame is
            then right when its whole set is. None = one class at a time.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        config: SegmentConfig,
        *,
        thresholds: Sequence[float] | None = None,
    ) -> None:
        self.class_names = tuple(class_names)
        self.config = config
        self.thresholds = None if thresholds is None else torch.tensor(thresholds)
        self.results: list[SourceResult] = []
        self._frames = FrameAccuracy()
        self._segments = SegmentF1()

    def add(
        self,
        path: str,
        items: Sequence[VideoItem],
        probs_TK: Tensor,
        pts_seconds_T: Tensor,
        fps: float | None = None,
    ) -> None:
        """Take in one video: its labelled intervals, and the model's word on every frame.

        A frame's answer is its most probable class after smoothing (with several labels: all
        classes that reach their thresholds); segments are those that `lrcn predict` shows with the
        same settings.
        """
        end = end_of_frames(pts_seconds_T, fps)
        several = self.thresholds is not None
        true = sorted(
            (s for item in items for s in self._segments_of(item, end)),
            key=lambda s: s.start_seconds,
        )
        true = _joined(true) if several else true
        smooth_TK = smooth(probs_TK, pts_seconds_T, self.config)
        if self.thresholds is None:
            true_T = self._labels(true, pts_seconds_T.numpy())
            predicted_T = smooth_TK.argmax(dim=1).numpy()
        else:
            sets_TK = self._sets(true, pts_seconds_T.numpy())
            right_T = ((smooth_TK >= self.thresholds).numpy() == sets_TK).all(axis=1)
            true_T = np.where(sets_TK.any(axis=1), 1, IGNORE_INDEX)
            predicted_T = right_T.astype(np.int64)
        predicted = find_segments(
            probs_TK,
            pts_seconds_T,
            self.class_names,
            self.config,
            multi_label=several,
            end_seconds=end,
        )
        frames, segments = FrameAccuracy(), SegmentF1()
        frames.update(predicted_T, true_T)
        segments.update(predicted, true)
        self._frames.merge(frames)
        self._segments.merge(segments)
        num_labelled = int((true_T != IGNORE_INDEX).sum())
        self.results.append(
            SourceResult(
                path=path,
                end_seconds=end,
                num_frames=len(true_T),
                num_labelled_frames=num_labelled,
                frame_accuracy=frames.compute()["frame_accuracy"] if num_labelled else None,
                segment_f1=segments.compute()["segment_f1"],
                true_segments=tuple(true),
                predicted_segments=predicted,
            )
        )

    def compute(self) -> dict[str, float]:
        """`frame_accuracy`, `segment_f1`, `segment_precision`, `segment_recall`; or nothing."""
        if not any(source.num_labelled_frames for source in self.results):
            return {}
        return {**self._frames.compute(), **self._segments.compute()}

    def _segments_of(self, item: VideoItem, end_seconds: float) -> list[Segment]:
        start = 0.0 if item.start_seconds is None else item.start_seconds
        end = end_seconds if item.end_seconds is None else item.end_seconds
        return [
            Segment(start_seconds=start, end_seconds=max(start, end), class_name=name)
            for name in item.class_names
        ]

    def _labels(
        self, segments: Sequence[Segment], pts_seconds_T: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        labels_T = np.full(len(pts_seconds_T), IGNORE_INDEX)
        for s in segments:
            inside_T = (pts_seconds_T >= s.start_seconds) & (pts_seconds_T < s.end_seconds)
            labels_T[inside_T] = self.class_names.index(s.class_name)
        return labels_T

    def _sets(
        self, segments: Sequence[Segment], pts_seconds_T: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Which classes are present in each frame, T x K."""
        sets_TK = np.zeros((len(pts_seconds_T), len(self.class_names)), dtype=bool)
        for s in segments:
            inside_T = (pts_seconds_T >= s.start_seconds) & (pts_seconds_T < s.end_seconds)
            sets_TK[inside_T, self.class_names.index(s.class_name)] = True
        return sets_TK


def _joined(segments: Sequence[Segment]) -> list[Segment]:
    """Segments by start, with those of one class that touch or overlap made one.

    A list divides a video wherever its set of labels changes: "run" in 0..2 and "run;jump" in 2..4
    are one segment of run.
    """
    last: dict[str, int] = {}
    joined: list[Segment] = []
    for s in segments:
        at = last.get(s.class_name)
        if at is not None and s.start_seconds <= joined[at].end_seconds + _TOUCH_SECONDS:
            end = max(joined[at].end_seconds, s.end_seconds)
            joined[at] = replace(joined[at], end_seconds=end)
        else:
            last[s.class_name] = len(joined)
            joined.append(s)
    return joined
