"""Items with several labels at once: average precision, and F1 at a threshold per class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrcn.metrics.accuracy import ratios
from lrcn.metrics.metric import (
    Inputs,
    Metric,
    as_probs,
    as_targets,
    require_same,
    require_some,
)


def average_precision(probs_N: NDArray[np.float64], targets_N: NDArray[np.bool_]) -> float | None:
    """Area under precision and recall: sum over thresholds of (R_n - R_(n-1)) P_n.

    Items of equal probability enter together, so their order does not matter. None without any
    positive item.
    """
    num_positive = int(targets_N.sum())
    if num_positive == 0:
        return None
    order = np.argsort(-probs_N, kind="stable")
    right = targets_N[order].cumsum()
    last_of_ties = np.append(np.diff(probs_N[order]) != 0, True)
    right_at = right[last_of_ties]
    precision = right_at / (np.flatnonzero(last_of_ties) + 1)
    gained = np.diff(right_at, prepend=0) / num_positive
    return float((gained * precision).sum())


def mean_average_precision_of_draws(
    probs_NK: NDArray[np.float64], targets_NK: NDArray[np.bool_]
) -> Callable[[NDArray[np.int64]], float]:
    """The mean average precision of items drawn with repetitions; sorts once, for many draws.

    Returns:
        A function of the places of the items drawn; NaN where none of them has a label.
    """
    order_KN = np.argsort(-probs_NK, axis=0, kind="stable").T
    targets_KN = np.take_along_axis(targets_NK.T, order_KN, axis=1)
    sorted_KN = np.take_along_axis(probs_NK.T, order_KN, axis=1)
    # Where the run of equal probabilities ends that an item is in.
    ends_KN = np.stack([np.searchsorted(-row, -row, side="right") - 1 for row in sorted_KN])

    def measure(places: NDArray[np.int64]) -> float:
        times_N = np.bincount(places, minlength=len(probs_NK)).astype(np.float64)
        times_KN = times_N[order_KN]
        right_KN = times_KN * targets_KN
        num_above_KN = np.take_along_axis(times_KN.cumsum(axis=1), ends_KN, axis=1)
        num_right_KN = np.take_along_axis(right_KN.cumsum(axis=1), ends_KN, axis=1)
        sums_K = (right_KN * num_right_KN / np.maximum(num_above_KN, 1)).sum(axis=1)
        totals_K = right_KN.sum(axis=1)
        present_K = totals_K > 0
        if not present_K.any():
            return float("nan")
        return float((sums_K[present_K] / totals_K[present_K]).mean())

    return measure


def fit_thresholds(probs_NK: ArrayLike, targets_NK: ArrayLike) -> tuple[float, ...]:
    """For every class the threshold with the best F1 on validation data.

    Thresholds lie half-way between neighbouring probabilities; of equally good ones the one
    nearest to 0.5 is taken. A class without positive items gets 0.5.

    Raises:
        DataError: there are no items.
        ValueError: the shapes or values do not fit.
    """
    shape = np.shape(probs_NK)
    probs = as_probs(probs_NK, shape[1] if len(shape) == 2 else 0)
    targets = as_targets(targets_NK, probs.shape)
    require_some(len(probs), "validation videos")
    return tuple(_best_threshold(probs[:, k], targets[:, k]) for k in range(probs.shape[1]))


def _best_threshold(probs_N: NDArray[np.float64], targets_N: NDArray[np.bool_]) -> float:
    if not targets_N.any():
        return 0.5
    levels = np.unique(probs_N)
    candidates = np.concatenate(([levels[0] / 2], (levels[1:] + levels[:-1]) / 2))
    order = np.sort(probs_N)
    positives = np.sort(probs_N[targets_N])
    num_predicted = len(order) - np.searchsorted(order, candidates)
    num_right = len(positives) - np.searchsorted(positives, candidates)
    f1 = 2 * num_right / (num_predicted + len(positives))
    best = candidates[np.isclose(f1, f1.max(), rtol=0, atol=1e-12)]
    return float(best[np.argmin(np.abs(best - 0.5))])


class MeanAveragePrecision(Metric[ArrayLike, ArrayLike]):
    """Mean over classes of the average precision; classes without positive items are left out."""

    inputs: ClassVar[Inputs] = "multi_label"

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self._probs: list[NDArray[np.float64]] = []
        self._targets: list[NDArray[np.bool_]] = []

    def update(self, predictions: ArrayLike, targets: ArrayLike) -> None:
        """Take in probs_NK and targets_NK of 0 and 1.

        Raises:
            ValueError: the shapes or values do not fit.
        """
        probs = as_probs(predictions, self.num_classes)
        self._targets.append(as_targets(targets, probs.shape))
        self._probs.append(probs)

    def merge(self, other: MeanAveragePrecision) -> None:
        """Take in everything that the other one took in.

        Raises:
            ValueError: the other one counts another number of classes.
        """
        require_same("numbers of classes", self.num_classes, other.num_classes)
        self._probs.extend(other._probs)
        self._targets.extend(other._targets)

    def compute(self) -> dict[str, float]:
        """`mean_average_precision`.

        Raises:
            DataError: nothing was taken in, or no item has any label.
        """
        found = [value for value in self.per_class() if value is not None]
        require_some(len(found), "classes with labelled videos")
        return {"mean_average_precision": float(np.mean(found))}

    def per_class(self) -> list[float | None]:
        """Average precision of every class, None without positive items.

        Raises:
            DataError: nothing was taken in.
        """
        require_some(sum(map(len, self._probs)), "labelled videos")
        probs, targets = np.concatenate(self._probs), np.concatenate(self._targets)
        return [average_precision(probs[:, k], targets[:, k]) for k in range(self.num_classes)]


class MultiLabelF1(Metric[ArrayLike, ArrayLike]):
    """Precision, recall and F1 when every class at or above its threshold counts as present."""

    inputs: ClassVar[Inputs] = "multi_label"

    def __init__(self, num_classes: int, *, thresholds: Sequence[float] | None = None) -> None:
        self.num_classes = num_classes
        self.thresholds = (0.5,) * num_classes if thresholds is None else tuple(thresholds)
        if len(self.thresholds) != num_classes:
            raise ValueError(
                f"{len(self.thresholds)} thresholds were given for {num_classes} classes;"
                " one per class is needed: fit them with fit_thresholds"
            )
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self._num_items = 0
        self._num_exact = 0
        self._right_K = np.zeros(self.num_classes, dtype=np.int64)
        self._true_K = np.zeros(self.num_classes, dtype=np.int64)
        self._predicted_K = np.zeros(self.num_classes, dtype=np.int64)

    def update(self, predictions: ArrayLike, targets: ArrayLike) -> None:
        """Take in probs_NK and targets_NK of 0 and 1.

        Raises:
            ValueError: the shapes or values do not fit.
        """
        probs_NK = as_probs(predictions, self.num_classes)
        targets_NK = as_targets(targets, probs_NK.shape)
        present_NK = probs_NK >= np.asarray(self.thresholds)
        self._num_items += len(probs_NK)
        self._num_exact += int((present_NK == targets_NK).all(axis=1).sum())
        self._right_K += (present_NK & targets_NK).sum(axis=0)
        self._true_K += targets_NK.sum(axis=0)
        self._predicted_K += present_NK.sum(axis=0)

    def merge(self, other: MultiLabelF1) -> None:
        """Take in everything that the other one took in.

        Raises:
            ValueError: the other one has other thresholds.
        """
        require_same("thresholds", self.thresholds, other.thresholds)
        self._num_items += other._num_items
        self._num_exact += other._num_exact
        self._right_K += other._right_K
        self._true_K += other._true_K
        self._predicted_K += other._predicted_K

    def compute(self) -> dict[str, float]:
        """`f1_macro` (mean over classes with items), `f1_micro`, `accuracy_exact`.

        `f1_micro` adds up the decisions of all classes first; `accuracy_exact` is the share of
        items whose whole set of labels is right.

        Raises:
            DataError: nothing was taken in, or no item has any label.
        """
        require_some(self._num_items, "labelled videos")
        present = np.flatnonzero(self._true_K)
        require_some(len(present), "classes with labelled videos")
        _, _, f1s = self.per_class()
        micro = 2 * self._right_K.sum() / (self._true_K.sum() + self._predicted_K.sum())
        return {
            "f1_macro": float(np.mean([f1s[k] for k in present])),
            "f1_micro": float(micro),
            "accuracy_exact": self._num_exact / self._num_items,
        }

    def per_class(self) -> tuple[list[float | None], list[float | None], list[float | None]]:
        """Recall, precision and F1 of every class, None where undefined."""
        return (
            ratios(self._right_K, self._true_K),
            ratios(self._right_K, self._predicted_K),
            ratios(2 * self._right_K, self._true_K + self._predicted_K),
        )

    @property
    def counts(self) -> tuple[list[int], list[int]]:
        """How many items truly have, and are said to have, each class."""
        return self._true_K.tolist(), self._predicted_K.tolist()
