"""The 1-nearest-neighbour baseline: say of a picture what people said of the most similar one.

Paper: row C10, Table 3 of the conference version. Features of a CNN (fc7 or fc8 there) tell which
training picture is the most similar; a score is averaged over that picture's captions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrcn.errors import DataError
from lrcn.metrics.caption_scores import score_captions
from lrcn.metrics.caption_tokens import References
from lrcn.metrics.metric import require_some

Similarity = Literal["cosine", "euclidean"]


def nearest_places(
    features_ND: ArrayLike,
    known_MD: ArrayLike,
    *,
    similarity: Similarity = "cosine",
    chunk_size: int = 1024,
) -> NDArray[np.int64]:
    """Which known item is the most similar to each item; of equally similar ones the first.

    Args:
        features_ND: Of the items.
        known_MD: Of the training items.
        similarity: By angle, or by distance.
        chunk_size: Items at a time: memory is `chunk_size` x M numbers.

    Returns:
        N places in `known_MD`.

    Raises:
        DataError: there are no known items.
        ValueError: the widths differ.
    """
    features, known = _matrix(features_ND), _matrix(known_MD)
    require_some(len(known), "training items")
    if features.shape[1] != known.shape[1]:
        raise ValueError(
            f"features are {features.shape[1]} and {known.shape[1]} wide; both must be alike."
            " Take both from the same layer of the same network"
        )
    if similarity == "cosine":
        features, known = _unit(features), _unit(known)
    half_squares = (known**2).sum(axis=1) / 2
    places = [
        # Nearest = greatest x.k - |k|^2 / 2, since |x|^2 is the same for all.
        np.argmax(features[start : start + chunk_size] @ known.T - half_squares, axis=1)
        for start in range(0, len(features), chunk_size)
    ]
    return np.concatenate(places) if places else np.zeros(0, dtype=np.int64)


def score_candidates(
    references: References,
    candidates: Mapping[str, Sequence[str]],
    *,
    metrics: Sequence[str] | None = None,
    tokenizer: str = "ptb",
) -> dict[str, float]:
    """Scores averaged over several captions of each item, each in turn the hypothesis.

    Args:
        references: By item id what people wrote.
        candidates: By item id the captions of its nearest neighbour; an item with fewer than
            another begins again with its first.
        metrics: As for `score_captions`.
        tokenizer: As for `score_captions`.

    Returns:
        By result key the mean over the rounds of the score of all items.

    Raises:
        DataError: an item has no candidate, or the ids do not match.
    """
    require_some(len(candidates), "items with candidates")
    without = [item for item, captions in candidates.items() if not captions]
    if without:
        raise DataError(
            f"{len(without)} items have no candidate caption ({without[0]!r}); each needs one."
            " Leave out training items without captions"
        )
    rounds = [
        score_captions(
            references,
            {item: captions[i % len(captions)] for item, captions in candidates.items()},
            metrics=metrics,
            tokenizer=tokenizer,
        ).corpus
        for i in range(max(map(len, candidates.values())))
    ]
    return {key: sum(found[key] for found in rounds) / len(rounds) for key in rounds[0]}


def _matrix(features: ArrayLike) -> NDArray[np.float64]:
    matrix = np.asarray(features, dtype=np.float64)
    if matrix.ndim != 2:
        raise ValueError(
            f"features have shape {matrix.shape}; items x width is expected."
            " Average a video's frames first"
        )
    return matrix


def _unit(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, 1.0)


def word_similarities(
    known_I: Sequence[Sequence[Sequence[str]]], captions_C: Sequence[Sequence[str]]
) -> NDArray[np.float64]:
    """How alike each caption is to what is said of each item: retrieval by the baseline.

    Cosine of word counts weighed by their rarity among the captions (tf-idf), averaged over what is
    said of the item.

    Args:
        known_I: Of each item the tokens of its neighbour's captions.
        captions_C: Tokens of the captions that are ranked.

    Returns:
        I x C, 0 to 1.

    Raises:
        DataError: there are no captions.
    """
    require_some(len(captions_C), "captions")
    counts = Counter(word for tokens in captions_C for word in set(tokens))
    column = {word: place for place, word in enumerate(counts)}
    rarity = np.log((1 + len(captions_C)) / (1 + np.array(list(counts.values()), dtype=np.float64)))

    def weighed(sentences: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        matrix = np.zeros((len(sentences), len(column)))
        for row, tokens in enumerate(sentences):
            for word in tokens:
                if word in column:
                    matrix[row, column[word]] += 1
        return _unit(matrix * rarity)

    means_IV = np.stack([weighed(sentences).mean(axis=0) for sentences in known_I])
    return np.asarray(means_IV @ weighed(captions_C).T, dtype=np.float64)
