"""Does a probability of 0.8 mean right in 80 of 100 cases; and the temperature that mends it."""

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

_TINY = 1e-12
"""Stands in for a probability of 0, whose logarithm is not finite."""


class Calibration(Metric[ArrayLike, ArrayLike]):
    """Expected calibration error and negative log-likelihood.

    Items are put into equally wide bins by the probability of their predicted class; `ece` is the
    mean gap between that probability and the accuracy in a bin, weighted by the items in it.
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3, 15 bins.
    """

    inputs: ClassVar[Inputs] = "labels"

    def __init__(self, num_classes: int, *, num_bins: int = 15) -> None:
        self.num_classes = num_classes
        self.num_bins = num_bins
        self.reset()

    def reset(self) -> None:
        """Forget everything taken in."""
        self.counts_B = np.zeros(self.num_bins, dtype=np.int64)
        self.num_right_B = np.zeros(self.num_bins, dtype=np.int64)
        self.prob_sums_B = np.zeros(self.num_bins)
        self._nll_sum = 0.0

    def update(self, predictions: ArrayLike, targets: ArrayLike) -> None:
        """Take in probs_NK and labels_N.

        Raises:
            ValueError: the shapes or values do not fit.
        """
        probs_NK = as_probs(predictions, self.num_classes)
        labels_N = as_labels(targets, len(probs_NK), self.num_classes)
        top_N = probs_NK.max(axis=1, initial=0.0)
        # Bins are (low, high]: a probability of exactly 1 belongs to the last one.
        bins_N = np.clip(np.ceil(top_N * self.num_bins).astype(int) - 1, 0, self.num_bins - 1)
        np.add.at(self.counts_B, bins_N, 1)
        np.add.at(self.num_right_B, bins_N, (probs_NK.argmax(axis=1) == labels_N).astype(int))
        np.add.at(self.prob_sums_B, bins_N, top_N)
        own_N = np.take_along_axis(probs_NK, labels_N[:, None], axis=1)[:, 0]
        self._nll_sum += float(-np.log(np.maximum(own_N, _TINY)).sum())

    def merge(self, other: Calibration) -> None:
        """Take in everything that the other one took in.

        Raises:
            ValueError: the other one has other classes or bins.
        """
        require_same("numbers of classes", self.num_classes, other.num_classes)
        require_same("numbers of bins", self.num_bins, other.num_bins)
        self.counts_B += other.counts_B
        self.num_right_B += other.num_right_B
        self.prob_sums_B += other.prob_sums_B
        self._nll_sum += other._nll_sum

    def compute(self) -> dict[str, float]:
        """`ece` and `nll` (natural logarithm, mean over items).

        Raises:
            DataError: nothing was taken in.
        """
        num_items = int(self.counts_B.sum())
        require_some(num_items, "labelled videos")
        gaps_B = np.abs(self.num_right_B - self.prob_sums_B)
        return {"ece": float(gaps_B.sum() / num_items), "nll": self._nll_sum / num_items}


class TemperatureFit:
    """Finds the temperature under which validation data are most likely.

    A video's probability is the mean over its steps of softmax(logits / temperature), so the
    likelihood is measured on that mean, at 93 temperatures from 0.1 to 10; a parabola through the
    best one and its neighbours gives the result. Softmax does not see a constant added to the
    logits, so log-probabilities made at temperature 1 serve as logits.
    """

    def __init__(self, *, multi_label: bool = False) -> None:
        self.multi_label = multi_label
        self._log_temperatures_G = np.linspace(np.log(0.1), np.log(10.0), 93)
        self._temperatures_G11 = np.exp(self._log_temperatures_G)[:, None, None]
        self._nll_G = np.zeros(93)
        self._num_videos = 0

    def update(self, logits_SK: ArrayLike, target_K: ArrayLike) -> None:
        """Take in one video: the logits of all its steps and views, and its 0/1 target."""
        logits = np.asarray(logits_SK, dtype=np.float64)
        target = np.asarray(target_K, dtype=bool)
        scaled_GSK = logits / self._temperatures_G11
        if self.multi_label:
            probs_GK = (0.5 * (1.0 + np.tanh(0.5 * scaled_GSK))).mean(axis=1)
            likelihood_GK = np.where(target, probs_GK, 1.0 - probs_GK)
        else:
            likelihood_GK = softmax(scaled_GSK).mean(axis=1)[:, target]
        self._nll_G -= np.log(np.maximum(likelihood_GK, _TINY)).sum(axis=1)
        self._num_videos += 1

    def compute(self) -> float:
        """The temperature, between 0.1 and 10.

        Where every validation video is right, a sharper model is always more likely and the
        result is the lower limit: too few videos to fit on.

        Raises:
            DataError: no video was taken in.
        """
        require_some(self._num_videos, "validation videos")
        best = int(self._nll_G.argmin())
        centre = float(self._log_temperatures_G[best])
        if 0 < best < len(self._nll_G) - 1:
            left, middle, right = self._nll_G[best - 1 : best + 2]
            bend = left - 2.0 * middle + right
            spacing = float(self._log_temperatures_G[1] - self._log_temperatures_G[0])
            if bend > 0:
                centre += 0.5 * spacing * float((left - right) / bend)
        return float(np.exp(centre))


def softmax(logits_NK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Along the last axis, safe for large values."""
    powers: NDArray[np.float64] = np.exp(logits_NK - logits_NK.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result
