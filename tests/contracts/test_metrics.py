"""Every metric of the table: halves merged equal the whole, order does not matter, empty is clear.

What a metric is fed with follows from its `inputs`; a new metric is tested without a new test.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lrcn.errors import DataError
from lrcn.metrics import (
    CAPTION_METRICS,
    METRICS,
    CaptionScores,
    DocumentFrequencies,
    score_captions,
)
from lrcn.structures import IGNORE_INDEX, Segment

NUM_CLASSES = 7
Part = tuple[Any, Any]


def _labels(rng: np.random.Generator) -> Part:
    n = int(rng.integers(1, 6))
    probs = rng.dirichlet(np.ones(NUM_CLASSES), size=n)
    return probs, rng.integers(0, NUM_CLASSES, size=n)


def _multi_label(rng: np.random.Generator) -> Part:
    n = int(rng.integers(1, 6))
    # Coarse values, so that equal probabilities occur within and across parts.
    return rng.integers(0, 5, (n, NUM_CLASSES)) / 4, rng.integers(0, 2, (n, NUM_CLASSES))


def _frames(rng: np.random.Generator) -> Part:
    n = int(rng.integers(2, 9))
    true = rng.integers(0, 3, size=n)
    return rng.integers(0, 3, size=n), np.where(rng.random(n) < 0.2, IGNORE_INDEX, true)


def _segments(rng: np.random.Generator) -> Part:
    def some() -> list[Segment]:
        cuts = np.sort(rng.integers(0, 20, size=int(rng.integers(2, 6))))
        return [
            Segment(
                start_seconds=float(a), end_seconds=float(b), class_name="ab"[rng.integers(0, 2)]
            )
            for a, b in itertools.pairwise(cuts)
        ]

    return some(), some()


FEEDS: dict[str, Callable[[np.random.Generator], Part]] = {
    "labels": _labels,
    "multi_label": _multi_label,
    "frames": _frames,
    "segments": _segments,
}


def _parts(name: str, seed: int = 0) -> list[Part]:
    rng = np.random.default_rng(seed)
    feed = FEEDS[METRICS[name](NUM_CLASSES).inputs]
    return [feed(rng) for _ in range(12)]


def _of(name: str, parts: list[Part]) -> Any:
    metric = METRICS[name](NUM_CLASSES)
    for predictions, targets in parts:
        metric.update(predictions, targets)
    return metric


def test_the_contract_sees_every_metric() -> None:
    assert len(METRICS) == 7
    assert {METRICS[name](NUM_CLASSES).inputs for name in METRICS} == set(FEEDS)


@pytest.mark.parametrize("name", METRICS)
def test_two_halves_merged_equal_the_whole(name: str) -> None:
    parts = _parts(name)
    whole = _of(name, parts).compute()
    first, second = _of(name, parts[:5]), _of(name, parts[5:])
    before = second.compute()

    first.merge(second)

    assert first.compute() == pytest.approx(whole, abs=1e-12)
    assert second.compute() == before, "merging must not change the other one"


@pytest.mark.parametrize("name", METRICS)
def test_an_empty_one_merges_without_effect(name: str) -> None:
    parts = _parts(name)
    metric = METRICS[name](NUM_CLASSES)

    metric.merge(_of(name, parts))
    metric.merge(METRICS[name](NUM_CLASSES))

    assert metric.compute() == _of(name, parts).compute()


@pytest.mark.parametrize("name", METRICS)
def test_order_does_not_matter(name: str) -> None:
    parts = _parts(name)
    shuffled = [parts[i] for i in np.random.default_rng(1).permutation(len(parts))]

    assert _of(name, shuffled).compute() == pytest.approx(_of(name, parts).compute(), abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_nothing_taken_in_is_refused_clearly(name: str) -> None:
    with pytest.raises(DataError, match="to measure: 0 were given; at least 1 is needed"):
        METRICS[name](NUM_CLASSES).compute()


@pytest.mark.parametrize("name", METRICS)
def test_reset_forgets_everything(name: str) -> None:
    metric = _of(name, _parts(name, seed=3))
    metric.reset()
    for predictions, targets in _parts(name):
        metric.update(predictions, targets)

    assert metric.compute() == _of(name, _parts(name)).compute()


@pytest.mark.parametrize("name", METRICS)
def test_values_are_plain_finite_numbers(name: str) -> None:
    for value in _of(name, _parts(name)).compute().values():
        assert type(value) is float
        assert np.isfinite(value)


@pytest.mark.parametrize("name", METRICS)
def test_inputs_are_not_changed(name: str) -> None:
    parts = _parts(name)
    copies = _parts(name)
    _of(name, parts).compute()

    for (a, b), (c, d) in zip(parts, copies, strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, d)


@pytest.mark.parametrize(
    "name", [n for n in METRICS if METRICS[n](NUM_CLASSES).inputs in ("labels", "multi_label")]
)
def test_other_class_counts_and_wrong_shapes_are_refused(name: str) -> None:
    metric = METRICS[name](NUM_CLASSES)
    with pytest.raises(ValueError, match="cannot merge metrics whose"):
        metric.merge(METRICS[name](NUM_CLASSES + 1))
    with pytest.raises(ValueError, match=rf"N x {NUM_CLASSES} is expected"):
        metric.update(np.zeros((2, NUM_CLASSES - 1)), np.zeros(2, dtype=int))
    with pytest.raises(ValueError, match="NaN or infinity"):
        metric.update(np.full((1, NUM_CLASSES), np.nan), np.zeros(1, dtype=int))


CAPTIONS = {
    "first": (["a dog runs over grass", "the dog is running"], "a dog runs on grass"),
    "second": (["two cats sleep"], "two cats"),
    "third": (["a red car on the street", "the car is red", "a car"], ""),
    "fourth": (["people walk in a park"], "the people walk home in a park"),
}


def _scored(name: str, items: list[str]) -> CaptionScores:
    frequencies = DocumentFrequencies.count(
        [[text.split() for text in references] for references, _ in CAPTIONS.values()]
    )
    return score_captions(
        {item: CAPTIONS[item][0] for item in items},
        {item: CAPTIONS[item][1] for item in items},
        metrics=[name],
        frequencies=frequencies,
    )


def test_the_contract_sees_every_caption_metric() -> None:
    assert {"bleu", "rouge_l", "cider", "cider_d"} <= set(CAPTION_METRICS)


@pytest.mark.parametrize("name", CAPTION_METRICS)
def test_a_caption_metric_minds_neither_order_nor_company(name: str) -> None:
    if CAPTION_METRICS[name].why_not() is not None:
        pytest.skip(f"{name} needs what is not installed here")
    items = list(CAPTIONS)
    whole = _scored(name, items)
    turned = _scored(name, items[::-1])
    for key, value in whole.corpus.items():
        assert turned.corpus[key] == pytest.approx(value, abs=1e-12)
        assert turned.per_item[key][::-1] == pytest.approx(whole.per_item[key], abs=1e-12)
    for places in ([0, 1], [2, 3]):
        half = _scored(name, [items[place] for place in places])
        for score in whole.scores:
            assert half.per_item[score.key] == pytest.approx(score.per_item_N[places], abs=1e-12)
            together = score.of_items(np.array(places))
            assert half.corpus[score.key] == pytest.approx(together, abs=1e-12)


@pytest.mark.parametrize("name", CAPTION_METRICS)
def test_a_caption_metric_of_nothing_is_clear(name: str) -> None:
    if CAPTION_METRICS[name].why_not() is not None:
        pytest.skip(f"{name} needs what is not installed here")
    with pytest.raises(DataError, match="no items with references to measure"):
        score_captions({}, {}, metrics=[name])
