"""Fusing results files: the numbers, the matching, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.results import fake_results

from lrcn.errors import ModelError, ResultsError
from lrcn.evaluate.compare import compare
from lrcn.evaluate.fuse import find_weights, fuse_results, match
from lrcn.evaluate.results import Results

NAMES = ("rgb", "flow")
BYTES = {"content_hash": "9" * 32}


def _two(**changes: str) -> tuple[Results, Results]:
    return fake_results(seed=1, skill=1.2), fake_results(seed=2, skill=1.0, **changes)


def _shuffled(results: Results) -> Results:
    """The same answers with classes and videos in another order."""
    order = list(np.random.default_rng(0).permutation(len(results.class_names)))
    return replace(
        results,
        class_names=tuple(results.class_names[k] for k in order),
        videos=tuple(
            replace(v, probs=tuple(v.probs[k] for k in order)) for v in reversed(results.videos)
        ),
    )


def test_probabilities_are_the_weighted_mean_and_are_measured() -> None:
    rgb, flow = _two()

    fused = fuse_results([rgb, flow], [1, 2], names=NAMES)

    wanted_NK = (
        np.array([v.probs for v in rgb.videos]) + 2 * np.array([v.probs for v in flow.videos])
    ) / 3
    np.testing.assert_allclose([v.probs for v in fused.videos], wanted_NK, rtol=1e-12)
    labels_N = [fused.class_names.index(v.class_name) for v in fused.videos]
    accuracy = np.mean(wanted_NK.argmax(axis=1) == labels_N)
    assert fused.metrics["accuracy_top1"] == pytest.approx(accuracy)
    low, high = fused.intervals["accuracy_top1"]
    assert low <= accuracy <= high
    assert fused.videos[0].predicted == fused.class_names[wanted_NK[0].argmax()]


def test_the_record_names_members_weights_and_their_origin() -> None:
    rgb, flow = _two()

    fusion = fuse_results([rgb, flow], [1, 2], names=NAMES).protocol.fusion

    assert fusion is not None
    assert fusion["fusion_weights"] == pytest.approx([1 / 3, 2 / 3])
    assert fusion["weights_from"] == "given"
    assert [m["results"] for m in fusion["members"]] == ["rgb", "flow"]
    assert fusion["members"][0]["accuracy_top1"] == rgb.metrics["accuracy_top1"]
    equal = fuse_results([rgb, flow], names=NAMES).protocol
    assert equal.fusion is not None
    assert equal.fusion["weights_from"] == "equal"
    assert equal.model_kind == "fusion"


def test_all_weight_on_one_member_is_that_member() -> None:
    rgb, flow = _two()

    fused = fuse_results([rgb, flow], [0, 1], names=NAMES)

    assert fused.metrics["accuracy_top1"] == flow.metrics["accuracy_top1"]
    assert [v.predicted for v in fused.videos] == [v.predicted for v in flow.videos]


def test_videos_are_matched_by_id_and_classes_by_name() -> None:
    rgb, flow = _two()

    straight = fuse_results([rgb, flow], [1, 2], names=NAMES)
    mixed = fuse_results([rgb, _shuffled(flow)], [1, 2], names=NAMES)

    assert mixed.videos == straight.videos
    assert mixed.metrics == straight.metrics


def test_a_fused_file_is_a_results_file_like_any_other() -> None:
    rgb, flow = _two()
    fused = fuse_results([rgb, flow], names=NAMES)

    again = Results.from_json(fused.to_json())

    assert again.to_dict() == fused.to_dict()
    assert compare(rgb, again).num_videos == len(rgb.videos)
    three = fuse_results([again, flow, rgb], names=("a", "b", "c"))
    assert three.metrics["accuracy_top1"] is not None


def test_other_classes_are_refused_even_when_told() -> None:
    rgb = fake_results(class_names=("a", "b"))
    other = fake_results(class_names=("a", "c"))

    with pytest.raises(ModelError, match="only rgb knows 'b' and only flow knows 'c'"):
        fuse_results([rgb, other], names=NAMES, allow_unlike=True)


def test_unlike_protocols_are_refused_unless_told() -> None:
    rgb, flow = _two()
    flow = replace(flow, protocol=replace(flow.protocol, clip_stride=4, num_crops=10))

    with pytest.raises(ResultsError, match=r"clip_stride \(8 and 4\).*--allow-unlike"):
        fuse_results([rgb, flow], names=NAMES)

    fused = fuse_results([rgb, flow], names=NAMES, allow_unlike=True)
    assert any("clip_stride" in warning for warning in fused.protocol.warnings)


def test_only_shared_videos_count_where_videos_differ() -> None:
    rgb, flow = _two()
    flow = replace(
        flow, videos=flow.videos[:30], protocol=replace(flow.protocol, list_hash="7" * 32)
    )

    with pytest.raises(ResultsError, match="videos"):
        fuse_results([rgb, flow], names=NAMES)
    fused = fuse_results([rgb, flow], names=NAMES, allow_unlike=True)

    assert [v.video_id for v in fused.videos] == [v.video_id for v in rgb.videos[:30]]
    assert fused.protocol.num_videos == 30
    assert fused.protocol.list_hash not in (rgb.protocol.list_hash, flow.protocol.list_hash)


def test_flow_images_may_be_other_files_than_the_videos() -> None:
    rgb = fake_results(preprocessing={"modality": "rgb"})
    flow = fake_results(preprocessing={"modality": "flow"}, **BYTES)
    other = fake_results(preprocessing={"modality": "rgb"}, **BYTES)

    assert fuse_results([rgb, flow], names=NAMES).protocol.warnings == ()
    with pytest.raises(ResultsError, match="other bytes"):
        fuse_results([rgb, other], names=NAMES)


def test_an_id_that_occurs_twice_is_refused() -> None:
    rgb, flow = _two()
    twice = replace(flow, videos=(*flow.videos, flow.videos[0]))

    with pytest.raises(ResultsError, match="flow has two videos of the id"):
        fuse_results([rgb, twice], names=NAMES)


@pytest.mark.parametrize("probs", [(0.1,), (float("nan"),) * 99])
def test_damaged_probabilities_are_told(probs: tuple[float, ...]) -> None:
    rgb, flow = _two()
    first = replace(flow.videos[0], probs=probs[: len(flow.class_names)])
    damaged = replace(flow, videos=(first, *flow.videos[1:]))

    with pytest.raises(ResultsError, match="flow is damaged"):
        fuse_results([rgb, damaged], names=NAMES)


def test_no_video_is_dropped_in_silence() -> None:
    rgb, flow = _two()
    # The same list, of which one member answered less.
    fewer = replace(flow, videos=flow.videos[:-2])

    for pair in ([rgb, fewer], [fewer, rgb]):
        with pytest.raises(ResultsError, match=r"another truth: 2.*--allow-unlike"):
            fuse_results(pair, names=NAMES)


def test_ids_that_differ_in_their_folders_alone_are_shown() -> None:
    rgb, flow = _two()
    plain = replace(
        flow, videos=tuple(replace(v, video_id=f"clips/{v.video_id}") for v in flow.videos)
    )

    for allow in (False, True):
        with pytest.raises(ResultsError, match=r"named alike: '.+' and 'clips/.+'"):
            fuse_results([rgb, plain], names=NAMES, allow_unlike=allow)


def test_one_result_alone_is_no_fusion() -> None:
    with pytest.raises(ResultsError, match="at least 2"):
        fuse_results([fake_results()], names=("rgb",))


def test_weights_are_found_on_matched_videos() -> None:
    good, bad = fake_results(seed=1, skill=3.0), fake_results(seed=2, skill=0.0)

    found = find_weights(match([bad, good], names=NAMES))

    assert found.fusion_weights[1] > 0.5
    assert found.accuracy >= good.metrics["accuracy_top1"]
