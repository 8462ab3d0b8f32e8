"""The share of sentences that are exactly true, where each has one true answer.

Sentences about the rendered world can be told true or false (`data.world_truth`); those that
people wrote cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from lrcn.data.world_truth import exact_match, speaks_of_world
from lrcn.metrics.caption_scores import CaptionScores
from lrcn.metrics.caption_tokens import mean_score
from lrcn.metrics.intervals import wilson_interval

EXACT_KEY = "accuracy_exact"
"""Result key: by meaning, not by letters, as `data.world_truth.read_sentence` reads it."""


def with_truth(
    scores: CaptionScores,
    references: Mapping[str, Sequence[str]],
    hypotheses: Mapping[str, str],
) -> CaptionScores:
    """The scores, with `accuracy_exact` first where all references are about the rendered world.

    Args:
        scores: Of the same items.
        references: By item id its true sentences.
        hypotheses: By item id the sentence of a model.
    """
    if not speaks_of_world(references.values()):
        return scores
    found = exact_match(references, hypotheses)
    per_item_N = np.array([float(found[item_id]) for item_id in scores.ids])
    return replace(scores, scores=(mean_score(EXACT_KEY, per_item_N), *scores.scores))


def intervals_of(
    scores: CaptionScores, *, seed: int, level: float, num_resamples: int
) -> dict[str, tuple[float, float]]:
    """The interval of every score: bootstrap over items; of a share of true ones Wilson's."""
    found = scores.intervals(seed=seed, level=level, num_resamples=num_resamples)
    if EXACT_KEY in found:
        right_N = scores.per_item[EXACT_KEY]
        found[EXACT_KEY] = wilson_interval(int(right_N.sum()), len(right_N), level=level)
    return found
