"""Long videos whose truth has start and end: their items, their frames, their segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.evaluate.protocol import ProtocolConfig
from lrcn.evaluate.results import SourceResult
from lrcn.metrics.temporal import FrameAccuracy, SegmentF1, segments_of_frames
from lrcn.structures import IGNORE_INDEX, Segment, VideoFeatures, VideoItem
from lrcn.video.features import is_feature_path


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


def frame_spacing(pts_seconds_T: NDArray[np.float64]) -> float:
    """Median seconds from one frame to the next; 0 for a single frame."""
    return float(np.median(np.diff(pts_seconds_T))) if len(pts_seconds_T) > 1 else 0.0


def smooth(probs_TK: NDArray[np.float64], num_frames: int) -> NDArray[np.float64]:
    """Mean over a window of frames around each one; shorter at the ends of the video."""
    half = num_frames // 2
    if half == 0:
        return probs_TK
    sums = np.concatenate([np.zeros((1, probs_TK.shape[1])), np.cumsum(probs_TK, axis=0)])
    places = np.arange(len(probs_TK))
    low, high = np.maximum(places - half, 0), np.minimum(places + half + 1, len(probs_TK))
    result: NDArray[np.float64] = (sums[high] - sums[low]) / (high - low)[:, None]
    return result


def without_short(
    labels_T: NDArray[np.int64], pts_seconds_T: NDArray[np.float64], min_seconds: float
) -> NDArray[np.int64]:
    """Runs of labels shorter than that get their longer neighbour's, the shortest run first.

    ::

        labels a a a b c c      pts 0.0 0.1 0.2 0.3 0.4 0.5, at least 0.2 seconds
               a a a a c c
    """
    labels_T = labels_T.copy()
    ends = np.append(pts_seconds_T[1:], pts_seconds_T[-1] + frame_spacing(pts_seconds_T))
    while True:
        starts = np.flatnonzero(np.append(True, np.diff(labels_T) != 0))
        stops = np.append(starts[1:], len(labels_T))
        lengths = ends[stops - 1] - pts_seconds_T[starts]
        shortest = int(lengths.argmin())
        # Times are sums of frame lengths: equal ones may differ in the last digits.
        if len(starts) == 1 or lengths[shortest] >= min_seconds - 1e-9:
            return labels_T
        beside = [i for i in (shortest - 1, shortest + 1) if 0 <= i < len(starts)]
        longer = max(beside, key=lambda i: lengths[i])
        labels_T[starts[shortest] : stops[shortest]] = labels_T[starts[longer]]


class SourceScorer:
    """Frame accuracy and segment F1 over all long videos, and each one's own."""

    def __init__(self, class_names: Sequence[str], protocol: ProtocolConfig) -> None:
        self.class_names = tuple(class_names)
        self.protocol = protocol
        self.results: list[SourceResult] = []
        self._frames = FrameAccuracy()
        self._segments = SegmentF1()

    def add(
        self,
        path: str,
        items: Sequence[VideoItem],
        probs_TK: NDArray[np.float64],
        pts_seconds_T: NDArray[np.float64],
    ) -> None:
        """Take in one video: its labelled intervals, and the model's word on every frame."""
        spacing = frame_spacing(pts_seconds_T)
        window = round(self.protocol.smooth_seconds / spacing) if spacing > 0 else 0
        smoothed_TK = smooth(probs_TK, window)
        predicted_T = np.where(
            smoothed_TK.max(axis=1) >= self.protocol.threshold,
            smoothed_TK.argmax(axis=1),
            IGNORE_INDEX,
        )
        predicted_T = without_short(predicted_T, pts_seconds_T, self.protocol.min_segment_seconds)
        end = float(pts_seconds_T[-1]) + spacing
        true = sorted((self._segment(item, end) for item in items), key=lambda s: s.start_seconds)
        true_T = self._labels(true, pts_seconds_T)
        predicted = segments_of_frames(
            predicted_T, pts_seconds_T, self.class_names, end_seconds=end
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
                predicted_segments=tuple(predicted),
            )
        )

    def compute(self) -> dict[str, float]:
        """`frame_accuracy`, `segment_f1`, `segment_precision`, `segment_recall`; or nothing."""
        if not any(source.num_labelled_frames for source in self.results):
            return {}
        return {**self._frames.compute(), **self._segments.compute()}

    def _segment(self, item: VideoItem, end_seconds: float) -> Segment:
        start = 0.0 if item.start_seconds is None else item.start_seconds
        end = end_seconds if item.end_seconds is None else item.end_seconds
        return Segment(
            start_seconds=start, end_seconds=max(start, end), class_name=item.class_names[0]
        )

    def _labels(
        self, segments: Sequence[Segment], pts_seconds_T: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        labels_T = np.full(len(pts_seconds_T), IGNORE_INDEX)
        for s in segments:
            inside_T = (pts_seconds_T >= s.start_seconds) & (pts_seconds_T < s.end_seconds)
            labels_T[inside_T] = self.class_names.index(s.class_name)
        return labels_T
