"""Sentences of many languages become the tokens that each tokenizer promises."""

from __future__ import annotations

import unicodedata

import pytest

from lrcn.errors import ConfigError
from lrcn.text.tokenize import TOKENIZERS, get_tokenizer


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("A man's dog, running.", ["a", "man", "'", "s", "dog", ",", "running"]),
        ("don't", ["don", "'", "t"]),
        ("Two dogs .", ["two", "dogs", "."]),  # the piece is " .", which is not "."
        ("  Two dogs.  ", ["two", "dogs"]),
        ("Two dogs...", ["two", "dogs", "..."]),
        ("Dogs. Cats.", ["dogs", ".", "cats"]),
        ('He said "no".', ["he", "said", '"', "no", '".']),
        ("t-shirt no_2", ["t", "-", "shirt", "no_2"]),
        ("a, (b)", ["a", ", (", "b", ")"]),
        (".", []),
        (" \n ", []),
        ("", []),
        ("Die Straße", ["die", "straße"]),
        ("İstanbul ışık", ["istanbul", "ışık"]),
        ("हिन्दी में, कुत्ता.", ["हिन्दी", "में", ",", "कुत्ता"]),
        ("หมาวิ่ง", ["หมาวิ่ง"]),
        ("می\u200cروم خانه.", ["می\u200cروم", "خانه"]),
        ("\u0301 x\u0301y 👩\u200d👧!", ["\u0301", "x\u0301y", "👩\u200d👧!"]),
    ],
)
def test_paper(text: str, tokens: list[str]) -> None:
    assert get_tokenizer("paper").split(text) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Don't stop - 3.5 km, 1,000 m!", ["don't", "stop", "3.5", "km", "1,000", "m"]),
        ("Don\u2019t über 3.5, 'so'", ["don't", "über", "3.5", "so"]),
        ("Die Größe: Fußgängerübergänge.", ["die", "größe", "fußgängerübergänge"]),
        ("İki kız, ISPARTA", ["iki", "kız", "isparta"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("می\u200cروم خانه", ["می\u200cروم", "خانه"]),
        ("两只狗。Two 狗!", ["两", "只", "狗", "two", "狗"]),
        ("犬が走るテレビ", ["犬", "が", "走", "る", "テレビ"]),
        ("Собака бежит", ["собака", "бежит"]),
        ("q\u0323\u0307 x\u0301y", ["q\u0323\u0307", "x\u0301y"]),  # marks without a composed form
        ("\u200d \u0301 !", []),
    ],
)
def test_words(text: str, tokens: list[str]) -> None:
    assert get_tokenizer("words").split(text) == tokens


def test_ascii_is_split_by_the_papers_code() -> None:
    split = get_tokenizer("paper").split
    for text in ("A man's dog, running. x_1 (b)--c", "t-shirt ... no", "a'b c.d !", ". a"):
        assert split(text + " é")[:-1] == split(text + " e")[:-1]


def test_ascii_takes_the_same_way_as_the_rest() -> None:
    split = get_tokenizer("words").split
    for text in ("a's b-c 3.5,6 x.y 1,2,3 '' o'neil's 'q' 5. _a_ a1.5", "...", "I'm 5'11"):
        assert split(text + " é")[:-1] == split(text)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("两只 狗。", ["两", "只", " ", "狗", "。"]),
        ("A\t b", ["a", " ", "b"]),
        ("नि", ["नि"]),
        ("👨\u200d👩 👍🏽", ["👨\u200d👩", " ", "👍🏽"]),
        ("", []),
    ],
)
def test_characters(text: str, tokens: list[str]) -> None:
    assert get_tokenizer("characters").split(text) == tokens


@pytest.mark.parametrize("name", sorted(TOKENIZERS))
@pytest.mark.parametrize("word", ["über", "straße", "ağaç", "été", "phở"])
def test_however_accents_are_typed(name: str, word: str) -> None:
    split = get_tokenizer(name).split
    assert split(unicodedata.normalize("NFD", word)) == split(word)


@pytest.mark.parametrize("name", sorted(TOKENIZERS))
def test_what_is_joined_splits_the_same(name: str) -> None:
    tokenizer = get_tokenizer(name)
    for text in ("A man's dog, running", "两只狗在跑", "İki küçük kız", "a 3.5 km run"):
        tokens = tokenizer.split(text)
        assert tokenizer.split(tokenizer.join(tokens)) == tokens


def test_joins_as_written() -> None:
    for name, text in (
        ("words", "两只狗 abc 走"),
        ("characters", "ein hund。"),
        ("paper", "a dog"),
    ):
        tokenizer = get_tokenizer(name)
        assert tokenizer.join(tokenizer.split(text)) == text


def test_unknown_name() -> None:
    with pytest.raises(ConfigError, match=r"'word' is unknown.*Did you mean 'words'"):
        get_tokenizer("word")
