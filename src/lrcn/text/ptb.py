"""The tokens that caption scores are computed on: Penn Treebank, lower case, no punctuation.

Equal to coco-caption's `PTBTokenizer` (Stanford's tokenizer of 2014 with `-preserveLines
-lowerCase`, then a list of punctuation taken away), without Java. Two things are different on
purpose, both so that a caption's tokens depend on nothing but the caption: the original looks over
the end of a line into the next caption ("fig." before a caption that begins with a digit), and a
line break inside of a caption other than a line feed shifts all captions after it.
"""

from __future__ import annotations

import re
from functools import cache

from lrcn.text.lexer import Scanner
from lrcn.text.ptb_rules import PARTS, RULES

PUNCTUATION = frozenset(("''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"))
"""Tokens left out. Brackets stay: coco-caption's list has them in capitals ("-LRB-"), which no
lower-case token equals."""

_PLAIN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*['\",.;:!?]*|[,.;:!?]")
"""What gives the same tokens beside any neighbours, unless a full stop belongs to the word."""

_MAX_KNOWN = 1 << 17
_known: dict[str, tuple[str, ...] | None] = {"": ()}
"""Pieces between spaces and their tokens; None where the neighbours have a say."""


def ptb_tokenize(text: str) -> list[str]:
    """Cut one caption into the tokens that the official scorers see.

    Args:
        text: A caption; line breaks count as spaces.

    Returns:
        Tokens. One may hold an unbreakable space: "1 1/2" is one token.
    """
    if not text.isascii() or not text.isprintable():
        text = " ".join(text.splitlines())
    tokens: list[str] = []
    for piece in text.split(" "):
        try:
            found = _known[piece]
        except KeyError:
            found = _learn(piece)
        if found is None:
            return _scan(text)
        tokens += found
    return tokens


def _learn(piece: str) -> tuple[str, ...] | None:
    found = None
    if _PLAIN.fullmatch(piece) is not None:
        tokens = tuple(_scan(piece))
        found = None if any("." in token for token in tokens) else tokens
    if len(_known) < _MAX_KNOWN:
        _known[piece] = found
    return found


@cache
def _scanner() -> Scanner:
    return Scanner([pattern for pattern, _, _ in RULES], PARTS)


def _scan(text: str) -> list[str]:
    """The tokens of a text by the rules alone."""
    match = _scanner().match
    tokens, at, stop = [], 0, len(text)
    text += "\n"
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
