"""The surest videos are kept, however many pass by."""

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
