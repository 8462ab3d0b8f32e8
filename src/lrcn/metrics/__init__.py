"""Metrics: update, compute, merge, reset; caption scores; intervals and paired tests.

The names of caption scores load on first use: `from lrcn.metrics import score_captions`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lrcn.metrics.accuracy import Accuracy, ConfusionMatrix
from lrcn.metrics.calibration import Calibration
from lrcn.metrics.metric import Metric
from lrcn.metrics.multilabel import MeanAveragePrecision, MultiLabelF1
from lrcn.metrics.temporal import FrameAccuracy, SegmentF1

if TYPE_CHECKING:
    from lrcn.metrics.caption_scores import (
        CAPTION_METRICS,
        CaptionScores,
        compare_captions,
        score_captions,
    )
    from lrcn.metrics.diversity import measure_diversity
    from lrcn.metrics.document_frequencies import DocumentFrequencies
    from lrcn.metrics.neighbours import nearest_places, score_candidates

METRICS: dict[str, Callable[[int], Metric[Any, Any]]] = {
    "accuracy": Accuracy,
    "confusion": ConfusionMatrix,
    "calibration": Calibration,
    "mean_average_precision": MeanAveragePrecision,
    "multi_label_f1": MultiLabelF1,
    "frame_accuracy": lambda num_classes: FrameAccuracy(),  # noqa: ARG005 - one form for all
    "segment_f1": lambda num_classes: SegmentF1(),  # noqa: ARG005 - one form for all
}
"""Name to builder, given the number of classes."""

_WHERE = {
    "CAPTION_METRICS": "lrcn.metrics.caption_scores",
    "CaptionScores": "lrcn.metrics.caption_scores",
    "compare_captions": "lrcn.metrics.caption_scores",
    "score_captions": "lrcn.metrics.caption_scores",
    "measure_diversity": "lrcn.metrics.diversity",
    "DocumentFrequencies": "lrcn.metrics.document_frequencies",
    "nearest_places": "lrcn.metrics.neighbours",
    "score_candidates": "lrcn.metrics.neighbours",
}

__all__ = [
    "CAPTION_METRICS",
    "METRICS",
    "Accuracy",
    "Calibration",
    "CaptionScores",
    "ConfusionMatrix",
    "DocumentFrequencies",
    "FrameAccuracy",
    "MeanAveragePrecision",
    "Metric",
    "MultiLabelF1",
    "SegmentF1",
    "compare_captions",
    "measure_diversity",
    "nearest_places",
    "score_candidates",
    "score_captions",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(_WHERE[name]), name)
    raise AttributeError(f"module 'lrcn.metrics' has no attribute {name!r}")
