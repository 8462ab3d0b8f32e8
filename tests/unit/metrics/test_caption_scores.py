"""Caption scores: equal to the official ones, and what must hold for any captions."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn.errors import ConfigError, DataError
from lrcn.metrics import CAPTION_METRICS, DocumentFrequencies, compare_captions, score_captions
from lrcn.metrics.rouge import _common_length
from lrcn.text.ptb import ptb_tokenize

REFERENCES = {
    "1": ["A dog runs over the green field.", "The dog is running in a field of grass."],
    "2": ["Two cats sleep on a couch.", "A pair of cats sleeping", "cats on a red couch"],
    "3": ["A man's bike, and a car", "a bike next to a car."],
    "4": ["A sign with a K.", "the sign says K"],
}
HYPOTHESES = {
    "1": "A dog is running in the grass.",
    "2": "two cats cats cats on a couch",
    "3": "",
    "4": "A sign.",
}
GOLDEN: dict[str, list[float]] = {
    "bleu_1": [
        0.5649424605537878,
        0.9999999997142859,
        0.7142857141836736,
        0.0,
        0.36787944080356333,
    ],
    "bleu_2": [0.5025158554023796, 0.8164965806847213, 0.6900655592355586, 0.0, 0.3678794407115936],
    "bleu_3": [
        0.40251793060976043,
        0.6436595895358154,
        0.5753695825670667,
        0.0,
        0.0036787944080356343,
    ],
    "bleu_4": [
        0.2693490621588792,
        0.5081327479855399,
        8.307018472835448e-05,
        0.0,
        0.0003678794408495482,
    ],
    "rouge_l": [
        0.48042709459840405,
        0.6112224448897796,
        0.7800511508951408,
        0.0,
        0.5304347826086957,
    ],
    "cider_d": [1.6284823690678185, 2.721762618381977, 1.9478141346615208, 0.0, 1.844352723227776],
}
"""The corpus and each item by pycocoevalcap 1.2 with OpenJDK 17."""

KEYS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "cider_d")
WORDS = st.lists(st.sampled_from(["a", "the", "dog", "cat", "runs", "on", "big"]), max_size=7)
CAPTION = WORDS.map(" ".join)
ITEMS = st.lists(st.tuples(st.lists(CAPTION, min_size=1, max_size=3), CAPTION), min_size=1)
Items = list[tuple[list[str], str]]


def _mappings(items: Items) -> tuple[dict[str, list[str]], dict[str, str]]:
    return (
        {str(i): refs for i, (refs, _) in enumerate(items)},
        {str(i): own for i, (_, own) in enumerate(items)},
    )


def test_scores_are_the_official_ones() -> None:
    found = score_captions(REFERENCES, HYPOTHESES)
    for key, (corpus, *per_item) in GOLDEN.items():
        assert found.corpus[key] == pytest.approx(corpus, abs=1e-12)
        assert found.per_item[key] == pytest.approx(per_item, abs=1e-12)
    assert found.counts["num_empty"] == 1


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["coco_fakecap_126", "coco_human_vs_human_500"])
def test_real_captions_have_the_official_scores(real_data: Path, name: str) -> None:
    text = (real_data / "caption-eval-reference" / f"{name}.json").read_text(encoding="utf-8")
    document = json.loads(text)
    found = score_captions(document["references"], document["candidates"])
    official = {f"bleu_{n}": f"Bleu_{n}" for n in (1, 2, 3, 4)}
    official |= {"rouge_l": "ROUGE_L", "cider_d": "CIDEr"}
    for key, theirs in official.items():
        scores = document["scores"]
        assert found.corpus[key] == pytest.approx(scores["corpus"][theirs], abs=1e-9)
        per_item = [scores["per_image"][theirs][item] for item in found.ids]
        assert np.abs(found.per_item[key] - per_item).max() < 1e-9


@settings(max_examples=10, deadline=None)
@given(ITEMS, st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(items: Items, random: object) -> None:
    references, hypotheses = _mappings(items)
    mixed = list(references)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    first = score_captions(references, hypotheses)
    second = score_captions({item: references[item] for item in mixed}, hypotheses)
    for key in KEYS:
        assert second.corpus[key] == pytest.approx(first.corpus[key], abs=1e-12)
        order = [second.ids.index(item) for item in first.ids]
        assert second.per_item[key][order] == pytest.approx(first.per_item[key], abs=1e-12)


@settings(max_examples=10, deadline=None)
@given(st.lists(ITEMS, min_size=2, max_size=2))
def test_halves_have_the_scores_that_they_have_in_the_whole(halves: list[Items]) -> None:
    whole = [*halves[0], *halves[1]]
    references, hypotheses = _mappings(whole)
    frequencies = DocumentFrequencies.count(
        [[ptb_tokenize(text) for text in refs] for refs in references.values()]
    )
    found = score_captions(references, hypotheses, frequencies=frequencies)
    counted = score_captions(references, hypotheses)
    for key in KEYS:
        assert found.per_item[key] == pytest.approx(counted.per_item[key], abs=1e-12)
    for half, start in ((halves[0], 0), (halves[1], len(halves[0]))):
        part = score_captions(*_mappings(half), frequencies=frequencies)
        places = np.arange(start, start + len(half))
        for score in found.scores:
            assert part.per_item[score.key] == pytest.approx(score.per_item_N[places], abs=1e-12)
            assert part.corpus[score.key] == pytest.approx(score.of_items(places), abs=1e-12)


@given(WORDS, WORDS)
def test_common_length_is_that_of_the_usual_table(first: list[str], second: list[str]) -> None:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            longest = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else longest
    places: dict[str, int] = {}
    for i, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << i
    assert _common_length(places, len(first), second) == table[-1][-1]


def test_the_scores_of_a_perfect_caption() -> None:
    texts = {"1": "a dog runs on grass", "2": "two cats sleep at home", "3": "the red car is old"}
    found = score_captions({item: [text] for item, text in texts.items()}, texts)
    assert found.corpus["bleu_4"] == pytest.approx(1, abs=1e-6)
    assert found.corpus["rouge_l"] == 1
    assert found.corpus["cider"] == pytest.approx(10)
    assert found.corpus["cider_d"] == pytest.approx(10)


def test_cider_by_hand_neither_clips_nor_minds_length() -> None:
    # One word of weight log 2 in a document of two; "dog dog" points where "dog" points.
    references = {"1": ["dog"], "2": ["cat"]}
    found = score_captions(references, {"1": "dog dog", "2": "bird"})
    assert found.per_item["cider"] == pytest.approx([10 / 4, 0])
    clipped = 10 / 4 * 0.5 * math.exp(-(1**2) / (2 * 6**2))
    assert found.per_item["cider_d"] == pytest.approx([clipped, 0])


def test_frequencies_are_kept_in_a_file(tmp_path: Path) -> None:
    counted = DocumentFrequencies.count([[["a", "dog"], ["a", "a"]], [["a", "cat"]]])
    assert counted.counts == {"a": 2, "dog": 1, "a dog": 1, "a a": 1, "cat": 1, "a cat": 1}
    counted.save(tmp_path / "df.json")
    assert DocumentFrequencies.is_saved(tmp_path / "df.json")
    assert DocumentFrequencies.load(tmp_path / "df.json") == counted
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(DataError, match="holds no document frequencies"):
        DocumentFrequencies.load(tmp_path / "other.json")
    with pytest.raises(ConfigError, match="counted with tokenizer 'ptb'"):
        score_captions(REFERENCES, HYPOTHESES, tokenizer="words", frequencies=counted)


def test_ids_that_do_not_match_are_an_error_or_counted() -> None:
    references, hypotheses = {"1": ["a"], "2": ["b"]}, {"2": "b", "3": "c", "4": "d"}
    message = r"1 items have references but no hypothesis \('1'\); 2 hypotheses .*'3', '4'"
    with pytest.raises(DataError, match=message):
        score_captions(references, hypotheses)
    counts = score_captions(references, hypotheses, missing="skip").counts
    assert counts["num_items"] == 1
    assert counts["num_without_hypothesis"] == 1
    assert counts["num_without_references"] == 2


def test_nothing_to_score_is_an_error() -> None:
    with pytest.raises(DataError, match="no items with references to measure"):
        score_captions({}, {})
    with pytest.raises(DataError, match="item '1' has \\[\\] as references"):
        score_captions({"1": []}, {"1": "a"})
    with pytest.raises(DataError, match="as a list"):
        score_captions({"1": "a dog"}, {"1": "a"})
    with pytest.raises(DataError, match="no items"):
        score_captions({"1": ["a"]}, {"2": "a"}, missing="skip")


def test_metrics_are_chosen_by_name() -> None:
    assert set(score_captions(REFERENCES, HYPOTHESES, metrics=["cider_d"]).corpus) == {"cider_d"}
    with pytest.raises(ConfigError, match=r"metric 'cidr' is unknown.*[Dd]id you mean"):
        score_captions(REFERENCES, HYPOTHESES, metrics=["cidr"])
    assert {"bleu", "rouge_l", "cider", "cider_d"} <= set(CAPTION_METRICS)


def test_intervals_hold_the_score_and_two_systems_are_compared() -> None:
    rng = np.random.default_rng(0)
    words = ["a", "the", "dog", "cat", "runs", "on", "off", "big", "red", "home"]
    texts = {str(i): " ".join(rng.choice(words, 6)) for i in range(40)}
    worse = {item: " ".join(rng.choice(words, 6)) for item in texts}
    references = {item: [text] for item, text in texts.items()}
    better = {i: text if int(i) % 2 else worse[i] for i, text in texts.items()}
    first, second = score_captions(references, worse), score_captions(references, better)
    for key, (low, high) in first.intervals(num_resamples=200).items():
        assert low <= first.corpus[key] <= high
        assert low < high
    found = compare_captions(first, second, num_resamples=200)
    gain = found["cider_d"]
    assert gain.difference == pytest.approx(second.corpus["cider_d"] - first.corpus["cider_d"])
    assert gain.interval[0] > 0
    assert gain.p_value < 0.05
    same = compare_captions(first, first, num_resamples=50)["bleu_4"]
    assert (same.difference, same.interval, same.p_value) == (0, (0, 0), 1)
    with pytest.raises(DataError, match="scored on different items: 1"):
        compare_captions(first, replace(first, ids=first.ids[:-1]))


def test_scoring_needs_no_torch() -> None:
    code = (
        "import sys; from lrcn.metrics import score_captions;"
        "score_captions({'1': ['a dog']}, {'1': 'a dog'}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
