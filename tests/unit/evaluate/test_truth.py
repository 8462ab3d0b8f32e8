"""Sentences that can be true or false are counted, by meaning; others are not."""

from __future__ import annotations

import pytest

from lrcn.evaluate.truth import intervals_of, with_truth
from lrcn.metrics.caption_scores import score_captions

TRUE = {
    "1": ("a red square slides left, then a blue disc spins",),
    "2": ("a cyan bar grows, then a green cross rises",),
    "3": ("a red disc sinks",),
    "4": ("a red disc and a blue bar rise",),
}
SAID = {
    "1": "a red square slides left , then a blue disc spins",
    "2": "a green cross rises, then a cyan bar grows",  # in the wrong order
    "3": "a red disc rises",
    "4": "a blue bar and a red disc rise",
}


def test_counts_what_is_true() -> None:
    scores = with_truth(score_captions(TRUE, SAID, metrics=("bleu",)), TRUE, SAID)

    assert scores.corpus["accuracy_exact"] == 0.5
    found = dict(zip(scores.ids, scores.per_item["accuracy_exact"], strict=True))
    assert found == {"1": 1, "2": 0, "3": 0, "4": 1}
    intervals = intervals_of(scores, seed=0, level=0.95, num_resamples=20)
    # Wilson's interval of 2 in 4, as statistical tables have it.
    assert intervals["accuracy_exact"] == pytest.approx((0.1500, 0.8500), abs=1e-4)
    assert set(intervals) == set(scores.corpus)


def test_sentences_of_people_are_neither_true_nor_false() -> None:
    people = {**TRUE, "5": ("a man rides a horse",)}
    said = {**SAID, "5": "a man rides a horse"}
    before = score_captions(people, said, metrics=("bleu",))

    assert with_truth(before, people, said) is before
