"""Recall and median rank, against sorting by hand and against all orders of ties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from lrcn.errors import DataError, ModelError
from lrcn.metrics.retrieval import (
    caption_to_image,
    chance_retrieval,
    image_to_caption,
    measure_retrieval,
    normalised_scores,
)


def brute_force(scores: np.ndarray, owners: list[int], way: str) -> tuple[list, list]:
    """For each query, rank and recalls at 1 and 5, averaged over all orders of the answers."""
    ranks, recalls = [], []
    queries = range(len(owners)) if way == "caption" else sorted(set(owners))
    for query in queries:
        row = scores[:, query] if way == "caption" else scores[query]
        right = (
            {owners[query]}
            if way == "caption"
            else {c for c, owner in enumerate(owners) if owner == query}
        )
        found = []
        for order in itertools.permutations(range(len(row))):
            listed = sorted(order, key=lambda answer: -row[answer])  # stable: ties as in `order`
            found.append(1 + min(listed.index(answer) for answer in right))
        ranks.append(np.mean(found))
        recalls.append([np.mean([rank <= k for rank in found]) for k in (1, 5)])
    return ranks, recalls


@pytest.mark.parametrize("levels", [2, 3, 1000])
def test_equal_to_all_orders_of_ties(levels: int) -> None:
    scores = np.random.default_rng(levels).integers(0, levels, (4, 6)).astype(float)
    owners = [0, 0, 1, 3, 3, 3]
    for way, measure in (("caption", caption_to_image), ("image", image_to_caption)):
        found = measure(scores, owners)
        ranks, recalls = brute_force(scores, owners, way)
        np.testing.assert_allclose(found.ranks(), ranks)
        np.testing.assert_allclose(
            np.stack([found.recalls(1), found.recalls(5)], axis=1), recalls, atol=1e-12
        )
        assert found.compute()["median_rank"] == pytest.approx(np.median(ranks))


def test_equal_scores_are_chance_and_right_ones_are_perfect() -> None:
    owners = np.repeat(np.arange(20), 5)
    chance = chance_retrieval(20, owners)
    assert chance["caption_to_image_recall_at_5"] == pytest.approx(5 / 20)
    assert chance["caption_to_image_median_rank"] == 10.5
    assert chance["image_to_caption_recall_at_1"] == pytest.approx(5 / 100)
    perfect = measure_retrieval(np.eye(20)[:, owners], owners)
    assert perfect["image_to_caption_recall_at_1"] == perfect["caption_to_image_median_rank"] == 1


def test_the_normalisation_changes_only_the_ranking_of_captions() -> None:
    generator = np.random.default_rng(0)
    scores = generator.normal(-800, 30, (7, 9))
    owners = generator.integers(0, 7, 9)
    normal = normalised_scores(scores)
    expected = scores - np.log(np.mean(np.exp(scores - scores.max(0)), axis=0)) - scores.max(0)
    np.testing.assert_allclose(normal, expected)
    ranks = [caption_to_image(s, owners).ranks() for s in (scores, normal)]
    np.testing.assert_array_equal(*ranks)
    assert (
        image_to_caption(scores, owners).ranks() != image_to_caption(normal, owners).ranks()
    ).any()
    impossible = np.array([[-np.inf, -1.0], [-np.inf, -np.inf]])
    assert not np.isnan(normalised_scores(impossible)).any()


def test_intervals_hold_the_value_and_draw_whole_images() -> None:
    scores = np.random.default_rng(1).normal(size=(12, 36))
    owners = np.repeat(np.arange(12), 3)
    ranks = caption_to_image(scores, owners)
    bounds = ranks.intervals(generator=torch.Generator().manual_seed(0), num_resamples=50)
    for key, value in ranks.compute().items():
        assert bounds[key][0] <= value <= bounds[key][1]
    assert bounds["recall_at_5"][0] < bounds["recall_at_5"][1]


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(DataError, match="belongs to image 5"):
        caption_to_image(np.zeros((2, 1)), [5])
    with pytest.raises(DataError, match="captions to measure"):
        image_to_caption(np.zeros((2, 0)), [])
    with pytest.raises(DataError, match="Transpose"):
        image_to_caption(np.zeros((2, 3)), [0, 1])
    with pytest.raises(ModelError, match="NaN"):
        caption_to_image(np.full((2, 1), np.nan), [0])
