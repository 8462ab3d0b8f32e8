"""Calibration error by hand and by brute force; the fitted temperature against a minimiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax
from scipy.special import softmax as scipy_softmax

from lrcn.errors import DataError
from lrcn.metrics.calibration import Calibration, TemperatureFit, softmax


def test_by_hand() -> None:
    """Two bins of five: (0.4, 0.6] with probs 0.6, 0.6 (one right), (0.8, 1] with 1.0 (right)."""
    metric = Calibration(2, num_bins=5)
    metric.update([[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]], [0, 1, 1])

    assert metric.compute()["ece"] == pytest.approx(2 / 3 * abs(0.5 - 0.6))
    assert metric.compute()["nll"] == pytest.approx(-(np.log(0.6) + np.log(0.4)) / 3)


def test_ece_equals_binning_item_by_item() -> None:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.full(4, 0.4), size=300)
    labels = rng.integers(0, 4, size=300)
    metric = Calibration(4)
    metric.update(probs, labels)

    expected = 0.0
    for b in range(15):
        inside = [i for i in range(300) if b / 15 < probs[i].max() <= (b + 1) / 15]
        if inside:
            right = np.mean([probs[i].argmax() == labels[i] for i in inside])
            expected += len(inside) / 300 * abs(right - np.mean([probs[i].max() for i in inside]))
    assert metric.compute()["ece"] == pytest.approx(expected, abs=1e-12)


def test_sure_and_right_is_perfect_and_a_zero_probability_stays_finite() -> None:
    perfect, wrong = Calibration(2), Calibration(2)
    perfect.update(np.eye(2), [0, 1])
    wrong.update(np.eye(2), [1, 0])

    assert perfect.compute() == {"ece": 0.0, "nll": 0.0}
    assert wrong.compute()["ece"] == 1.0
    assert 20 < wrong.compute()["nll"] < 40


def _video_logits(seed: int, scale: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Videos of 6 steps whose labels are drawn from a softmax `scale` times flatter."""
    rng = np.random.default_rng(seed)
    videos = []
    for _ in range(300):
        logits = np.repeat(rng.normal(size=(1, 5)), 6, axis=0) + 0.1 * rng.normal(size=(6, 5))
        label = rng.choice(5, p=scipy_softmax(logits, axis=1).mean(axis=0))
        videos.append((logits * scale, np.eye(5)[label]))
    return videos


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_temperature_equals_a_numeric_minimiser(scale: float) -> None:
    videos = _video_logits(0, scale)
    fit = TemperatureFit()
    for logits, target in videos:
        fit.update(logits, target)

    def nll(log_temperature: float) -> float:
        return -sum(
            float(np.log(scipy_softmax(x / np.exp(log_temperature), axis=1).mean(axis=0) @ y))
            for x, y in videos
        )

    best = minimize_scalar(nll, bounds=(-2, 2), method="bounded", options={"xatol": 1e-6})
    assert fit.compute() == pytest.approx(np.exp(best.x), rel=2e-3)
    # The labels were drawn at `scale`; 300 videos find it within about a quarter.
    assert fit.compute() == pytest.approx(scale, rel=0.3)


def test_log_probabilities_serve_as_logits() -> None:
    videos = _video_logits(1, 2.0)
    from_logits, from_probs = TemperatureFit(), TemperatureFit()
    for logits, target in videos:
        from_logits.update(logits, target)
        from_probs.update(log_softmax(logits, axis=1), target)

    assert from_probs.compute() == pytest.approx(from_logits.compute(), rel=1e-9)


def test_temperature_of_multi_label_models() -> None:
    rng = np.random.default_rng(2)
    fit = TemperatureFit(multi_label=True)
    for _ in range(500):
        logits = rng.normal(size=(1, 4)) * 2
        fit.update(logits * 3, rng.random(4) < expit(logits[0]))

    assert fit.compute() == pytest.approx(3.0, rel=0.2)


def test_always_right_ends_at_the_limit_and_nothing_is_refused() -> None:
    fit = TemperatureFit()
    with pytest.raises(DataError, match="no validation videos"):
        fit.compute()
    fit.update([[3.0, 0.0]], [1, 0])

    assert fit.compute() == pytest.approx(0.1)


def test_softmax_is_safe_for_large_values() -> None:
    x = np.array([[1000.0, 999.0], [-1000.0, 0.0]])

    np.testing.assert_allclose(softmax(x), scipy_softmax(x, axis=1))
