"""Metrics: update, compute, merge, reset; intervals and paired tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lrcn.metrics.accuracy import Accuracy, ConfusionMatrix
from lrcn.metrics.calibration import Calibration
from lrcn.metrics.metric import Metric
from lrcn.metrics.multilabel import MeanAveragePrecision, MultiLabelF1
from lrcn.metrics.temporal import FrameAccuracy, SegmentF1

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
