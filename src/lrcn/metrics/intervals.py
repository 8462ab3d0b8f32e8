"""How sure a number is: bootstrap intervals by video, and tests that pair two models' videos."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from lrcn.metrics.metric import require_some

Statistic = Callable[[NDArray[np.int64]], float]
"""From the places of the items drawn (with repetitions) to a number."""


def bootstrap_interval(
    statistic: Statistic,
    units: ArrayLike,
    *,
    generator: torch.Generator,
    level: float = 0.95,
    num_resamples: int = 2000,
) -> tuple[float, float]:
    """Percentile bootstrap: draw as many units as there are, with repetition, again and again.

    Args:
        statistic: from item places to a number; NaN (no item of a needed kind was drawn) is left
            out.
        units: for every item the id of what is drawn whole: its video. Segments of one video, or
            its several items, stand or fall together.
        generator: the draws come from it.
        level: share of resamples inside the interval.
        num_resamples: how many.

    Returns:
        Low and high end.

    Raises:
        DataError: there are no items.
    """
    values = _resampled(statistic, units, generator, num_resamples)
    return _quantiles(values, level)


def paired_bootstrap(
    difference: Statistic,
    units: ArrayLike,
    *,
    generator: torch.Generator,
    level: float = 0.95,
    num_resamples: int = 2000,
) -> tuple[tuple[float, float], float]:
    """Interval and two-sided p-value of the difference of two models on the same items.

    Every draw of units serves both models. The p-value is twice the share of draws in which the
    smaller sign (or none) comes out: Efron and Tibshirani, "An Introduction to the Bootstrap",
    1993, chapter 15.4. It is never 0: at least one draw is counted.

    Args:
        difference: from item places to the second model's number minus the first's.
        units: as in `bootstrap_interval`.
        generator: the draws come from it.
        level: share of resamples inside the interval.
        num_resamples: how many.

    Raises:
        DataError: there are no items.
    """
    values = _resampled(difference, units, generator, num_resamples)
    smaller = min(int((values <= 0).sum()), int((values >= 0).sum()))
    p_value = min(1.0, 2 * (smaller + 1) / (len(values) + 1))
    return _quantiles(values, level), p_value


def _resampled(
    statistic: Statistic, units: ArrayLike, generator: torch.Generator, num_resamples: int
) -> NDArray[np.float64]:
    ids = np.unique(np.asarray(units), return_inverse=True)[1]
    require_some(len(ids), "videos")
    num_units = int(ids.max()) + 1
    order = np.argsort(ids, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(ids))[:-1])
    drawn = torch.randint(num_units, (num_resamples, num_units), generator=generator).numpy()
    if len(ids) == num_units:
        places = order[drawn]
        found = [statistic(row) for row in places]
    else:
        found = [statistic(np.concatenate([members[u] for u in row])) for row in drawn]
    values = np.array([value for value in found if not math.isnan(value)], dtype=np.float64)
    require_some(len(values), "resamples with the videos that the number needs")
    return values


def _quantiles(values: NDArray[np.float64], level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def wilson_interval(num_right: int, num_items: int, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share, sensible also for few items and for 0 or all of them right.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.

    Raises:
        DataError: there are no items.
    """
    require_some(num_items, "videos")
    z = _normal_quantile((1 + level) / 2)
    share = num_right / num_items
    weight = 1 + z * z / num_items
    centre = (share + z * z / (2 * num_items)) / weight
    half = z / weight * math.sqrt(share * (1 - share) / num_items + (z / (2 * num_items)) ** 2)
    low = 0.0 if num_right == 0 else max(0.0, centre - half)
    high = 1.0 if num_right == num_items else min(1.0, centre + half)
    return low, high


def mcnemar_exact(num_only_first: int, num_only_second: int) -> float:
    """Two-sided p-value: are two models equally often right where just one of them is.

    Exact binomial form. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", 1947. 1.0 where they are right on the same videos.
    """
    num_different = num_only_first + num_only_second
    smaller = min(num_only_first, num_only_second)
    # Whole numbers until the last division: exact for any count. C(n, i+1) = C(n, i)(n-i)/(i+1).
    ways, choose = 0, 1
    for i in range(smaller + 1):
        ways += choose
        choose = choose * (num_different - i) // (i + 1)
    return min(1.0, float(Fraction(2 * ways, 2**num_different)))


def paired_permutation(
    differences: ArrayLike, *, generator: torch.Generator, num_resamples: int = 10_000
) -> float:
    """Two-sided p-value of a mean difference: how often chance signs give as large a one.

    Args:
        differences: second model minus first, one per video.
        generator: the signs come from it.
        num_resamples: how many draws of signs.

    Raises:
        DataError: there are no items.
    """
    values = np.asarray(differences, dtype=np.float64)
    require_some(len(values), "videos")
    seen = abs(values.sum())
    count = 0
    for start in range(0, num_resamples, 1000):
        rows = min(1000, num_resamples - start)
        signs = torch.randint(2, (rows, len(values)), generator=generator).numpy() * 2 - 1
        count += int((np.abs((signs * values).sum(axis=1)) >= seen - 1e-12).sum())
    # The signs as they are count as one of the draws, so p is never 0.
    return (count + 1) / (num_resamples + 1)


def _normal_quantile(share: float) -> float:
    return math.sqrt(2.0) * float(torch.erfinv(torch.tensor(2 * share - 1, dtype=torch.float64)))
