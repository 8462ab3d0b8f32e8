"""Comparisons: the paper's per-class table, the paired test, and refusals by name."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import binomtest
from tests.fakes.results import fake_results

from lrcn.errors import ResultsError
from lrcn.evaluate.compare import compare
from lrcn.evaluate.measure import measure_multi_label
from lrcn.evaluate.results import Results, VideoResult


def _with_protocol(results: Results, **changes: object) -> Results:
    return dataclasses.replace(results, protocol=dataclasses.replace(results.protocol, **changes))


def test_numbers_follow_from_the_videos() -> None:
    first, second = fake_results(skill=0.5, seed=1), fake_results(skill=2.0, seed=2)
    result = compare(first, second, names=("single", "lrcn"))

    pairs = list(zip(first.videos, second.videos, strict=True))
    only_first = sum(a.correct and not b.correct for a, b in pairs)
    only_second = sum(b.correct and not a.correct for a, b in pairs)
    assert (result.num_only_first_right, result.num_only_second_right) == (only_first, only_second)
    assert result.main.p_value == pytest.approx(
        binomtest(only_first, only_first + only_second).pvalue
    )
    assert result.main.difference == pytest.approx((only_second - only_first) / len(pairs))
    assert result.main.first == pytest.approx(first.metrics["accuracy_top1"])
    low, high = result.main.interval
    assert low < result.main.difference < high
    assert result.main.test == "exact McNemar"


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

    main = result.main
    assert (main.difference, main.p_value, main.interval) == (0, 1.0, (0, 0))


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


def test_single_frames_that_saw_all_have_no_clips_to_differ_in() -> None:
    """The paper's tables set an LRCN against the single-frame model; the crops must agree."""
    first = fake_results()
    frames = {"model_kind": "single_frame", "clip_length": 1, "clip_stride": 1}
    fused = {
        **frames,
        "model_kind": "fusion",
        "fusion": {"members": [{"model_kind": "single_frame"}, {"model_kind": "single_frame"}]},
    }

    assert compare(_with_protocol(first, **frames), first).unlike == ()
    assert compare(first, _with_protocol(first, **fused)).unlike == ()
    mixed = {**fused, "fusion": {"members": [{"model_kind": "lrcn"}, *fused["fusion"]["members"]]}}
    for changes in (
        {**frames, "num_crops": 10},
        {**frames, "frame_stride": 2},
        {**frames, "clip_stride": 4},
        {**frames, "model_kind": "lrcn"},
        mixed,
    ):
        with pytest.raises(ResultsError, match="--allow-unlike"):
            compare(first, _with_protocol(first, **changes))


def test_stored_flow_is_other_files_than_the_videos() -> None:
    first = fake_results()
    flow = {"preprocessing": {"modality": "flow"}, "content_hash": "9"}

    assert compare(first, _with_protocol(first, **flow)).unlike == ()


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


def test_intervals_of_one_video_stand_or_fall_together() -> None:
    """80 items of 20 videos: the tests pair videos, not items."""
    first, second = fake_results(skill=0.5, seed=1), fake_results(skill=2.0, seed=2)
    apart = compare(first, second).main
    joined = [
        dataclasses.replace(
            results,
            videos=tuple(
                dataclasses.replace(
                    v, path=f"long_{i // 4}", video_id=f"long_{i // 4}", start_seconds=float(i % 4)
                )
                for i, v in enumerate(results.videos)
            ),
        )
        for results in (first, second)
    ]
    together = compare(*joined).main

    assert (apart.test, together.test) == ("exact McNemar", "paired permutation by video")
    assert together.difference == apart.difference
    assert 0 < together.p_value < 1


def _labelled(skill: float, seed: int, num_videos: int = 60) -> Results:
    """Videos with some of five labels; probabilities rise with `skill` where one holds."""
    names = ("bend", "carry", "drink", "jump", "wave")
    truth_NK = np.random.default_rng(7).random((num_videos, 5)) < 0.35
    truth_NK[~truth_NK.any(axis=1), 0] = True
    noise_NK = np.random.default_rng(seed).normal(size=truth_NK.shape)
    probs_NK = 1 / (1 + np.exp(-(noise_NK + skill * (2 * truth_NK - 1))))

    def joined(present_K: np.ndarray) -> str:
        return ";".join(name for name, there in zip(names, present_K, strict=True) if there)

    videos = tuple(
        VideoResult(
            video_id=f"v{i}",
            path=f"v{i}.mp4",
            class_name=joined(truth_NK[i]),
            predicted=joined(probs_NK[i] >= 0.5),
            correct=bool(((probs_NK[i] >= 0.5) == truth_NK[i]).all()),
            prob=float(probs_NK[i].max()),
            probs=tuple(probs_NK[i].tolist()),
        )
        for i in range(num_videos)
    )
    measured = measure_multi_label(
        probs_NK,
        truth_NK,
        [v.path for v in videos],
        names,
        thresholds=[0.5] * 5,
        seed=0,
        num_resamples=50,
    )
    return dataclasses.replace(
        _with_protocol(fake_results(class_names=names), multi_label=True),
        metrics=measured.metrics,
        class_names=names,
        per_class=measured.per_class,
        confusion=None,
        videos=videos,
    )


def test_several_labels_are_compared_by_ranking_and_by_decision() -> None:
    first, second = _labelled(0.4, seed=1), _labelled(1.5, seed=2)
    result = compare(first, second)

    assert [(m.key, m.test) for m in result.metrics] == [
        ("mean_average_precision", "paired bootstrap by video"),
        ("f1_micro", "paired bootstrap by video"),
        ("accuracy_exact", "exact McNemar"),
    ]
    for m in result.metrics:
        assert m.first == pytest.approx(first.metrics[m.key])
        assert m.second == pytest.approx(second.metrics[m.key])
        assert m.interval[0] < m.difference < m.interval[1]
        assert m.p_value < 0.05
    own = {c.class_name: c.average_precision for c in first.per_class}
    assert {c.class_name: c.first for c in result.per_class} == pytest.approx(own)
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert document["mean_average_precision_difference"] > 0.1
    assert document["p_value"] == document["mean_average_precision_p_value"]


def test_classes_in_another_order_are_the_same_classes() -> None:
    first = _labelled(0.4, seed=1)
    turned = dataclasses.replace(
        first,
        class_names=first.class_names[::-1],
        videos=tuple(dataclasses.replace(v, probs=v.probs[::-1]) for v in first.videos),
    )

    assert all(m.difference == 0 and m.p_value == 1 for m in compare(first, turned).metrics)


def test_chance_differences_of_several_labels_are_seldom_called_real() -> None:
    pairs = [(_labelled(0.5, seed=2 * i), _labelled(0.5, seed=2 * i + 1)) for i in range(8)]

    assert sum(compare(*pair).main.p_value < 0.05 for pair in pairs) <= 2
