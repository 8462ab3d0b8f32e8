"""ROUGE-L of captions.

Lin, "ROUGE: a package for automatic evaluation of summaries", 2004. Equal to coco-caption's
`Rouge`: over an item's references the best precision and the best recall, each by itself, joined
with beta = 1.2; the score of several items is the mean of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcn.metrics.caption_tokens import Score, TokenizedCaptions, mean_score

_BETA = 1.2


def score_rouge_l(captions: TokenizedCaptions) -> tuple[Score, ...]:
    """ROUGE-L, as a fraction.

    Args:
        captions: References and hypotheses.

    Returns:
        One score, `rouge_l`.
    """
    per_item = [
        _rouge_l(references, hypothesis)
        for references, hypothesis in zip(captions.references, captions.hypotheses, strict=True)
    ]
    return (mean_score("rouge_l", np.array(per_item, dtype=np.float64)),)


def _rouge_l(references: Sequence[Sequence[str]], hypothesis: Sequence[str]) -> float:
    # coco-caption splits at single spaces, so that an empty caption is one empty word.
    own = hypothesis or ("",)
    places: dict[str, int] = {}
    for i, word in enumerate(own):
        places[word] = places.get(word, 0) | 1 << i
    precision = recall = 0.0
    for reference in references:
        common = _common_length(places, len(own), reference or ("",))
        precision = max(precision, common / len(own))
        recall = max(recall, common / (len(reference) or 1))
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def _common_length(places: dict[str, int], length: int, other: Sequence[str]) -> int:
    """Length of the longest common subsequence, all places of one sentence at once.

    Bit i of `free` is cleared where a common subsequence grows at place i: Hyyrö, "Bit-parallel
    LCS-length computation revisited", 2004.
    """
    everything = (1 << length) - 1
    free = everything
    for word in other:
        matches = free & places.get(word, 0)
        if matches:
            free = ((free + matches) | (free - matches)) & everything
    return length - free.bit_count()
