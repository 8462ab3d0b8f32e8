"""Average precision and thresholds, against definitions written out naively."""

from __future__ import annotations

import numpy as np
import pytest

from lrcn.errors import DataError
from lrcn.metrics.multilabel import (
    MeanAveragePrecision,
    MultiLabelF1,
    average_precision,
    fit_thresholds,
    mean_average_precision_of_draws,
)


def _naive_average_precision(probs: np.ndarray, targets: np.ndarray) -> float:
    total, recall_before = 0.0, 0.0
    for level in sorted(set(probs.tolist()), reverse=True):
        chosen = probs >= level
        recall = (chosen & targets).sum() / targets.sum()
        total += (recall - recall_before) * (chosen & targets).sum() / chosen.sum()
        recall_before = recall
    return total


def test_average_precision_by_hand() -> None:
    """Ranks right, wrong, right: precision 1 at recall 1/2, 2/3 at recall 1."""
    result = average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]))

    assert result == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


@pytest.mark.parametrize("levels", [3, 1000])
def test_average_precision_equals_its_definition(levels: int) -> None:
    rng = np.random.default_rng(levels)
    for _ in range(50):
        n = int(rng.integers(1, 30))
        probs = rng.integers(0, levels, size=n) / levels
        targets = rng.random(n) < 0.4
        targets[0] = True
        assert average_precision(probs, targets) == pytest.approx(
            _naive_average_precision(probs, targets), abs=1e-12
        )


def test_a_class_without_positive_items_is_left_out_of_the_mean() -> None:
    metric = MeanAveragePrecision(2)
    metric.update([[0.9, 0.1], [0.2, 0.8]], [[1, 0], [0, 0]])

    assert metric.per_class() == [1.0, None]
    assert metric.compute() == {"mean_average_precision": 1.0}


def _f1(probs: np.ndarray, targets: np.ndarray, threshold: float) -> float:
    chosen = probs >= threshold
    return float(2 * (chosen & targets).sum() / (chosen.sum() + targets.sum()))


def test_fitted_thresholds_are_the_best_there_are() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        probs = np.round(rng.random((15, 3)), 1)
        targets = rng.random((15, 3)) < 0.4
        targets[0] = True
        for k, threshold in enumerate(fit_thresholds(probs, targets)):
            best = max(_f1(probs[:, k], targets[:, k], t) for t in np.linspace(0, 1.05, 211))
            assert _f1(probs[:, k], targets[:, k], threshold) == pytest.approx(best)
            assert 0 < threshold < 1 or probs[:, k].min() == 0


def test_thresholds_without_evidence_and_between_neighbours() -> None:
    probs = [[0.9, 0.3], [0.2, 0.4]]

    assert fit_thresholds(probs, [[1, 0], [0, 0]]) == (pytest.approx(0.55), 0.5)
    with pytest.raises(DataError, match="no validation videos"):
        fit_thresholds(np.zeros((0, 2)), np.zeros((0, 2)))


def test_f1_by_hand() -> None:
    """Class 0: 1 right of 2 predicted, 1 true. Class 1: 1 of 1, 2 true. Class 2: nothing."""
    metric = MultiLabelF1(3, thresholds=[0.5, 0.7, 0.5])
    metric.update([[0.9, 0.7, 0.1], [0.5, 0.6, 0.4]], [[1, 1, 0], [0, 1, 0]])

    assert metric.compute() == pytest.approx(
        {"f1_macro": (2 / 3 + 2 / 3) / 2, "f1_micro": 4 / 6, "accuracy_exact": 0.5}
    )
    assert metric.per_class()[1] == [0.5, 1.0, None]
    assert metric.counts == ([1, 2, 0], [2, 1, 0])


def test_wrong_thresholds_and_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="2 thresholds were given for 3 classes"):
        MultiLabelF1(3, thresholds=[0.5, 0.5])
    with pytest.raises(ValueError, match="other values than 0 and 1"):
        MultiLabelF1(1).update([[0.5]], [[2]])
    with pytest.raises(ValueError, match="cannot merge metrics whose thresholds differ"):
        MultiLabelF1(1).merge(MultiLabelF1(1, thresholds=[0.4]))


def test_draws_with_repetitions_equal_repeated_items() -> None:
    rng = np.random.default_rng(0)
    probs = rng.integers(0, 6, size=(25, 4)) / 5  # many ties
    targets = rng.random((25, 4)) < 0.3
    targets[:, 3] = False
    measure = mean_average_precision_of_draws(probs, targets)

    for _ in range(50):
        places = rng.integers(0, 25, size=25)
        found = [average_precision(probs[places, k], targets[places, k]) for k in range(4)]
        expected = np.mean([value for value in found if value is not None])
        assert measure(places) == pytest.approx(expected)
    assert np.isnan(measure(np.flatnonzero(~targets.any(axis=1))))
