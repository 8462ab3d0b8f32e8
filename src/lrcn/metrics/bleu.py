"""BLEU-1 to BLEU-4 of captions.

Papineni et al., "BLEU: a method for automatic evaluation of machine translation", 2002, with the
closest reference length. Equal to coco-caption's `Bleu`: a corpus score from summed counts, and a
score of each sentence with its tiny constants in place of smoothing.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from lrcn.metrics.caption_tokens import Score, TokenizedCaptions
from lrcn.metrics.ngrams import MAX_ORDER, NGramRows

Floats = NDArray[np.float64]

_SMALL, _TINY = 1e-9, 1e-15
"""coco-caption adds them below and above each fraction, so that nothing is divided by 0."""


def score_bleu(captions: TokenizedCaptions) -> tuple[Score, ...]:
    """BLEU-1 to BLEU-4, as fractions.

    Args:
        captions: References and hypotheses.

    Returns:
        Four scores, `bleu_1` to `bleu_4`; that of several items is not the mean of theirs.
    """
    correct, guessed = [], []
    num_references = int(captions.reference_counts.sum())
    item_S = np.repeat(np.arange(len(captions)), captions.reference_counts)
    for rows in captions.ngrams:
        correct.append(_num_correct(rows, item_S, len(captions)))
        guessed.append(rows.lengths_S[num_references:])
    lengths_S = captions.ngrams[0].lengths_S
    sums_N = np.column_stack(
        [
            *correct,
            *guessed,
            lengths_S[num_references:],
            _closest(lengths_S[:num_references], lengths_S[num_references:], item_S),
        ]
    ).astype(np.float64)
    per_item = _bleu(sums_N)
    return tuple(
        Score(f"bleu_{order}", per_item[order - 1], partial(_of_items, sums_N, order))
        for order in range(1, MAX_ORDER + 1)
    )


def _of_items(sums_N: Floats, order: int, places: NDArray[np.int64]) -> float:
    times_N = np.bincount(places, minlength=len(sums_N)).astype(np.float64)
    return float(_bleu((times_N @ sums_N)[None])[order - 1, 0])


def _bleu(sums_N: Floats) -> Floats:
    """From correct and guessed n-grams, own and reference length per row: MAX_ORDER x rows."""
    correct, guessed = sums_N[:, :MAX_ORDER], sums_N[:, MAX_ORDER : 2 * MAX_ORDER]
    own, reference = sums_N[:, -2], sums_N[:, -1]
    product = np.cumprod((correct + _TINY) / (guessed + _SMALL), axis=1).T
    ratio = (own + _TINY) / (reference + _SMALL)
    brevity = np.where(ratio < 1, np.exp(np.minimum(0.0, 1 - 1 / ratio)), 1.0)
    root = 1.0 / np.arange(1, MAX_ORDER + 1)
    bleu: Floats = product ** root[:, None] * brevity
    return bleu


def _num_correct(rows: NGramRows, item_S: NDArray[np.int64], num_items: int) -> NDArray[np.int64]:
    """Per item the hypothesis' n-grams, each no oftener than in the reference that has it most."""
    is_hypothesis = rows.sentence_R >= len(item_S)
    first = int(np.searchsorted(rows.sentence_R, len(item_S)))
    hyp_item = rows.sentence_R[first:] - len(item_S)
    hyp_key = hyp_item * rows.num_grams + rows.gram_R[first:]
    ref_key = item_S[rows.sentence_R[:first]] * rows.num_grams + rows.gram_R[:first]
    assert not is_hypothesis[:first].any()
    place = np.searchsorted(hyp_key, ref_key)
    found = np.take(hyp_key, place, mode="clip") == ref_key if len(hyp_key) else place < 0
    most = np.zeros(len(hyp_key), dtype=np.int64)
    np.maximum.at(most, place[found], rows.count_R[:first][found])
    clipped = np.minimum(most, rows.count_R[first:])
    return np.bincount(hyp_item, weights=clipped, minlength=num_items).astype(np.int64)


def _closest(
    reference_S: NDArray[np.int64], own_N: NDArray[np.int64], item_S: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Per item the reference length nearest to the hypothesis', the shorter of two as near."""
    widest = int(max(reference_S.max(initial=0), own_N.max(initial=0))) + 1
    rank = np.abs(reference_S - own_N[item_S]) * widest + reference_S
    starts = np.flatnonzero(np.diff(item_S, prepend=-1))
    closest: NDArray[np.int64] = np.minimum.reduceat(rank, starts) % widest
    return closest
