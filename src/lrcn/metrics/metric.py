"""What every metric is: sums that `update` fills, that can be merged, and that become numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrcn.errors import DataError

PredictionsT = TypeVar("PredictionsT")
TargetsT = TypeVar("TargetsT")

Inputs = Literal["labels", "multi_label", "frames", "segments"]
"""What `update` takes: "labels" probs_NK and labels_N; "multi_label" probs_NK and targets_NK of
0 and 1; "frames" predicted labels_T and true labels_T; "segments" two lists of segments."""


class Metric(ABC, Generic[PredictionsT, TargetsT]):
    """Numbers from predictions and truth, gathered part by part.

    Parts may come in any order, and from several processes: merging the halves gives the whole.
    """

    inputs: ClassVar[Inputs]
    """Which pair of arguments `update` takes."""

    @abstractmethod
    def update(self, predictions: PredictionsT, targets: TargetsT) -> None:
        """Take in one part.

        Raises:
            ValueError: the shapes or values do not fit.
        """

    @abstractmethod
    def compute(self) -> dict[str, float]:
        """Result keys and plain numbers (fractions, not percent) of everything taken in.

        Raises:
            DataError: nothing was taken in.
        """

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Take in everything that another metric of the same settings took in.

        Raises:
            ValueError: the other one has other settings.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget everything taken in."""


def require_some(count: int, what: str) -> None:
    """Refuse to make a number out of nothing.

    Raises:
        DataError: `count` is 0.
    """
    if count == 0:
        raise DataError(
            f"no {what} to measure: 0 were given; at least 1 is needed."
            " Check which part of the data is chosen and whether its files were skipped"
        )


def require_same(name: str, mine: Any, other: Any) -> None:
    """Refuse to merge metrics whose settings differ.

    Raises:
        ValueError: they do.
    """
    if mine != other:
        raise ValueError(
            f"cannot merge metrics whose {name} differ: {mine} and {other};"
            " build both with the same settings"
        )


def as_probs(probs: ArrayLike, num_classes: int) -> NDArray[np.float64]:
    """Probabilities as an N x K float64 array.

    Raises:
        ValueError: the shape is another one, or a value is not finite.
    """
    array = np.asarray(probs, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != num_classes:
        raise ValueError(
            f"probs have shape {array.shape}; N x {num_classes} is expected."
            " Give one row of class probabilities per item"
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "probs contain NaN or infinity; only finite values can be measured."
            " Look for the video and the layer that made them"
        )
    return array


def as_labels(labels: ArrayLike, num_rows: int, num_classes: int) -> NDArray[np.int64]:
    """Labels as N integers below `num_classes`.

    Raises:
        ValueError: the count differs from `num_rows`, or a label is out of range.
    """
    array = np.asarray(labels)
    if array.shape != (num_rows,):
        raise ValueError(
            f"labels have shape {array.shape}; ({num_rows},) is expected: one label per row"
        )
    if array.size == 0:
        return np.zeros(0, dtype=np.int64)
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"labels have type {array.dtype}; whole class indices are expected")
    if array.min() < 0 or array.max() >= num_classes:
        bad = int(array.min() if array.min() < 0 else array.max())
        raise ValueError(
            f"label {bad} is out of range; 0 to {num_classes - 1} are allowed."
            " Map class names to the model's classes first"
        )
    return array.astype(np.int64)


def as_targets(targets: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Multi-label targets as an N x K array of booleans.

    Raises:
        ValueError: another shape, or a value besides 0 and 1.
    """
    array = np.asarray(targets)
    if array.shape != shape:
        raise ValueError(f"targets have shape {array.shape}; {shape} is expected, like the probs")
    if not np.isin(array, (0, 1)).all():
        raise ValueError("targets hold other values than 0 and 1; 1 marks a class that is present")
    return array.astype(bool)
