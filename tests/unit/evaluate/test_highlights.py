"""The videos most often right and most wrong are kept, however many pass by."""

from __future__ import annotations

import numpy as np

from lrcn.evaluate.highlights import NUM_KEPT, Highlights
from lrcn.evaluate.results import VideoResult


def _video(i: int, prob: float, *, correct: bool) -> VideoResult:
    return VideoResult(
        video_id=f"v{i:02d}",
        path="",
        class_name="b" if correct else "e",
        predicted="b",
        correct=correct,
        prob=prob,
        probs=(),
    )


def test_the_surest_of_each_kind_are_kept_in_order() -> None:
    probs = np.random.default_rng(0).permutation(40) / 40
    kept = Highlights(tuple("abcde"))
    for i, prob in enumerate(probs):
        kept.offer(_video(i, prob, correct=i % 3 > 0), np.zeros((2, 5)), np.arange(2.0))

    for kind in ("right", "wrong"):
        places = [i for i in range(40) if (i % 3 > 0) == (kind == "right")]
        surest = sorted(places, key=lambda i: -probs[i])[:NUM_KEPT]
        assert [h.key for h in kept.all() if h.kind == kind] == [f"v{i:02d}" for i in surest]


def test_equally_sure_videos_do_not_depend_on_their_order() -> None:
    found = []
    for order in (range(20), reversed(range(20))):
        kept = Highlights(tuple("abcde"))
        for i in order:
            kept.offer(_video(i, 0.5, correct=True), np.zeros((1, 5)), np.zeros(1))
        found.append([h.key for h in kept.all()])

    assert found[0] == found[1]


def test_the_truth_is_followed_even_when_it_is_least_probable() -> None:
    kept = Highlights(tuple("abcde"))
    probs = np.array([[0.1, 0.4, 0.3, 0.2, 0.0], [0.1, 0.6, 0.2, 0.1, 0.0]])
    kept.offer(_video(0, 0.5, correct=False), probs, np.array([0.0, 0.04]))
    (highlight,) = kept.all()

    assert highlight.class_names == ("b", "c", "d", "e")
    assert highlight.probs[0] == (0.4, 0.6)
    assert highlight.pts_seconds == (0.0, 0.04)


def test_frames_that_are_right_come_before_the_sureness_of_the_answer() -> None:
    """Three of four frames right and 90 % sure: behind four of four and 60 % sure."""
    kept = Highlights(tuple("abcde"))
    right = np.eye(5)[[1, 1, 1, 1]]
    mixed = np.eye(5)[[1, 1, 1, 4]]
    wrong = np.eye(5)[[1, 1, 1, 1]]
    nearly = np.eye(5)[[4, 1, 4, 1]]
    for i, (prob, correct, probs_TK) in enumerate(
        [(0.9, True, mixed), (0.6, True, right), (0.9, False, nearly), (0.6, False, wrong)]
    ):
        kept.offer(_video(i, prob, correct=correct), probs_TK, np.arange(4.0))

    assert [(h.key, h.share_right) for h in kept.all()] == [
        ("v01", 1.0), ("v00", 0.75), ("v03", 0.0), ("v02", 0.5),
    ]  # fmt: skip


def test_long_videos_keep_as_many_points_as_a_screen_shows() -> None:
    kept = Highlights(tuple("abcde"))
    probs_TK = np.random.default_rng(0).random((15_000, 5))
    kept.offer(_video(0, 0.5, correct=True), probs_TK, np.arange(15_000) / 25)
    (highlight,) = kept.all()

    assert len(highlight.pts_seconds) == len(highlight.probs[0]) == 600
    assert (highlight.pts_seconds[0], highlight.pts_seconds[-1]) == (0.0, 599.96)
