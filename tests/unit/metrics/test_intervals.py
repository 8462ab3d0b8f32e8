"""Intervals and tests against scipy, and against the coverage that they promise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from lrcn.errors import DataError
from lrcn.metrics.intervals import (
    bootstrap_interval,
    mcnemar_exact,
    paired_bootstrap,
    paired_permutation,
    wilson_interval,
)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _mean_of(values: np.ndarray):  # type: ignore[no-untyped-def]
    return lambda places: float(values[places].mean())


def test_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap_interval(_mean_of(values), np.arange(400), generator=_generator())
    half = 1.96 * values.std() / 20

    # 2,000 resamples: the ends wander by about 5 % of the half-width.
    assert low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_bootstrap_is_the_same_for_the_same_seed_and_leaves_torch_alone() -> None:
    values = np.arange(20.0)
    before = torch.get_rng_state()
    first = bootstrap_interval(_mean_of(values), np.arange(20), generator=_generator(1))
    again = bootstrap_interval(_mean_of(values), np.arange(20), generator=_generator(1))
    other = bootstrap_interval(_mean_of(values), np.arange(20), generator=_generator(2))

    assert first == again
    assert first != other
    assert torch.equal(before, torch.get_rng_state())


def test_items_of_one_video_are_drawn_together() -> None:
    """Ten copies of each video must not make the interval narrower."""
    values = np.random.default_rng(0).normal(size=40)
    single = bootstrap_interval(_mean_of(values), np.arange(40), generator=_generator())
    copies = np.repeat(values, 10)
    names = [f"video {i // 10:02d}" for i in range(400)]
    grouped = bootstrap_interval(_mean_of(copies), names, generator=_generator())

    assert grouped == pytest.approx(single)


def test_bootstrap_leaves_out_resamples_that_say_nothing() -> None:
    def only_first(places: np.ndarray) -> float:
        return 1.0 if 0 in places else float("nan")

    assert bootstrap_interval(only_first, np.arange(4), generator=_generator()) == (1.0, 1.0)
    with pytest.raises(DataError, match="no resamples"):
        bootstrap_interval(lambda places: float("nan"), np.arange(4), generator=_generator())
    with pytest.raises(DataError, match="no videos"):
        bootstrap_interval(lambda places: 0.0, [], generator=_generator())


@pytest.mark.parametrize(("right", "items"), [(0, 5), (5, 5), (1, 2), (46, 48), (300, 1000)])
def test_wilson_equals_scipy(right: int, items: int) -> None:
    expected = binomtest(right, items).proportion_ci(0.95, method="wilson")

    assert wilson_interval(right, items) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_reaches_the_ends_exactly_and_refuses_nothing() -> None:
    assert wilson_interval(7, 7)[1] == 1.0
    assert wilson_interval(0, 7)[0] == 0.0
    with pytest.raises(DataError, match="no videos"):
        wilson_interval(0, 0)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (1, 0), (0, 6), (3, 3), (10, 2), (7, 40), (900, 800)])
def test_mcnemar_equals_the_binomial_test(a: int, b: int) -> None:
    expected = binomtest(a, a + b, 0.5).pvalue if a + b else 1.0

    assert mcnemar_exact(a, b) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_exact(a, b) == mcnemar_exact(b, a)


def test_mcnemar_of_very_many_videos_does_not_overflow() -> None:
    assert mcnemar_exact(3000, 3000) == 1.0
    assert 0.0 <= mcnemar_exact(5000, 100) < 1e-300


def test_paired_permutation_equals_trying_every_sign() -> None:
    differences = np.array([0.3, 0.1, -0.05, 0.4, 0.2, 0.15, 0.0, 0.25])
    sums = [
        abs((differences * signs).sum())
        for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    exact = np.mean([s >= abs(differences.sum()) - 1e-12 for s in sums])

    p = paired_permutation(differences, generator=_generator(), num_resamples=20_000)
    assert p == pytest.approx(exact, abs=0.005)


def test_paired_permutation_never_gives_zero_and_equal_models_give_one() -> None:
    assert paired_permutation(np.ones(60), generator=_generator(), num_resamples=500) == 1 / 501
    assert paired_permutation(np.zeros(5), generator=_generator(), num_resamples=500) == 1.0


def test_paired_bootstrap_agrees_with_the_exact_test_where_both_apply() -> None:
    change = np.array([1.0] * 14 + [-1.0] * 4 + [0.0] * 30)
    (low, high), p_value = paired_bootstrap(
        lambda places: float(change[places].mean()), np.arange(48), generator=_generator()
    )

    assert low < change.mean() < high
    assert p_value == pytest.approx(mcnemar_exact(4, 14), abs=0.03)


def test_paired_bootstrap_of_equal_models_says_nothing() -> None:
    found = paired_bootstrap(lambda _: 0.0, np.arange(5), generator=_generator(), num_resamples=99)

    assert found == ((0.0, 0.0), 1.0)
