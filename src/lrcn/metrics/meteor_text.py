"""How METEOR divides a line into words (its option `-norm`, English).

Punctuation that was cut off stands alone, as in the tokenizer of the Moses toolkit
(https://www.statmt.org/moses), with two differences: "U.S." loses its full stops, and a hyphen
between letters or digits becomes a space. Letters are those of the Latin and Cyrillic alphabets;
every other sign stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lrcn.metrics.meteor_tables import MeteorTables

_LETTERS = (
    "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017e\u0400-\u0527"
    "\u1d00-\u1d7f\ua640-\ua66e\ua67e-\ua697"
)
_SIGNS = str.maketrans(
    {"\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "`": "'", "\u2013": " - "}
)
_SPACE = re.compile(r"[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_OTHER_SIGN = re.compile(f"([^{_LETTERS}0-9 .',\\-])")
_DOTS = re.compile(r"\.(\.+)")
_COMMAS = (
    re.compile("([^0-9]),([^0-9])"),
    re.compile("([0-9]),([^0-9])"),
    re.compile("([^0-9]),([0-9])"),
)
_HYPHEN = re.compile(f"([{_LETTERS}0-9.])-([{_LETTERS}0-9])")
_APOSTROPHES = (
    (re.compile(f"([^{_LETTERS}])'([^{_LETTERS}])"), r"\1 ' \2"),
    (re.compile(f"([^{_LETTERS}0-9])'([{_LETTERS}])"), r"\1 ' \2"),
    (re.compile(f"([{_LETTERS}])'([^{_LETTERS}])"), r"\1 ' \2"),
    (re.compile(f"([{_LETTERS}])'([{_LETTERS}])"), r"\1 '\2"),
    (re.compile("([0-9])'(s)"), r"\1 '\2"),
)
_HAS_LETTER = re.compile(f"[{_LETTERS}]")
_PLAIN = re.compile("[a-z0-9 ]*")
_MARK = "\ue000"
"""Stands for one full stop of several in a row; from the private part of Unicode."""


def split_words(line: str, tables: MeteorTables) -> list[str]:
    """The words of a line, in lower case.

    >>> split_words("The U.S. man's x-ray isn't here, is it?", tables)
    ['the', 'us', 'man', "'s", 'x', 'ray', 'isn', "'t", 'here', ',', 'is', 'it', '?']
    """
    if _PLAIN.fullmatch(line):
        return line.split()
    text = f" {line} ".translate(_SIGNS).replace("''", '"')
    text = _OTHER_SIGN.sub(r" \1 ", _SPACE.sub(" ", text))
    text = _DOTS.sub(lambda dots: f" {_MARK * len(dots[0])} ", text)
    for pattern in _COMMAS:
        text = pattern.sub(r"\1 , \2", text)
    text = _HYPHEN.sub(r"\1 \2", text.replace("--", "-"))
    for pattern, apart in _APOSTROPHES:
        text = pattern.sub(apart, text)
    words = _with_full_stops(text.split(), tables)
    return " ".join(words).replace(_MARK, ".").lower().split()


def _with_full_stops(words: list[str], tables: MeteorTables) -> Iterator[str]:
    """Decide for each full stop at the end of a word whether it belongs to it."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        body = word[:-1]
        if len(word) == 1 or not word.endswith("."):
            yield word
        elif "." in body and _HAS_LETTER.search(body):
            yield word.replace(".", "")
        elif (
            body in tables.abbreviations
            or "a" <= following[:1] <= "z"
            or (body in tables.numeric_abbreviations and "0" <= following[:1] <= "9")
        ):
            yield word
        else:
            yield body
            yield "."
