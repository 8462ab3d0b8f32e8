"""METEOR on tables of a few lines: matches, the alignment, the score, the index.

Equality with the official program on the real tables: `tests/golden/test_meteor_official.py`.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.meteor_package import write_meteor_package

from lrcn.errors import ConfigError, MissingFilesError, OutputError
from lrcn.metrics import score_captions
from lrcn.metrics.meteor import Meteor, corpus_score, meteor_missing, score_of
from lrcn.metrics.meteor_align import Alignment, align
from lrcn.metrics.meteor_match import EXACT, PARAPHRASE, STEM, SYNONYM, Match, find_matches
from lrcn.metrics.meteor_stem import stem
from lrcn.metrics.meteor_tables import open_tables
from lrcn.metrics.meteor_text import split_words

WORDS = st.lists(st.sampled_from("abcd"), max_size=6)


@pytest.fixture(scope="module")
def meteor() -> Meteor:
    return Meteor()


def _matches(meteor: Meteor, hypothesis: str, reference: str) -> list[Match]:
    found = find_matches(meteor._sentence(hypothesis), meteor._sentence(reference))
    return [match for options in found for match in options]


def test_words_match_by_form_stem_synset_and_paraphrase(meteor: Meteor) -> None:
    def matchers(hypothesis: str, reference: str) -> list[int]:
        return [match.matcher for match in _matches(meteor, hypothesis, reference)]

    assert matchers("dog", "dog") == [EXACT]
    assert matchers("dogs", "dog") == [STEM]
    assert matchers("couch", "sofa") == [SYNONYM]
    assert matchers("sofas", "couch") == [SYNONYM]
    assert matchers("children", "child") == [STEM] * (stem("children") == "child") + [SYNONYM]
    assert matchers("photo", "couch") == []
    (match,) = _matches(meteor, "several dogs", "there a group of cats")
    assert match == Match(0, 1, 1, 3, PARAPHRASE)
    (match,) = _matches(meteor, "sit in front of it", "before")
    assert match == Match(1, 3, 0, 1, PARAPHRASE)


def test_a_line_is_divided_into_words(meteor: Meteor) -> None:
    line = "The U.S. man's x-ray isn't here, Mr. Smith: No. 5 costs 1,000 \u2013 or more..."
    words = "the us man 's x ray isn 't here , mr. smith : no. 5 costs 1,000 or more ..."
    assert [word for word in split_words(line, meteor.tables) if word != "-"] == words.split()
    assert split_words("plain words only", meteor.tables) == ["plain", "words", "only"]
    assert split_words("", meteor.tables) == []


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("generously", "generous"),
        ("skies", "sky"),
        ("united", "unit"),
        ("hopping", "hop"),
        ("hoping", "hope"),
        ("relational", "relat"),
        ("agreed", "agre"),
        ("dog's", "dog"),
        ("ponies", "poni"),
        ("by", "by"),
        ("happily", "happili"),
        ("enjoyment", "enjoy"),
    ],
)
def test_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


def _aligned(hypothesis: Sequence[str], reference: Sequence[str]) -> Alignment:
    found = [
        [Match(i, 1, place, 1, EXACT) for i, own in enumerate(hypothesis) if own == word]
        for place, word in enumerate(reference)
    ]
    return align(found, len(hypothesis), beam_size=10_000)


def _best(hypothesis: Sequence[str], reference: Sequence[str]) -> tuple[int, int]:
    """Words covered and chunks of the best alignment, from all there are."""
    best = (0, 0)
    for choice in itertools.product(range(-1, len(hypothesis)), repeat=len(reference)):
        taken = [(i, place) for place, i in enumerate(choice) if i >= 0]
        places = [i for i, _ in taken]
        if len(set(places)) == len(places) and all(
            hypothesis[i] == reference[place] for i, place in taken
        ):
            joints = sum((a[0] + 1, a[1] + 1) == (b[0], b[1]) for a, b in itertools.pairwise(taken))
            best = max(best, (len(taken), joints - len(taken)))
    return best[0], -best[1]


@settings(max_examples=60, deadline=None)
@given(WORDS.map(lambda words: words[:5]), WORDS.map(lambda words: words[:5]))
def test_most_words_are_covered_in_fewest_chunks(own: list[str], others: list[str]) -> None:
    found = _aligned(own, others)
    assert (len(found.matches), found.chunks) == _best(own, others)


def test_a_phrase_that_spans_more_words_beats_words_of_less_weight() -> None:
    found = [
        [Match(0, 1, 0, 1, EXACT)],
        [Match(1, 1, 1, 1, STEM), Match(1, 2, 1, 2, PARAPHRASE)],
        [Match(2, 1, 2, 1, STEM)],
    ]
    assert align(found, 3).matches == [found[0][0], found[1][1]]
    found[2] = [Match(2, 1, 2, 1, EXACT)]
    assert align(found, 3).chunks == 1


def test_half_of_the_words_of_a_phrase_count(meteor: Meteor) -> None:
    # Four and five words make 2 + 2; equal words that the phrase forbids would have made 4.
    phrase = Match(0, 4, 0, 5, PARAPHRASE)
    words = [Match(i, 1, i, 1, EXACT) for i in (0, 2)]
    found: list[list[Match]] = [[words[0], phrase], [], [words[1]], [], []]
    assert align(found, 4) == Alignment([phrase], 1)
    found[1] = [Match(1, 1, 1, 1, EXACT)]
    assert align(found, 4).matches == [words[0], found[1][0], words[1]]


def test_scores_by_hand(meteor: Meteor) -> None:
    def score(hypothesis: str, *references: str) -> float:
        return score_of(meteor.score(references, hypothesis))

    assert score("dogs run", "dogs run") == 1
    assert score("dogs", "") == score("", "dogs") == score("dogs", "cats") == 0
    # One of two words, one chunk of one word.
    fmean = 0.5 / (0.85 * 0.5 + 0.15 * 0.5)
    assert score("dogs run", "dogs sleep") == pytest.approx(
        0.5 * fmean * (1 - 0.6 * (1 / 1) ** 0.2), abs=1e-12
    )
    # A synonym of weight 0.8 and a function word of weight 0.25: whole, so no penalty.
    assert score("the couch", "the sofa") == pytest.approx((0.25 + 0.75 * 0.8) / 1, abs=1e-12)
    assert score("dogs run", "cats", "dogs run", "dogs") == 1
    with pytest.raises(ValueError, match="references is empty"):
        meteor.score([], "dogs")


def test_many_captions_are_scored_by_their_added_statistics(meteor: Meteor) -> None:
    pairs = [("dogs run", "dogs run"), ("a dog sleeps", "the dog is sleeping")]
    statistics = np.array([meteor.score([reference], own) for own, reference in pairs])
    added = statistics.sum(axis=0)
    added[20] -= 1
    assert corpus_score(statistics) == score_of(added) != score_of(statistics.sum(axis=0))
    found = score_captions(
        {str(i): [reference] for i, (_, reference) in enumerate(pairs)},
        {str(i): own for i, (own, _) in enumerate(pairs)},
        metrics=["meteor"],
    )
    assert found.corpus == {"meteor": pytest.approx(corpus_score(statistics), abs=1e-12)}
    assert found.per_item["meteor"].tolist() == [score_of(row) for row in statistics]


def test_without_the_package_meteor_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert meteor_missing() is None
    monkeypatch.setattr("lrcn.metrics.meteor.table_files", lambda: None)
    monkeypatch.setattr("lrcn.metrics.meteor_tables.table_files", lambda: None)
    found = score_captions({"1": ["a dog"]}, {"1": "a dog"})
    assert "meteor" not in found.corpus
    assert "pip install 'lrcn[meteor]'" in found.left_out["meteor"]
    with pytest.raises(ConfigError, match="pip install"):
        score_captions({"1": ["a dog"]}, {"1": "a dog"}, metrics=["meteor"])
    with pytest.raises(MissingFilesError, match="pycocoevalcap is not installed"):
        open_tables()


def test_the_index_is_made_once_and_again_when_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = write_meteor_package(tmp_path)
    root = tmp_path / "cache"
    with caplog.at_level(logging.WARNING):
        first = open_tables(files, root)
        open_tables(files, root)
        assert caplog.text.count("indexing METEOR's tables, once") == 1
        assert [path.name for path in root.iterdir()] == [first.folder.name]
        (first.folder / "sources.npy").write_bytes(b"broken")
        open_tables(files, root)
        assert caplog.text.count("removed the damaged index") == 1
        (first.folder / "synonyms.npy").unlink()
        again = open_tables(files, root)
        assert caplog.text.count("removed the damaged index") == 2
    number = again.phrase("a group of")
    assert again.paraphrases_in_order(number) == [again.phrase("several"), again.phrase("some")]
    assert again.phrase("a group") >= again.num_sources
    assert again.phrase("group of") == -1
    files[0].write_bytes(files[0].read_bytes() + b" ")
    assert open_tables(files, root).folder != first.folder


def test_an_index_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    files = write_meteor_package(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written.*Set LRCN_CACHE"):
        open_tables(files, tmp_path / "file")
