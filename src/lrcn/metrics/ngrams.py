"""Counting n-grams of many sentences at once, as whole numbers in arrays.

A sentence of 3 words has 2 n-grams of 2 words. Each n-gram gets a number of its own, per order;
what is kept is one row per sentence and distinct n-gram in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

MAX_ORDER = 4
"""The longest n-grams of BLEU-4 and CIDEr."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class NGramRows:
    """The n-grams of one order: a row for each sentence and each distinct n-gram in it."""

    sentence_R: Ints
    """Which sentence; rows are sorted by it."""
    gram_R: Ints
    """Which n-gram: a number from 0 on."""
    count_R: Ints
    """How often it stands in that sentence."""
    num_grams: int
    """How many different n-grams there are."""
    lengths_S: Ints
    """How many n-grams each sentence has, repetitions counted."""
    words: tuple[str, ...]
    """The words by number."""
    gram_words_GN: Ints
    """The words' numbers of each n-gram."""

    def texts(self) -> list[str]:
        """Every n-gram as text, its words joined by spaces."""
        words = self.words
        return [" ".join([words[i] for i in row]) for row in self.gram_words_GN.tolist()]


def plain_words(tokens: Sequence[str]) -> Sequence[str]:
    """Tokens, divided where one holds a space: coco-caption joins and splits at any space."""
    if "".join(tokens).isprintable():
        return tokens
    return [word for token in tokens for word in (token.split() or [token])]


def count_ngrams(
    sentences: Sequence[Sequence[str]], max_order: int = MAX_ORDER
) -> tuple[NGramRows, ...]:
    """The n-grams of 1 to `max_order` words of every sentence.

    Args:
        sentences: Each a list of tokens.
        max_order: The longest n-grams wanted.
    """
    sentences = [plain_words(tokens) for tokens in sentences]
    lengths_S = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
    sentence_M = np.repeat(np.arange(len(sentences), dtype=np.int64), lengths_S)
    flat = list(chain.from_iterable(sentences))
    words = tuple(dict.fromkeys(flat))
    numbers = dict(zip(words, range(len(words)), strict=True))
    word_M = np.fromiter(map(numbers.__getitem__, flat), dtype=np.int64, count=len(flat))
    found = []
    gram_M, gram_words_GN = word_M, np.arange(len(words), dtype=np.int64)[:, None]
    for order in range(1, max_order + 1):
        if order > 1:
            gram_M, gram_words_GN, sentence_M, word_M = _longer(
                gram_M, gram_words_GN, sentence_M, word_M, len(words)
            )
        found.append(
            _rows(
                sentence_M,
                gram_M,
                gram_words_GN,
                words,
                np.maximum(lengths_S - order + 1, 0),
            )
        )
    return tuple(found)


def _longer(
    gram_M: Ints, gram_words_GN: Ints, sentence_M: Ints, word_M: Ints, num_words: int
) -> tuple[Ints, Ints, Ints, Ints]:
    """From n-grams at every place to those with one word more.

    `word_M` is the last word of each n-gram; the next word is that of the next place, as long as
    it belongs to the same sentence.
    """
    whole = sentence_M[:-1] == sentence_M[1:]
    key_M = (gram_M[:-1] * num_words + word_M[1:])[whole]
    key_G, gram_after_M = np.unique(key_M, return_inverse=True)
    before_G, last_G = np.divmod(key_G, max(num_words, 1))
    return (
        gram_after_M.astype(np.int64, copy=False),
        np.column_stack([gram_words_GN[before_G], last_G]),
        sentence_M[:-1][whole],
        word_M[1:][whole],
    )


def _counted(key_M: Ints) -> tuple[Ints, Ints]:
    """The distinct keys in order, and how often each occurs. Sorting beats numpy's hashing here."""
    ordered = np.sort(key_M)
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    return ordered[starts], np.diff(starts, append=len(ordered))


def distinct(key_M: Ints) -> Ints:
    """The distinct keys, none below 0, in order."""
    return _counted(key_M)[0]


def _rows(
    sentence_M: Ints, gram_M: Ints, gram_words_GN: Ints, words: tuple[str, ...], lengths_S: Ints
) -> NGramRows:
    num_grams = max(len(gram_words_GN), 1)
    key_R, count_R = _counted(sentence_M * num_grams + gram_M)
    sentence_R, gram_R = np.divmod(key_R, num_grams)
    return NGramRows(
        sentence_R=sentence_R,
        gram_R=gram_R,
        count_R=count_R,
        num_grams=len(gram_words_GN),
        lengths_S=lengths_S,
        words=words,
        gram_words_GN=gram_words_GN,
    )
