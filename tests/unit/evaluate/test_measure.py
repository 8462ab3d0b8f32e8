"""Intervals around the numbers, and the multi-label numbers."""

from __future__ import annotations

import numpy as np
import pytest

from lrcn.evaluate.measure import measure_labels, measure_multi_label
from lrcn.metrics.intervals import wilson_interval
from lrcn.metrics.multilabel import average_precision


def test_all_right_still_leaves_doubt() -> None:
    """Resampling 48 right videos gives 48 right ones for ever; 48 of 48 is not certainty."""
    labels = np.arange(48) % 6
    measured = measure_labels(
        np.eye(6)[labels], labels, list(map(str, labels)), "abcdef", seed=0, num_resamples=50
    )

    assert measured.metrics["accuracy_top1"] == 1.0
    assert measured.intervals["accuracy_top1"] == wilson_interval(48, 48)
    assert measured.intervals["mean_class_accuracy"] == wilson_interval(48, 48)


def test_intervals_hold_the_number_and_repeat() -> None:
    rng = np.random.default_rng(0)
    probs, labels = rng.dirichlet(np.ones(7), size=90), rng.integers(0, 7, size=90)
    units = [f"v{i // 2}" for i in range(90)]
    a, b = (
        measure_labels(probs, labels, units, "abcdefg", seed=3, num_resamples=100) for _ in "ab"
    )

    assert a == b
    for key, (low, high) in a.intervals.items():
        assert 0 <= low <= a.metrics[key] <= high <= 1


def test_intervals_of_one_video_alone_do_not_pretend_to_be_certain() -> None:
    """Every draw of one video is the same: a bootstrap would give [0.5, 0.5]."""
    labels = np.array([0, 0, 1, 1])
    measured = measure_labels(
        np.eye(2)[[0, 1, 0, 1]], labels, ["v"] * 4, "ab", seed=0, num_resamples=20
    )
    several = measure_multi_label(
        np.eye(2)[labels], np.eye(2, dtype=bool)[labels], ["v"] * 4, "ab",
        thresholds=(0.5, 0.5), seed=0, num_resamples=20,
    )  # fmt: skip

    assert measured.intervals == {"accuracy_top1": wilson_interval(2, 4)}
    assert several.intervals == {}


def test_classes_without_videos_are_listed_as_unknown() -> None:
    measured = measure_labels(
        np.eye(3)[[0, 2]], np.array([0, 0]), ["a", "b"], "xyz", seed=0, num_resamples=20
    )
    x, y, z = measured.per_class

    assert (x.num_videos, x.recall, x.precision) == (2, 0.5, 1.0)
    assert (y.num_videos, y.recall, y.recall_interval, y.precision, y.f1) == (0,) + (None,) * 4
    assert (z.num_predicted, z.precision) == (1, 0.0)


def test_multi_label_numbers() -> None:
    rng = np.random.default_rng(0)
    probs = rng.random((40, 3))
    targets = rng.random((40, 3)) < 0.4
    measured = measure_multi_label(
        probs,
        targets,
        list(map(str, range(40))),
        "abc",
        thresholds=(0.3, 0.5, 0.6),
        seed=0,
        num_resamples=60,
    )

    expected = [average_precision(probs[:, k], targets[:, k]) for k in range(3)]
    assert [c.average_precision for c in measured.per_class] == expected
    assert measured.metrics["mean_average_precision"] == pytest.approx(np.mean(expected))
    assert measured.confusion is None
    for key, (low, high) in measured.intervals.items():
        assert low <= measured.metrics[key] <= high
