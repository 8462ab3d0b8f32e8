"""How varied captions are, and how far they are from being copied (paper.md 7, row C13)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lrcn.metrics.metric import require_some

Tokens = Sequence[str]


def measure_diversity(
    hypotheses: Iterable[Tokens],
    references: Iterable[Tokens],
    training: Iterable[Tokens] | None = None,
) -> dict[str, float]:
    """Statistics of a system's captions, all fractions besides the counts and the length.

    Args:
        hypotheses: Tokens of each caption of the system.
        references: Tokens of each caption that people wrote about the same items.
        training: Tokens of each caption that was trained on, where novelty is wanted.

    Returns:
        - `distinct_1` to `distinct_4`: different n-grams by all n-grams of the captions (Li et al.,
          "A diversity-promoting objective function", 2016; there n is 1 and 2).
        - `distinct_captions`: different captions by all.
        - `mean_length`: words per caption.
        - `vocabulary_size`: how many different words the captions use.
        - `vocabulary_use`: share of the references' words that they use; paper: 0.42 greedily.
        - `novelty`: share of captions that no training caption equals; paper: 1 - 0.337.

    Raises:
        DataError: there are no hypotheses.
    """
    captions = [tuple(tokens) for tokens in hypotheses]
    require_some(len(captions), "hypotheses")
    found = {f"distinct_{order}": _distinct(captions, order) for order in (1, 2, 3, 4)}
    used = {word for tokens in captions for word in tokens}
    human = {word for tokens in references for word in tokens}
    found |= {
        "distinct_captions": len(set(captions)) / len(captions),
        "mean_length": sum(map(len, captions)) / len(captions),
        "vocabulary_size": float(len(used)),
        "vocabulary_use": len(used & human) / max(len(human), 1),
    }
    if training is not None:
        known = set(map(tuple, training))
        found["novelty"] = sum(tokens not in known for tokens in captions) / len(captions)
    return found


def _distinct(captions: Sequence[tuple[str, ...]], order: int) -> float:
    grams = [
        tokens[start : start + order]
        for tokens in captions
        for start in range(len(tokens) - order + 1)
    ]
    return len(set(grams)) / max(len(grams), 1)
