"""A vocabulary counts, numbers, translates and keeps its words."""

from __future__ import annotations

import json

import pytest

from lrcn.errors import ConfigError, DataError, ModelError
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

CAPTIONS = ["a dog runs.", "a cat runs.", "a dog, a cat", "zebra"]


def test_most_frequent_first_then_alphabetical() -> None:
    vocabulary = Vocabulary.build(CAPTIONS, min_count=2)

    assert vocabulary.tokens == (*SPECIAL_TOKENS, "a", "cat", "dog", "runs")
    ids = (vocabulary.pad_id, vocabulary.bos_id, vocabulary.eos_id, vocabulary.unk_id)
    assert ids == (0, 1, 2, 3)
    assert [vocabulary.tokens[i] for i in ids] == list(SPECIAL_TOKENS)


def test_minimum_count_is_included() -> None:
    captions = ["five " * 5, "four " * 4]

    assert Vocabulary.build(captions).tokens == (*SPECIAL_TOKENS, "five")


def test_size_limit_counts_the_special_tokens() -> None:
    assert len(Vocabulary.build(CAPTIONS, min_count=1, max_size=6)) == 6
    assert Vocabulary.build(CAPTIONS, min_count=1, max_size=5).tokens[4:] == ("a",)
    assert len(Vocabulary.build(CAPTIONS, min_count=1, max_size=100)) == 10


def test_there_and_back() -> None:
    vocabulary = Vocabulary.build(CAPTIONS, min_count=1)
    ids = vocabulary.encode("A dog, zebra.")

    assert vocabulary.decode(ids) == "a dog , zebra"
    framed = [vocabulary.bos_id, *ids, vocabulary.eos_id, ids[0], vocabulary.pad_id]
    assert vocabulary.decode(framed) == "a dog , zebra"
    assert vocabulary.decode([0, 0, *ids]) == "a dog , zebra"
    assert vocabulary.decode([]) == ""


def test_unknown_words() -> None:
    vocabulary = Vocabulary.build(CAPTIONS, min_count=2)

    assert vocabulary.encode("a zebra") == [4, vocabulary.unk_id]
    assert vocabulary.decode([4, vocabulary.unk_id]) == "a <unk>"
    assert "zebra" not in vocabulary
    assert "dog" in vocabulary


def test_no_caption_can_spell_a_special_token() -> None:
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "a"))

    assert vocabulary.encode_tokens(["<eos>", "<pad>", "a"]) == [3, 3, 4]


def test_order_of_captions_does_not_matter() -> None:
    forwards = Vocabulary.build(CAPTIONS, min_count=1)
    backwards = Vocabulary.build(reversed(CAPTIONS), min_count=1)

    assert forwards == backwards
    assert forwards.hash == backwards.hash


def test_hash_tells_order_and_tokenizer_apart() -> None:
    one = Vocabulary((*SPECIAL_TOKENS, "a", "b"))
    others = [Vocabulary((*SPECIAL_TOKENS, "b", "a")), Vocabulary(one.tokens, "words")]

    assert len({one.hash, *(other.hash for other in others)}) == 3


def test_through_json() -> None:
    vocabulary = Vocabulary.build(["ein Bär läuft", "两只狗"], min_count=1, tokenizer="words")
    text = json.dumps(vocabulary.to_dict())
    again = Vocabulary.from_dict(json.loads(text))

    assert again == vocabulary
    assert again.encode("Bär") == vocabulary.encode("bär") != [3]


def test_changed_file_is_refused() -> None:
    written = Vocabulary.build(CAPTIONS, min_count=1).to_dict()
    written["tokens"][4:6] = reversed(written["tokens"][4:6])

    with pytest.raises(ModelError, match="changed after it was written"):
        Vocabulary.from_dict(written)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({}, r"keys \(none\)"),
        ({"tokens": ["a"], "tokenizer": "paper"}, "it starts with a"),
        ({"tokens": [*SPECIAL_TOKENS, "a", "a"], "tokenizer": "paper"}, "'a' stands in it twice"),
        ({"tokens": [*SPECIAL_TOKENS, 7], "tokenizer": "paper"}, "empty or no text"),
        ({"tokens": [*SPECIAL_TOKENS], "tokenizer": "paperr"}, "'paperr' is unknown"),
    ],
)
def test_damaged_vocabulary(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Vocabulary.from_dict(mapping)


def test_nothing_left_to_learn() -> None:
    with pytest.raises(DataError, match=r"no word of the captions occurs 5 times.*occurs 4 times"):
        Vocabulary.build(CAPTIONS)
    with pytest.raises(DataError, match="of 0 different words"):
        Vocabulary.build([])


def test_numbers_without_sense() -> None:
    with pytest.raises(ConfigError, match="min_count is 0"):
        Vocabulary.build(CAPTIONS, min_count=0)
    with pytest.raises(ConfigError, match=r"max_size is 4;.*5 or more"):
        Vocabulary.build(CAPTIONS, max_size=4)


def test_id_outside() -> None:
    with pytest.raises(ValueError, match="token id 9 is not in the vocabulary; ids go from 0 to 3"):
        Vocabulary(SPECIAL_TOKENS).decode([9])
