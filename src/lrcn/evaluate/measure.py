"""From every video's probabilities to the numbers of a results file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from lrcn.evaluate.results import ClassResult, Interval
from lrcn.metrics.accuracy import Accuracy, ConfusionMatrix, ranks_of_truth
from lrcn.metrics.calibration import Calibration
from lrcn.metrics.intervals import bootstrap_interval, wilson_interval
from lrcn.metrics.multilabel import (
    MeanAveragePrecision,
    MultiLabelF1,
    mean_average_precision_of_draws,
)

INTERVAL_LEVEL = 0.95
INTERVAL_METHOD = (
    "percentile bootstrap by video; Wilson's where every item is right, every one is wrong, or all"
    " are intervals of one video"
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The numbers of one evaluation."""

    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    per_class: tuple[ClassResult, ...]
    confusion: tuple[tuple[int, ...], ...] | None


def measure_labels(
    probs_NK: NDArray[np.float64],
    labels_N: NDArray[np.int64],
    units: Sequence[str],
    class_names: Sequence[str],
    *,
    seed: int,
    num_resamples: int,
) -> Measured:
    """One label per video.

    Args:
        probs_NK: probabilities.
        labels_N: the truth.
        units: what is drawn whole in the bootstrap: the file of each item.
        class_names: the K classes.
        seed: of the bootstrap.
        num_resamples: of the bootstrap.
    """
    num_classes = len(class_names)
    accuracy, confusion = Accuracy(num_classes), ConfusionMatrix(num_classes)
    calibration = Calibration(num_classes)
    for metric in (accuracy, confusion, calibration):
        metric.update(probs_NK, labels_N)
    metrics = {**accuracy.compute(), **confusion.compute(), **calibration.compute()}
    ranks_N = ranks_of_truth(probs_NK, labels_N)
    generator = torch.Generator().manual_seed(seed)

    def interval(right_N: NDArray[np.bool_], *, by_class: bool = False) -> Interval:
        # One video gives no idea how videos differ: every draw is the same.
        if right_N.all() or not right_N.any() or len(set(units)) == 1:
            return wilson_interval(int(right_N.sum()), len(right_N), level=INTERVAL_LEVEL)

        def mean(places: NDArray[np.int64]) -> float:
            if not by_class:
                return float(right_N[places].mean())
            totals_K = np.bincount(labels_N[places], minlength=num_classes)
            found_K = np.bincount(labels_N[places], weights=right_N[places], minlength=num_classes)
            return float((found_K[totals_K > 0] / totals_K[totals_K > 0]).mean())

        return bootstrap_interval(
            mean, units, generator=generator, level=INTERVAL_LEVEL, num_resamples=num_resamples
        )

    intervals = {"accuracy_top1": interval(ranks_N < 1)}
    if len(set(units)) > 1 or len(set(ranks_N < 1)) == 1:
        intervals["mean_class_accuracy"] = interval(ranks_N < 1, by_class=True)
    if "accuracy_top5" in metrics:
        intervals["accuracy_top5"] = interval(ranks_N < 5)
    matrix = confusion.matrix_KK
    recall, precision, f1 = confusion.per_class()
    per_class = tuple(
        ClassResult(
            class_name=name,
            num_videos=(num := int(matrix[k].sum())),
            num_predicted=int(matrix[:, k].sum()),
            recall=recall[k],
            recall_interval=_wilson(int(matrix[k, k]), num),
            precision=precision[k],
            f1=f1[k],
        )
        for k, name in enumerate(class_names)
    )
    return Measured(
        metrics=metrics,
        intervals=intervals,
        per_class=per_class,
        confusion=tuple(tuple(int(n) for n in row) for row in matrix),
    )


def measure_multi_label(
    probs_NK: NDArray[np.float64],
    targets_NK: NDArray[np.bool_],
    units: Sequence[str],
    class_names: Sequence[str],
    *,
    thresholds: Sequence[float],
    seed: int,
    num_resamples: int,
) -> Measured:
    """Several labels per video; arguments as in `measure_labels`."""
    num_classes = len(class_names)
    ranking = MeanAveragePrecision(num_classes)
    decisions = MultiLabelF1(num_classes, thresholds=thresholds)
    ranking.update(probs_NK, targets_NK)
    decisions.update(probs_NK, targets_NK)
    metrics = {**ranking.compute(), **decisions.compute()}
    generator = torch.Generator().manual_seed(seed)

    present_NK = probs_NK >= np.asarray(thresholds)

    def f1_micro(places: NDArray[np.int64]) -> float:
        present, true = present_NK[places], targets_NK[places]
        size = int(present.sum() + true.sum())
        return 2 * int((present & true).sum()) / size if size else float("nan")

    statistics = {
        "mean_average_precision": mean_average_precision_of_draws(probs_NK, targets_NK),
        "f1_micro": f1_micro,
    }
    intervals = {
        key: bootstrap_interval(
            statistic,
            units,
            generator=generator,
            level=INTERVAL_LEVEL,
            num_resamples=num_resamples,
        )
        for key, statistic in statistics.items()
        if len(set(units)) > 1
    }
    recall, precision, f1 = decisions.per_class()
    precisions = ranking.per_class()
    num_true, num_predicted = decisions.counts
    right_K = (present_NK & targets_NK).sum(axis=0)
    per_class = tuple(
        ClassResult(
            class_name=name,
            num_videos=num_true[k],
            num_predicted=num_predicted[k],
            recall=recall[k],
            recall_interval=_wilson(int(right_K[k]), num_true[k]),
            precision=precision[k],
            f1=f1[k],
            average_precision=precisions[k],
        )
        for k, name in enumerate(class_names)
    )
    return Measured(metrics=metrics, intervals=intervals, per_class=per_class, confusion=None)


def _wilson(num_right: int, num_items: int) -> Interval | None:
    return wilson_interval(num_right, num_items, level=INTERVAL_LEVEL) if num_items else None
