"""Late fusion: one answer from the probabilities of several models (paper 2.7).

The paper adds a share of the frames' model and a share of the flow model, 1/2 and 1/2 or 1/3 and
2/3. Here any number of models may take part. Pure functions; who is fused, and on what the
weights were found, is for others to know.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrcn.errors import ConfigError, ModelError

_MAX_GRID = 5000
_STEPS = (60, 24, 12, 6, 4, 3, 2, 1)
"""Grids to choose from, finest first: halves, thirds and quarters lie on the fine ones."""
_TINY = 1e-12


@dataclass(frozen=True, kw_only=True)
class FoundWeights:
    """The best point of a grid of weights, and what it gave where it was looked for."""

    fusion_weights: tuple[float, ...]
    accuracy: float
    """Share of videos that are right; with several labels, whose whole set is."""
    nll: float
    """Negative log-likelihood of the truth, a mean over videos."""
    num_videos: int


def normalised(weights: Sequence[float] | None, num_members: int) -> tuple[float, ...]:
    """Weights that sum to one; equal ones when none are given.

    Raises:
        ConfigError: another number of weights than of members, a negative or infinite one, or
            nothing but zeros.
    """
    if weights is None:
        return (1.0 / num_members,) * num_members
    if len(weights) != num_members:
        raise ConfigError(
            f"{len(weights)} fusion weights were given for {num_members} models;"
            " give one for each, in their order"
        )
    wrong = [w for w in weights if not (math.isfinite(w) and w >= 0)]
    if wrong or sum(weights) == 0:
        raise ConfigError(
            f"fusion weights {', '.join(f'{w:g}' for w in weights)} cannot be used; they must be"
            " 0 or more, and at least one above 0"
        )
    total = math.fsum(weights)
    return tuple(w / total for w in weights)


def fuse_probs(probs: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted mean of probabilities of equal shape, whose last axis are the same classes.

    Args:
        probs: One tensor per member.
        weights: As many, summing to one.

    Raises:
        ValueError: the numbers or shapes do not fit.
    """
    if len(probs) != len(weights) or len({p.shape for p in probs}) != 1:
        raise ValueError(
            f"{len(weights)} weights for probabilities of shapes {[tuple(p.shape) for p in probs]}"
        )
    total = torch.zeros_like(probs[0], dtype=torch.float64)
    for member, weight in zip(probs, weights, strict=True):
        total += weight * member.double()
    return total.to(probs[0].dtype)


def class_columns(
    reference: Sequence[str], others: Sequence[str], *, names: tuple[str, str]
) -> list[int]:
    """Where each class of the reference stands among the others.

    Args:
        reference: Classes in the order wanted.
        others: The same classes in any order.
        names: What to call the two models.

    Raises:
        ModelError: the sets of classes differ.
    """
    if set(reference) != set(others):
        only = [sorted(set(a) - set(b))[:3] for a, b in ((reference, others), (others, reference))]
        told = " and ".join(
            f"only {name} knows {', '.join(map(repr, some))}"
            for name, some in zip(names, only, strict=True)
            if some
        )
        raise ModelError(
            f"{names[0]} and {names[1]} know different classes: {told}."
            " Only models of the same classes can be fused; the order may differ"
        )
    place = {name: k for k, name in enumerate(others)}
    return [place[name] for name in reference]


def nearest_in_time(times_S: Tensor, wanted_T: Tensor) -> Tensor:
    """For each wanted time the index of the nearest one; the earlier of two equally near.

    Args:
        times_S: Not decreasing, at least one.
        wanted_T: Any times.
    """
    times_S = times_S.double().contiguous()
    wanted_T = wanted_T.double().contiguous()
    after_T = torch.searchsorted(times_S, wanted_T).clamp(max=len(times_S) - 1)
    before_T = (after_T - 1).clamp(min=0)
    earlier_T = wanted_T - times_S[before_T] <= (times_S[after_T] - wanted_T).abs()
    return torch.where(earlier_T, before_T, after_T)


def simplex_grid(num_members: int) -> list[tuple[float, ...]]:
    """Weights that sum to one at even steps, those nearest to equal ones first."""
    sizes = {n: math.comb(n + num_members - 1, num_members - 1) for n in _STEPS}
    steps = next((n for n in _STEPS if sizes[n] <= _MAX_GRID), 1)
    points = [tuple(n / steps for n in parts) for parts in _compositions(steps, num_members)]
    equal = 1.0 / num_members
    return sorted(points, key=lambda point: sum((w - equal) ** 2 for w in point))


def _compositions(total: int, num_parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write a number as an ordered sum of `num_parts` numbers from 0."""
    if num_parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, num_parts - 1):
            yield (first, *rest)


def search_weights(
    probs_MNK: Tensor, targets_NK: Tensor, *, multi_label: bool = False
) -> FoundWeights:
    """The point of a grid with the highest accuracy, of those the one of lowest likelihood loss.

    Where points are equal in both, the one nearest to equal weights is taken. Use validation data:
    weights chosen on test data make the test's number worthless.

    Args:
        probs_MNK: Of M members on N videos, at least one of each.
        targets_NK: bool, the classes that are there.
        multi_label: Whether several classes can hold at once; a set counts as right where it is
            what a threshold of 0.5 gives.
    """
    num_members, num_videos, _ = probs_MNK.shape
    targets_NK = targets_NK.bool()
    best: FoundWeights | None = None
    for weights in simplex_grid(num_members):
        point = torch.tensor(weights, dtype=torch.float64)
        fused_NK = torch.einsum("m,mnk->nk", point, probs_MNK.double())
        right_N, nll_N = _score(fused_NK, targets_NK, multi_label=multi_label)
        found = FoundWeights(
            fusion_weights=weights,
            accuracy=float(right_N.double().mean()),
            nll=float(nll_N.mean()),
            num_videos=num_videos,
        )
        if best is None or _is_better(found, best):
            best = found
    assert best is not None
    return best


def _is_better(one: FoundWeights, other: FoundWeights) -> bool:
    if one.accuracy != other.accuracy:
        return one.accuracy > other.accuracy
    # Sums of the same numbers in another order are not a difference.
    return one.nll < other.nll - 1e-9


def _score(probs_NK: Tensor, targets_NK: Tensor, *, multi_label: bool) -> tuple[Tensor, Tensor]:
    """Of every video whether it is right, and its negative log-likelihood."""
    logs_NK = probs_NK.clamp(min=_TINY).log()
    if not multi_label:
        right_N = targets_NK[torch.arange(len(targets_NK)), probs_NK.argmax(dim=1)]
        return right_N, -torch.where(targets_NK, logs_NK, 0.0).sum(dim=1)
    absent_NK = (1 - probs_NK).clamp(min=_TINY).log()
    right_N = ((probs_NK >= 0.5) == targets_NK).all(dim=1)
    return right_N, -torch.where(targets_NK, logs_NK, absent_NK).sum(dim=1)
