"""Variety and novelty of captions, and the nearest-neighbour baseline."""

from __future__ import annotations

import numpy as np
import pytest

from lrcn.errors import DataError
from lrcn.metrics import measure_diversity, nearest_places, score_candidates, score_captions


def test_variety_by_hand() -> None:
    captions = [["a", "dog"], ["a", "dog"], ["a", "b", "a"]]
    found = measure_diversity(captions, [["a", "b", "c", "d"]], training=[["a", "dog"]])
    assert found["distinct_1"] == 3 / 7
    assert found["distinct_2"] == 3 / 4
    assert found["distinct_3"] == 1
    assert found["distinct_4"] == 0
    assert found["distinct_captions"] == 2 / 3
    assert found["mean_length"] == pytest.approx(7 / 3)
    assert found["vocabulary_size"] == 3
    assert found["vocabulary_use"] == 2 / 4
    assert found["novelty"] == 1 / 3
    assert "novelty" not in measure_diversity(captions, [])
    with pytest.raises(DataError, match="no hypotheses"):
        measure_diversity([], [["a"]])


@pytest.mark.parametrize("chunk_size", [1, 2, 1000])
def test_the_nearest_item_by_angle_and_by_distance(chunk_size: int) -> None:
    known = [[10.0, 0.0], [1.0, 1.0], [0.0, 3.0], [0.0, 0.0]]
    items = [[1.0, 0.1], [0.9, 1.2], [0.1, 2.0]]
    by_angle = nearest_places(items, known, chunk_size=chunk_size)
    assert by_angle.tolist() == [0, 1, 2]
    near = nearest_places(items, known, similarity="euclidean", chunk_size=chunk_size)
    assert near.tolist() == [1, 1, 2]


def test_nearest_places_are_those_of_all_distances() -> None:
    rng = np.random.default_rng(0)
    items, known = rng.normal(size=(20, 5)), rng.normal(size=(30, 5))
    distances = np.linalg.norm(items[:, None] - known, axis=2)
    found = nearest_places(items, known, similarity="euclidean", chunk_size=7)
    assert found.tolist() == distances.argmin(axis=1).tolist()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="2 and 3 wide"):
        nearest_places([[1, 2]], [[1, 2, 3]])
    with pytest.raises(ValueError, match="items x width"):
        nearest_places([1, 2], [[1, 2]])
    with pytest.raises(DataError, match="no training items"):
        nearest_places([[1, 2]], np.zeros((0, 2)))


def test_candidates_are_scored_in_turn() -> None:
    references = {"1": ["a dog runs"], "2": ["two cats"]}
    candidates = {"1": ["a dog", "the dog"], "2": ["two cats"]}
    rounds = [
        score_captions(references, {"1": first, "2": "two cats"}).corpus
        for first in ("a dog", "the dog")
    ]
    found = score_candidates(references, candidates)
    for key, value in found.items():
        assert value == pytest.approx((rounds[0][key] + rounds[1][key]) / 2)
    with pytest.raises(DataError, match="1 items have no candidate"):
        score_candidates(references, {"1": [], "2": ["a"]})
