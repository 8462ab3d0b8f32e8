"""The tokens that caption scores are computed on: Penn Treebank, lower case, no punctuation.

Equal to coco-caption's `PTBTokenizer` (Stanford's tokenizer of 2014 with `-preserveLines
-lowerCase`, then a list of punctuation taken away), without Java.

The original reads all captions as one file, one a line, and looks over the end of a line: "a sign
with a K." ends with "k" before a caption that begins with "The", else with "k.". Scores are to be
equal, so `ptb_tokenize_all` does the same; `ptb_tokenize` gives one caption's tokens by itself.
One thing is mended: a line break inside of a caption is a space, where the original's other breaks
than a line feed shift all captions that come after.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from lrcn.text.lexer import Scanner
from lrcn.text.ptb_rules import PARTS, RULES

PUNCTUATION = frozenset(("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"))
"""Tokens left out. Brackets stay: coco-caption's list has them in capitals ("-LRB-"), which no
lower-case token equals."""

_PLAIN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*['\",.;:!?]*|[,.;:!?]")
"""What gives the same tokens beside any neighbours, unless a full stop belongs to the word."""

_LOOKS_ON = frozenset(". \t\u00a0>;")
"""How a caption ends whose last tokens may depend on the next caption."""

_MAX_KNOWN = 1 << 17
_known: dict[str, tuple[str, ...] | None] = {"": ()}
"""Pieces between spaces and their tokens; None where the neighbours have a say."""


def ptb_tokenize(text: str, *, after: str = "\n") -> list[str]:
    """Cut one caption into the tokens that the official scorers see.

    Args:
        text: A caption; line breaks count as spaces.
        after: What stands behind it.

    Returns:
        Tokens. One may hold an unbreakable space: "1 1/2" is one token.
    """
    text = _one_line(text)
    if not after:
        return _scan(text, after)
    tokens: list[str] = []
    for piece in text.split(" "):
        try:
            found = _known[piece]
        except KeyError:
            found = _learn(piece)
        if found is None:
            return _scan(text, after)
        tokens += found
    return tokens


def ptb_tokenize_all(texts: Sequence[str]) -> list[list[str]]:
    """The tokens of many captions, in the order in which the original would get them.

    Args:
        texts: Captions.
    """
    tokens = []
    for i, text in enumerate(texts):
        if text[-1:] in _LOOKS_ON or i + 1 == len(texts):
            tokens.append(ptb_tokenize(text, after=_after(texts, i)))
        else:
            tokens.append(ptb_tokenize(text))
    return tokens


def _after(texts: Sequence[str], place: int) -> str:
    """The lines behind a caption, up to the first that is not blank."""
    after = ""
    for text in texts[place + 1 :]:
        after += "\n" + _one_line(text)
        if text.strip():
            return after + "\n"
    return after


def _one_line(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return " ".join(text.splitlines())


def _learn(piece: str) -> tuple[str, ...] | None:
    found = None
    if _PLAIN.fullmatch(piece) is not None:
        tokens = _scan(piece)
        # "fig." keeps its stop before a number only, "I." in the middle of a sentence.
        if not any("." in token for token in tokens) and tokens == _scan(piece, "\n5"):
            found = tuple(tokens)
    if len(_known) < _MAX_KNOWN:
        _known[piece] = found
    return found


@cache
def _scanner() -> Scanner:
    return Scanner([pattern for pattern, _, _ in RULES], PARTS)


def _scan(text: str, after: str = "\n") -> list[str]:
    """The tokens of a text by the rules alone."""
    match = _scanner().match
    tokens, at, stop = [], 0, len(text)
    text += after
    while at < stop:
        rule, end = match(text, at)
        if rule < 0:
            at += 1
            continue
        _, write, given_back = RULES[rule]
        end -= given_back
        token = write(text[at:end]).lower()
        if token and token not in PUNCTUATION:
            tokens.append(token)
        at = end
    return tokens
