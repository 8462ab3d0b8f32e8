"""CIDEr and CIDEr-D of captions, and the document frequencies that they weigh n-grams with.

Vedantam, Zitnick and Parikh, "CIDEr: Consensus-based image description evaluation", 2015. What
coco-caption and the papers since then print as "CIDEr" is CIDEr-D: counts are clipped to the
reference's, and a difference in length costs. CIDEr is the plain mean cosine, without stemming, as
in the authors' Python code. Both are on their own scale: 10 at most, and about 1 for a person.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lrcn.metrics.caption_tokens import Score, TokenizedCaptions, mean_score
from lrcn.metrics.document_frequencies import DocumentFrequencies
from lrcn.metrics.ngrams import NGramRows, distinct

Floats = NDArray[np.float64]

_SIGMA = 6.0
"""Standard deviation of the penalty on a difference in length, in words."""


def score_cider(
    captions: TokenizedCaptions, frequencies: DocumentFrequencies | None = None
) -> tuple[Score, ...]:
    """CIDEr: mean over 1 to 4 words of the cosine of weighed n-gram counts, times 10.

    Args:
        captions: References and hypotheses.
        frequencies: How many documents hold each n-gram; default: counted in the references.

    Returns:
        One score, `cider`.
    """
    return (mean_score("cider", _cider(captions, frequencies, clip=False)),)


def score_cider_d(
    captions: TokenizedCaptions, frequencies: DocumentFrequencies | None = None
) -> tuple[Score, ...]:
    """CIDEr-D, which coco-caption calls "CIDEr".

    Args:
        captions: References and hypotheses.
        frequencies: How many documents hold each n-gram; default: counted in the references, so
            that the score of an item depends on the others.

    Returns:
        One score, `cider_d`.
    """
    return (mean_score("cider_d", _cider(captions, frequencies, clip=True)),)


def _cider(
    captions: TokenizedCaptions, frequencies: DocumentFrequencies | None, *, clip: bool
) -> Floats:
    item_S = np.repeat(np.arange(len(captions)), captions.reference_counts)
    num_documents = len(captions) if frequencies is None else frequencies.num_documents
    total_S = np.zeros(len(item_S))
    for rows in captions.ngrams:
        documents_G = (
            _documents(rows, item_S) if frequencies is None else frequencies.of(rows.texts())
        )
        weight_G = np.log(float(num_documents)) - np.log(np.maximum(1.0, documents_G))
        total_S += _similarity(rows, weight_G, item_S, clip=clip)
    if clip:
        # The original measures length in pairs of words.
        pairs_S = captions.ngrams[1].lengths_S
        delta_S = (pairs_S[len(item_S) :][item_S] - pairs_S[: len(item_S)]).astype(np.float64)
        total_S *= np.exp(-(delta_S**2) / (2 * _SIGMA**2))
    summed_N = np.bincount(item_S, weights=total_S, minlength=len(captions))
    return 10.0 * summed_N / len(captions.ngrams) / captions.reference_counts


def _documents(rows: NGramRows, item_S: NDArray[np.int64]) -> Floats:
    """In how many items' references each n-gram stands."""
    last = int(np.searchsorted(rows.sentence_R, len(item_S)))
    key = item_S[rows.sentence_R[:last]] * max(rows.num_grams, 1) + rows.gram_R[:last]
    grams = distinct(key) % max(rows.num_grams, 1)
    return np.bincount(grams, minlength=rows.num_grams).astype(np.float64)


def _similarity(
    rows: NGramRows, weight_G: Floats, item_S: NDArray[np.int64], *, clip: bool
) -> Floats:
    """Cosine of each reference with its item's hypothesis, over the n-grams of one order."""
    value_R = rows.count_R * weight_G[rows.gram_R] if rows.num_grams else np.zeros(0)
    num_sentences = len(rows.lengths_S)
    norm_S = np.sqrt(np.bincount(rows.sentence_R, weights=value_R**2, minlength=num_sentences))
    first = int(np.searchsorted(rows.sentence_R, len(item_S)))
    ref_sentence = rows.sentence_R[:first]
    hyp_key = (rows.sentence_R[first:] - len(item_S)) * rows.num_grams + rows.gram_R[first:]
    ref_key = item_S[ref_sentence] * rows.num_grams + rows.gram_R[:first]
    place = np.searchsorted(hyp_key, ref_key)
    found = np.take(hyp_key, place, mode="clip") == ref_key if len(hyp_key) else place < 0
    hyp_value, ref_value = value_R[first:][place[found]], value_R[:first][found]
    shared = np.minimum(hyp_value, ref_value) if clip else hyp_value
    # Where nothing is shared bincount gives integers.
    weights = shared * ref_value
    dot_S = np.bincount(ref_sentence[found], weights, len(item_S)).astype(np.float64)
    norms_S = norm_S[: len(item_S)] * norm_S[len(item_S) :][item_S]
    cosine_S: Floats = np.divide(dot_S, np.where(norms_S != 0, norms_S, 1.0))
    return cosine_S
