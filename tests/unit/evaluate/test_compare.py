"""Comparisons: the paper's per-class table, the paired test, and refusals by name."""

from __future__ import annotations

import dataclasses
import json

import pytest
from scipy.stats import binomtest
from tests.fakes.results import fake_results

from lrcn.errors import ResultsError
from lrcn.evaluate.compare import compare
from lrcn.evaluate.results import Results


def _with_protocol(results: Results, **changes: object) -> Results:
    return dataclasses.replace(results, protocol=dataclasses.replace(results.protocol, **changes))


def test_numbers_follow_from_the_videos() -> None:
    first, second = fake_results(skill=0.5, seed=1), fake_results(skill=2.0, seed=2)
    result = compare(first, second, names=("single", "lrcn"))

    pairs = list(zip(first.videos, second.videos, strict=True))
    only_first = sum(a.correct and not b.correct for a, b in pairs)
    only_second = sum(b.correct and not a.correct for a, b in pairs)
    assert (result.num_only_first_right, result.num_only_second_right) == (only_first, only_second)
    assert result.p_value == pytest.approx(binomtest(only_first, only_first + only_second).pvalue)
    assert result.difference == pytest.approx((only_second - only_first) / len(pairs))
    assert result.accuracy_first == pytest.approx(first.metrics["accuracy_top1"])
    low, high = result.difference_interval
    assert low < result.difference < high


def test_classes_are_sorted_from_gain_to_loss() -> None:
    first, second = fake_results(skill=0.5, seed=1), fake_results(skill=1.0, seed=2)
    result = compare(first, second)

    differences = [c.difference for c in result.per_class]
    assert differences == sorted(differences, reverse=True)
    recall = {
        c.class_name: (c.recall, d.recall)
        for c, d in zip(first.per_class, second.per_class, strict=True)
    }
    for c in result.per_class:
        assert (c.first, c.second) == pytest.approx(recall[c.class_name])
        assert c.num_videos == 10


def test_the_table_reads_like_the_papers() -> None:
    """Paper, table 2: BoxingPunchingBag +40.82 (20 of 49 videos)."""
    first = fake_results(skill=9.0, class_names=("Boxing", "Typing"), per_class=49)
    videos = tuple(
        dataclasses.replace(v, predicted="Typing", correct=False) if i < 20 else v
        for i, v in enumerate(first.videos)
    )
    worse = dataclasses.replace(first, videos=videos)

    assert all(v.correct for v in first.videos)
    assert compare(worse, first).rows()[0] == ("Boxing", "49", "59.18", "100.00", "+40.82")


def test_equal_models_do_not_differ() -> None:
    results = fake_results()
    result = compare(results, results)

    assert (result.difference, result.p_value, result.difference_interval) == (0, 1.0, (0, 0))


def test_json_form_is_plain() -> None:
    document = json.loads(
        json.dumps(compare(fake_results(), fake_results(seed=3)).to_dict(), allow_nan=False)
    )

    assert document["accuracy_top1_difference"] == pytest.approx(
        document["accuracy_top1_second"] - document["accuracy_top1_first"]
    )
    assert set(document["per_class"][0]) == {
        "class_name",
        "num_videos",
        "first",
        "second",
        "difference",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_stride": 4}, r"clip_stride \(8 and 4\)"),
        ({"num_crops": 10, "protocol": "whole_video"}, r"protocol \(.*\); num_crops \(1 and 10\)"),
        ({"content_hash": "9"}, "files .the same names, other bytes"),
        ({"list_hash": "9"}, "labels .the same videos, another truth"),
        ({"allow_leaks": True}, r"allow_leaks \(False and True\)"),
    ],
)
def test_unlike_protocols_are_refused_by_name_and_allowed_when_told(
    changes: dict[str, object], message: str
) -> None:
    first = fake_results()
    second = _with_protocol(first, **changes)
    with pytest.raises(ResultsError, match=f"{message}.*--allow-unlike"):
        compare(first, second)

    assert compare(first, second, allow_unlike=True).unlike != ()


def test_other_models_and_machines_are_no_obstacle() -> None:
    first = fake_results()
    second = _with_protocol(first, model_kind="single_frame", precision="bfloat16", threads=8)

    assert compare(first, second).unlike == ()


def test_other_videos_are_refused_or_intersected() -> None:
    first = fake_results()
    second = _with_protocol(
        dataclasses.replace(first, videos=first.videos[:30]), list_hash="9", content_hash="8"
    )
    with pytest.raises(ResultsError, match=r"videos \(80 and 30; only in the first: 50"):
        compare(first, second)

    assert compare(first, second, allow_unlike=True).num_videos == 30


def test_nothing_in_common_is_refused_even_when_told() -> None:
    first = fake_results()
    other = fake_results(class_names=("a", "b"))
    with pytest.raises(ResultsError, match=r"classes \(only in the first"):
        compare(first, other)
    with pytest.raises(ResultsError, match="share no video with the same truth"):
        compare(first, other, allow_unlike=True)
