"""METEOR 1.5 for English, without Java.

Denkowski and Lavie, "Meteor Universal: language specific translation evaluation for any target
language", 2014. Modelled on the program meteor-1.5.jar as pycocoevalcap runs it (`-l en -norm`,
parameters of the task "rank"); what the paper leaves open was found by experiments with it.

METEOR reads its own tables of synonyms and paraphrases from the installed package pycocoevalcap
(`pip install 'lrcn[meteor]'`); without it there is no METEOR here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lrcn.metrics.caption_tokens import Score, TokenizedCaptions
from lrcn.metrics.meteor_align import align
from lrcn.metrics.meteor_match import Sentence, find_matches
from lrcn.metrics.meteor_tables import INSTALL, MeteorTables, open_tables, table_files
from lrcn.metrics.meteor_text import split_words

_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75
_WEIGHTS = (1.0, 0.6, 0.8, 0.6)
"""Of equal words, stems, synonyms, paraphrases."""

NUM_STATS = 23
"""Length of the statistics of a pair; their order is that of METEOR's own lines::

    0, 1      words of the hypothesis, of the reference
    2, 3      function words of both
    4 + 4m    by matcher m: content words matched, of hypothesis and reference; function words
              matched, of both
    20        chunks
    21, 22    words matched, of both
"""


def meteor_missing() -> str | None:
    """What is missing here to compute METEOR, with the command that brings it; None: nothing."""
    if table_files() is not None:
        return None
    return (
        "METEOR was left out: its tables are in the package pycocoevalcap, which is not"
        f" installed (Java is not needed). Run: {INSTALL}"
    )


class Meteor:
    """METEOR of captions that were tokenized as official scores do (`lrcn.text.ptb`).

    Args:
        tables: METEOR's tables; default: those of the installed package. The first use ever
            indexes them, which takes half a minute.

    Raises:
        MissingFilesError: the package is not installed.
        OutputError: the index cannot be written.
    """

    def __init__(self, tables: MeteorTables | None = None) -> None:
        self.tables = tables or open_tables()

    def score(self, references: Sequence[str], hypothesis: str) -> NDArray[np.int64]:
        """The statistics of a caption against the reference that suits it best.

        Args:
            references: One or more captions, tokens parted by spaces.
            hypothesis: The caption to be scored.

        Returns:
            `NUM_STATS` counts. `score_of` makes the score of them, `corpus_score` that of many.

        Raises:
            ValueError: there is no reference.
        """
        if not references:
            raise ValueError("references is empty; METEOR needs one or more. Give the captions")
        # As pycocoevalcap passes it on.
        own = self._sentence(hypothesis.replace("|||", "").replace("  ", " "))
        pairs = (_statistics(own, self._sentence(reference)) for reference in references)
        return np.array(max(pairs, key=score_of), dtype=np.int64)

    def _sentence(self, line: str) -> Sentence:
        return Sentence(split_words(line, self.tables), self.tables)


def corpus_score(statistics_NS: NDArray[np.int64]) -> float:
    """METEOR of many captions together: that of their added statistics.

    As in METEOR 1.5 the one chunk of a pair that matches whole is not added.
    """
    whole_N = (statistics_NS[:, 20] == 1) & (statistics_NS[:, 21:23] == statistics_NS[:, 0:2]).all(
        axis=1
    )
    added_S: NDArray[np.int64] = statistics_NS.sum(axis=0)
    added_S[20] -= whole_N.sum()
    return score_of(added_S)


def score_of(statistics: Sequence[int] | NDArray[np.int64]) -> float:
    """METEOR of the statistics of one pair, or of added ones.

    ::

        P, R   matched over all words: content words count 0.75, function words 0.25, matches
               their matcher's weight
        F      P R / (0.85 P + 0.15 R)
        score  F (1 - 0.6 (chunks / matched words) ** 0.2); nothing is taken off for sentences
               that match whole in one chunk
    """
    values = [int(value) for value in statistics]
    length, reference_length = (
        _DELTA * (values[i] - values[i + 2]) + (1 - _DELTA) * values[i + 2] for i in (0, 1)
    )
    matched = reference_matched = 0.0
    for matcher, weight in enumerate(_WEIGHTS):
        content, reference_content, function, reference_function = values[
            4 + 4 * matcher : 8 + 4 * matcher
        ]
        matched += weight * (_DELTA * content + (1 - _DELTA) * function)
        reference_matched += weight * (
            _DELTA * reference_content + (1 - _DELTA) * reference_function
        )
    if not matched or not reference_matched:
        return 0.0
    precision, recall = matched / length, reference_matched / reference_length
    f_mean = 1 / ((1 - _ALPHA) / precision + _ALPHA / recall)
    chunks, words, reference_words = values[20:]
    if chunks == 1 and words == values[0] and reference_words == values[1]:
        return f_mean
    fragmentation: float = (2 * chunks / (words + reference_words)) ** _BETA
    return f_mean * (1 - _GAMMA * fragmentation)


def score_meteor(captions: TokenizedCaptions) -> tuple[Score, ...]:
    """METEOR, as a fraction.

    Args:
        captions: References and hypotheses.

    Returns:
        One score, `meteor`; that of several items comes from their added statistics.

    Raises:
        MissingFilesError: the package with the tables is not installed.
        OutputError: the index of the tables cannot be written.
    """
    meteor = _meteor()
    counts_NS = np.array(
        [
            meteor.score([" ".join(reference) for reference in references], " ".join(hypothesis))
            for references, hypothesis in zip(captions.references, captions.hypotheses, strict=True)
        ],
        dtype=np.int64,
    ).reshape(-1, NUM_STATS)
    per_item_N = np.array([score_of(counts) for counts in counts_NS], dtype=np.float64)
    return (Score("meteor", per_item_N, lambda places: corpus_score(counts_NS[places])),)


@lru_cache(maxsize=1)
def _meteor() -> Meteor:
    """One for the process: its caches serve every call."""
    return Meteor()


def _statistics(hypothesis: Sentence, reference: Sentence) -> list[int]:
    alignment = align(find_matches(hypothesis, reference), len(hypothesis))
    counts = [0] * NUM_STATS
    own, others = hypothesis.function_words, reference.function_words
    counts[:4] = len(own), len(others), sum(own), sum(others)
    for start, length, place, reference_length, matcher in alignment.matches:
        function = sum(own[start : start + length])
        reference_function = sum(others[place : place + reference_length])
        first = 4 + 4 * matcher
        counts[first] += length - function
        counts[first + 1] += reference_length - reference_function
        counts[first + 2] += function
        counts[first + 3] += reference_function
        counts[21] += length
        counts[22] += reference_length
    counts[20] = alignment.chunks
    return counts
