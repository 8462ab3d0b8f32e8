"""From a sentence to tokens and back: four ways, by name.

All are lower-cased, and accents are composed first, so that "é" is one word's letter however it
was typed.

- **paper**: words and punctuation as in the paper's code (paper.md 3.3).
- **ptb**: Penn Treebank style without punctuation, as the official scores are computed.
- **words**: words of any language, without punctuation; Han characters and kana one by one.
- **characters**: every character as it is seen, blanks too; for what is written without blanks.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lrcn.errors import ConfigError
from lrcn.settings import did_you_mean
from lrcn.text.ptb import ptb_tokenize

_PIECES = re.compile(r"(\W+)")
_ASCII_WORDS = re.compile(r"[a-z0-9_]+(?:'[a-z0-9_]+|(?<=[0-9])[.,](?=[0-9])[0-9]+)*")
_JOINERS = frozenset("\u200c\u200d")
"""Zero-width: they shape Persian and Indic words, and tie pictograms into one."""
_APOSTROPHES = frozenset("'\u2019\u02bc")
_SKIN_TONES = range(0x1F3FB, 0x1F400)


@dataclass(frozen=True)
class Tokenizer:
    """A named pair of functions; `join` gives what a person would write, lower-cased."""

    name: str
    split: Callable[[str], list[str]]
    join: Callable[[Sequence[str]], str]


def get_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in TOKENIZERS:
        raise ConfigError(
            f"tokenizer {name!r} is unknown; it is one of {', '.join(TOKENIZERS)}."
            f"{did_you_mean(name, list(TOKENIZERS))} Choose one of them."
        )
    return TOKENIZERS[name]


def split_paper(text: str) -> list[str]:
    r"""The paper's tokens (paper.md 3.3; `coco_to_hdf5_data.py`).

    Split on runs of non-word characters, which are tokens too; a last piece that is exactly "."
    is left out, " ." is not. Paper: its Python 2 code took only ASCII for letters, here those of
    every language are, with the marks on them, so that "Straße" and "हिन्दी" are one word each;
    ASCII text gives equal tokens.

    >>> split_paper("A man's dog, running.")
    ['a', 'man', "'", 's', 'dog', ',', 'running']
    """
    text = _composed(text).strip()
    runs = _PIECES.split(text) if text.isascii() else _runs(text)
    pieces = [p for p in runs if p.strip()]
    if pieces and pieces[-1] == ".":
        pieces.pop()
    return [_lower(piece).strip() for piece in pieces]


def _runs(text: str) -> list[str]:
    """Runs of word characters and of others by turns; marks and joiners go with what is before."""
    runs: list[str] = []
    in_word = False
    for char in text:
        follows = bool(runs) and (_is_mark(char) or char in _JOINERS)
        is_word = in_word if follows else char.isalnum() or char == "_"
        if runs and is_word == in_word:
            runs[-1] += char
        else:
            runs.append(char)
        in_word = is_word
    return runs


def split_ptb(text: str) -> list[str]:
    """The tokens that the official scores are computed on; accents composed before.

    >>> split_ptb("A man's dog, running.")
    ['a', 'man', "'s", 'dog', 'running']
    """
    return ptb_tokenize(_composed(text))


def split_words(text: str) -> list[str]:
    """Words of letters, digits and the marks on them; punctuation and signs are left out.

    An apostrophe between letters and a point or comma between digits belong to the word. Han
    characters and kana, written without blanks, are a word each (Unicode Annex 29); for Thai and
    others without blanks "characters" does better.

    >>> split_words("Der Hund läuft - don't, 3.5 km!")
    ['der', 'hund', 'läuft', "don't", '3.5', 'km']
    """
    text = _lower(_composed(text))
    if text.isascii():
        return _ASCII_WORDS.findall(text)
    words: list[str] = []
    word = ""
    for place, char in enumerate(text):
        following = text[place + 1 : place + 2]
        if _is_letter(char) or (word and (_is_mark(char) or char in _JOINERS)):
            if word and (_stands_alone(char) or _ends_alone(word)) and not _is_mark(char):
                words.append(word)
                word = ""
            word += char
        elif word and following and _ties(word[-1], char, following):
            word += "'" if char in _APOSTROPHES else char
        elif word:
            words.append(word)
            word = ""
    words += [word] if word else []
    return [stripped for w in words if (stripped := w.strip("".join(_JOINERS)))]


def join_words(tokens: Sequence[str]) -> str:
    """With a blank between two words, but none between characters that take none.

    >>> join_words(["两", "只", "狗"])
    '两只狗'
    """
    text = ""
    for token in tokens:
        if text and token and not (_takes_no_blank(text[-1]) and _takes_no_blank(token[0])):
            text += " "
        text += token
    return text


def split_characters(text: str) -> list[str]:
    """Characters as they are seen: a letter with its marks, a pictogram with its tone, are one.

    Any run of blanks is one token " ".

    >>> split_characters("两只狗。")
    ['两', '只', '狗', '。']
    """
    text = " ".join(_lower(_composed(text)).split())
    if text.isascii():
        return list(text)
    characters: list[str] = []
    for char in text:
        tied = characters and characters[-1] != " "
        if tied and (_is_mark(char) or char in _JOINERS or characters[-1][-1] == "\u200d"):
            characters[-1] += char
        else:
            characters.append(char)
    return characters


def join_blank(tokens: Sequence[str]) -> str:
    """With a blank between any two."""
    return " ".join(tokens)


def join_nothing(tokens: Sequence[str]) -> str:
    """One after the other."""
    return "".join(tokens)


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _lower(text: str) -> str:
    """Lower case; the Turkish capital İ becomes a plain i, not an i with a second dot."""
    return text.lower() if text.isascii() else text.lower().replace("i\u0307", "i")


@lru_cache(maxsize=1 << 16)
def _category(char: str) -> str:
    return unicodedata.category(char)


def _is_letter(char: str) -> bool:
    return _category(char)[0] in "LN" or char == "_"


def _is_mark(char: str) -> bool:
    return _category(char)[0] == "M" or ord(char) in _SKIN_TONES


@lru_cache(maxsize=1 << 16)
def _stands_alone(char: str) -> bool:
    """Han characters and hiragana; katakana hold together, as in Unicode Annex 29."""
    name = unicodedata.name(char, "")
    return name.startswith(("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA LETTER"))


def _ends_alone(word: str) -> bool:
    return _stands_alone(word[0])


@lru_cache(maxsize=1 << 16)
def _takes_no_blank(char: str) -> bool:
    return _stands_alone(char) or unicodedata.name(char, "").startswith("KATAKANA")


def _ties(before: str, char: str, after: str) -> bool:
    """Whether the character between two others belongs to their word."""
    if char in _APOSTROPHES:
        return (_is_letter(before) or _is_mark(before)) and _is_letter(after)
    return char in ".," and _category(before) == "Nd" and _category(after) == "Nd"


TOKENIZERS: dict[str, Tokenizer] = {
    tokenizer.name: tokenizer
    for tokenizer in (
        Tokenizer("paper", split_paper, join_blank),
        Tokenizer("ptb", split_ptb, join_blank),
        Tokenizer("words", split_words, join_words),
        Tokenizer("characters", split_characters, join_nothing),
    )
}
"""Name to tokenizer."""
