"""Late fusion of probabilities: hand computations, order, time, and the search for weights."""

from __future__ import annotations

import math

import pytest
import torch

from lrcn.errors import ConfigError, ModelError
from lrcn.models.fusion import (
    class_columns,
    fuse_probs,
    nearest_in_time,
    normalised,
    search_weights,
    simplex_grid,
)


def test_weights_are_normalised_and_equal_by_default() -> None:
    assert normalised([1, 2], 2) == pytest.approx((1 / 3, 2 / 3))
    assert normalised([0, 5], 2) == (0.0, 1.0)
    assert normalised(None, 4) == (0.25,) * 4


@pytest.mark.parametrize(
    "weights", [[1.0], [1, 2, 3], [-1, 2], [0, 0], [math.nan, 1], [math.inf, 1]]
)
def test_weights_that_make_no_mean_are_refused(weights: list[float]) -> None:
    with pytest.raises(ConfigError, match="fusion weights"):
        normalised(weights, 2)


def test_the_papers_third_and_two_thirds() -> None:
    rgb, flow = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.3, 0.7]])

    fused = fuse_probs([rgb, flow], normalised([1, 2], 2))

    assert fused.dtype == torch.float32
    torch.testing.assert_close(fused, torch.tensor([[0.5, 0.5]]))


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shapes"):
        fuse_probs([torch.ones(2), torch.ones(3)], (0.5, 0.5))


def test_classes_are_matched_by_name() -> None:
    assert class_columns("abc", "cab", names=("A", "B")) == [1, 2, 0]
    with pytest.raises(ModelError, match="only A knows 'c' and only B knows 'd'"):
        class_columns("abc", "abd", names=("A", "B"))
    with pytest.raises(ModelError, match="only B knows 'c'"):
        class_columns("ab", "abc", names=("A", "B"))


def test_the_nearest_time_and_the_earlier_of_two() -> None:
    times_S, wanted_T = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0.0, 1.5, 1.6, 3.0, 3.1, 9.0])

    assert nearest_in_time(times_S, wanted_T).tolist() == [0, 0, 1, 1, 2, 2]
    assert nearest_in_time(torch.tensor([7.0]), wanted_T).tolist() == [0] * 6


@pytest.mark.parametrize("num_members", [1, 2, 3, 5, 9])
def test_grids_cover_the_simplex_and_stay_small(num_members: int) -> None:
    grid = simplex_grid(num_members)

    assert len(grid) == len(set(grid)) <= 5000
    assert all(sum(point) == pytest.approx(1) and min(point) >= 0 for point in grid)
    corners = [point for point in grid if max(point) == 1]
    assert len(corners) == num_members
    if num_members in (2, 3):
        assert grid[0] == pytest.approx((1 / num_members,) * num_members)


def test_the_search_takes_the_most_accurate_weights() -> None:
    # The first member is right on two videos, the second on the other one; only together on all.
    good = torch.tensor([[0.8, 0.2], [0.8, 0.2], [0.55, 0.45]])
    other = torch.tensor([[0.6, 0.4], [0.4, 0.6], [0.1, 0.9]])
    targets = torch.tensor([[1, 0], [1, 0], [0, 1]], dtype=torch.bool)

    found = search_weights(torch.stack([good, other]), targets)

    assert found.accuracy == 1.0
    assert found.num_videos == 3
    fused = fuse_probs([good, other], found.fusion_weights)
    nll = -torch.log(fused[targets]).mean()
    assert found.nll == pytest.approx(float(nll), rel=1e-5)


def test_between_equally_accurate_weights_the_likelier_ones_win() -> None:
    sure, unsure = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.6, 0.4]])

    found = search_weights(torch.stack([unsure, sure]), torch.tensor([[True, False]]))

    assert found.fusion_weights == (0.0, 1.0)


def test_the_same_model_twice_gets_equal_weights() -> None:
    probs = torch.softmax(torch.randn(20, 5, generator=torch.Generator().manual_seed(0)), 1)
    targets = torch.eye(5, dtype=torch.bool)[torch.arange(20) % 5]

    assert search_weights(torch.stack([probs, probs]), targets).fusion_weights == (0.5, 0.5)


def test_several_labels_count_as_a_set() -> None:
    right, wrong = torch.tensor([[0.9, 0.8, 0.1]]), torch.tensor([[0.1, 0.2, 0.9]])
    targets = torch.tensor([[True, True, False]])

    found = search_weights(torch.stack([wrong, right]), targets, multi_label=True)

    assert found.fusion_weights == (0.0, 1.0)
    assert found.accuracy == 1.0
    assert found.nll == pytest.approx(-math.log(0.9 * 0.8 * 0.9), rel=1e-5)
