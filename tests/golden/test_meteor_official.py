"""METEOR equals meteor-1.5.jar; needs METEOR's own tables, from the package pycocoevalcap."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from lrcn.metrics.meteor import Meteor, corpus_score, score_of
from lrcn.metrics.meteor_tables import open_tables

# The index of the real tables is made anew: half a minute.
pytestmark = pytest.mark.slow

PAIRS: list[tuple[str, str, str, float]] = [
    (
        "a painting of a man and woman riding together on a motorcycle",
        "a painted picture of a man and a woman on a motorcycle",
        "12 12 6 7 3 3 6 6 1 1 0 0 0 0 0 0 0 0 0 0 4 10 10",
        0.3770342452640862,
    ),
    (
        "the dogs are sleeping on the sofa",
        "a dog sleeps on a couch",
        "7 6 4 3 0 0 1 1 1 1 0 0 1 1 0 0 0 0 0 0 2 3 3",
        0.19119533466477445,
    ),
    (
        "a group of people standing in front of a building",
        "several people stand before a large building",
        "10 7 6 2 1 1 1 1 1 1 0 0 0 0 0 0 1 1 3 1 2 7 5",
        0.25292655726855,
    ),
    (
        "a man riding a wave on top of a surfboard",
        "a surfer rides a wave",
        "10 5 5 2 1 1 2 2 1 1 0 0 1 1 0 0 0 0 0 0 2 5 5",
        0.37281832349325184,
    ),
    (
        "two children were playing football",
        "two children were playing football",
        "5 5 2 2 3 3 2 2 0 0 0 0 0 0 0 0 0 0 0 0 1 5 5",
        1.0,
    ),
    (
        "Mr. Smith's x-ray isn't from the U.S.",
        "the x-ray of Mr. Smith isn't American , No. 5",
        "10 12 4 4 5 5 2 2 0 0 0 0 0 0 0 0 0 0 0 0 4 7 7",
        0.29077667163426535,
    ),
    (
        "there are a lot of green trees in the park and a lot of cars near the park",
        "many green trees and many cars are in a park near a lot of buildings",
        "18 15 10 6 6 6 6 6 0 0 0 0 0 0 0 0 0 0 0 0 9 12 12",
        0.3138805380800426,
    ),
    (
        "the cat the cat the cat sat on the mat on the mat",
        "on the mat the cat sat the cat on the mat",
        "13 11 7 6 5 5 6 6 0 0 0 0 0 0 0 0 0 0 0 0 4 11 11",
        0.4957361011216043,
    ),
    ("nothing alike", "some other words", "2 3 0 2" + " 0" * 19, 0.0),
    ("", "a dog", "0 2 0 1" + " 0" * 19, 0.0),
    (
        "a motorcycle",
        "a motorcycle parked by the men 's house",
        "2 9 1 5 1 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 1 2 2",
        0.1269553918996214,
    ),
    ("t0 0t /", "x \u0644 / y", "3 4 0 0 2 2" + " 0" * 14 + " 1 2 2", 0.24814008416744182),
]
"""Hypothesis, reference, and what the jar says of them: statistics and score (OpenJDK 17)."""

CORPUS = 0.3104950557521071


@pytest.fixture(scope="module")
def meteor(tmp_path_factory: pytest.TempPathFactory) -> Meteor:
    """On the tables of the installed package, not on those that stand for it in other tests."""
    try:
        package = metadata.distribution("pycocoevalcap")
    except metadata.PackageNotFoundError:
        pytest.skip("needs the package pycocoevalcap (pip install 'lrcn[meteor]')")
    names = ("meteor/meteor-1.5.jar", "meteor/data/paraphrase-en.gz")
    jar, table = (Path(str(package.locate_file(f"pycocoevalcap/{name}"))) for name in names)
    return Meteor(open_tables((jar, table), tmp_path_factory.mktemp("index")))


def test_pairs_have_the_official_statistics(meteor: Meteor) -> None:
    found = np.array([meteor.score([reference], own) for own, reference, _, _ in PAIRS])
    for row, (own, _, statistics, score) in zip(found, PAIRS, strict=True):
        assert row.tolist() == [int(value) for value in statistics.split()], own
        assert score_of(row) == pytest.approx(score, abs=1e-12)
    assert corpus_score(found) == pytest.approx(CORPUS, abs=1e-12)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["coco_fakecap_126", "coco_human_vs_human_500"])
def test_real_captions_have_the_official_scores(meteor: Meteor, real_data: Path, name: str) -> None:
    text = (real_data / "caption-eval-reference" / f"{name}.json").read_text(encoding="utf-8")
    document = json.loads(text)
    references, candidates = document["references_tokenized"], document["candidates_tokenized"]
    official = document["scores"]["per_image"]["METEOR"]
    found = {}
    for item, theirs in official.items():
        own = candidates[item] if isinstance(candidates[item], str) else candidates[item][0]
        found[item] = meteor.score(references[item], own)
        assert score_of(found[item]) == pytest.approx(theirs, abs=1e-9)
    corpus = corpus_score(np.array(list(found.values())))
    assert corpus == pytest.approx(document["scores"]["corpus"]["METEOR"], abs=1e-9)
