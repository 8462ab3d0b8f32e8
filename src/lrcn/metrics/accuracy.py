"""Is the right class first, or among the first five; which classes are taken for which."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrcn.metrics.metric import (
    Inputs,
    Metric,
    as_labels,
    as_probs,
    require_same,
    require_some,
)


def ranks_of_truth(probs_NK: NDArray[np.float64], labels_N: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many classes stand before the true one in each row (0: it is first).

    Of classes with equal probability the lower index stands first, as in `argmax`.
    """
    own_N1 = np.take_along_axis(probs_NK, labels_N[:, None], axis=1)
    before_NK = np.arange(probs_NK.shape[1])[None, :] < labels_N[:, None]
    ahead_NK = (probs_NK > own_N1) | ((probs_NK == own_N1) & before_NK)
    ranks: NDArray[np.int64] = ahead_NK.sum(axis=1)
    return ranks


class Accuracy(Metric[ArrayLike, ArrayLike]):
    """Share of items whose true class is first (`accuracy_top1`), or in the first five.

    `accuracy_top5` is given only where there are more than five classes: with fewer it is 1
    whatever the model says.
    """

    inputs: ClassVar[Inputs] = "labels"

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self._num_items = 0
        self._num_top1 = 0
        self._num_top5 = 0

    def update(self, predictions: ArrayLike, targets: ArrayLike) -> None:
        """Take in probs_NK and labels_N.

        Raises:
            ValueError: the shapes or values do not fit.
        """
        probs_NK = as_probs(predictions, self.num_classes)
        ranks_N = ranks_of_truth(probs_NK, as_labels(targets, len(probs_NK), self.num_classes))
        self._num_items += len(ranks_N)
        self._num_top1 += int((ranks_N < 1).sum())
        self._num_top5 += int((ranks_N < 5).sum())

    def merge(self, other: Accuracy) -> None:
        """Take in everything that the other one took in.

        Raises:
            ValueError: the other one counts another number of classes.
        """
        require_same("numbers of classes", self.num_classes, other.num_classes)
        self._num_items += other._num_items
        self._num_top1 += other._num_top1
        self._num_top5 += other._num_top5

    def compute(self) -> dict[str, float]:
        """`accuracy_top1`, and `accuracy_top5` with more than five classes.

        Raises:
            DataError: nothing was taken in.
        """
        require_some(self._num_items, "labelled videos")
        result = {"accuracy_top1": self._num_top1 / self._num_items}
        if self.num_classes > 5:
            result["accuracy_top5"] = self._num_top5 / self._num_items
        return result


class ConfusionMatrix(Metric[ArrayLike, ArrayLike]):
    """Counts of true against predicted class, and what follows from them.

    Recall, precision and F1 of class k, with M the matrix (rows: truth)::

        recall    = M[k, k] / sum of row k
        precision = M[k, k] / sum of column k
        f1        = 2 M[k, k] / (sum of row k + sum of column k)

    None stands where the divisor is 0. Means over classes are over those that have items.
    """

    inputs: ClassVar[Inputs] = "labels"

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self.matrix_KK = np.zeros((self.num_classes, self.num_classes), dtype=np.int64)

    def update(self, predictions: ArrayLike, targets: ArrayLike) -> None:
        """Take in probs_NK and labels_N.

        Raises:
            ValueError: the shapes or values do not fit.
        """
        probs_NK = as_probs(predictions, self.num_classes)
        labels_N = as_labels(targets, len(probs_NK), self.num_classes)
        np.add.at(self.matrix_KK, (labels_N, probs_NK.argmax(axis=1)), 1)

    def merge(self, other: ConfusionMatrix) -> None:
        """Take in everything that the other one took in.

        Raises:
            ValueError: the other one counts another number of classes.
        """
        require_same("numbers of classes", self.num_classes, other.num_classes)
        self.matrix_KK += other.matrix_KK

    def compute(self) -> dict[str, float]:
        """`mean_class_accuracy` (the mean recall) and `mean_class_f1`.

        Raises:
            DataError: nothing was taken in.
        """
        require_some(int(self.matrix_KK.sum()), "labelled videos")
        present = [k for k in range(self.num_classes) if self.matrix_KK[k].sum()]
        recalls, _, f1s = self.per_class()
        return {
            "mean_class_accuracy": float(np.mean([recalls[k] for k in present])),
            "mean_class_f1": float(np.mean([f1s[k] for k in present])),
        }

    def per_class(self) -> tuple[list[float | None], list[float | None], list[float | None]]:
        """Recall, precision and F1 of every class, None where undefined."""
        right_K = np.diag(self.matrix_KK)
        true_K = self.matrix_KK.sum(axis=1)
        predicted_K = self.matrix_KK.sum(axis=0)
        return (
            ratios(right_K, true_K),
            ratios(right_K, predicted_K),
            ratios(2 * right_K, true_K + predicted_K),
        )


def ratios(above: NDArray[np.int64], below: NDArray[np.int64]) -> list[float | None]:
    """Element by element, None where the divisor is 0."""
    return [int(a) / int(b) if b else None for a, b in zip(above, below, strict=True)]
