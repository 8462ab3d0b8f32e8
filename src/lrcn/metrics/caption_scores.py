"""All scores of a set of captions at once, with their intervals, and two systems compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lrcn.errors import ConfigError, DataError
from lrcn.metrics.bleu import score_bleu
from lrcn.metrics.caption_tokens import (
    Hypotheses,
    References,
    Score,
    SplitAll,
    TokenizedCaptions,
    tokenize_pairs,
)
from lrcn.metrics.cider import score_cider, score_cider_d
from lrcn.metrics.document_frequencies import DocumentFrequencies
from lrcn.metrics.meteor import meteor_missing, score_meteor
from lrcn.metrics.rouge import score_rouge_l
from lrcn.settings import did_you_mean

Missing = Literal["error", "skip"]
"""What happens with items that have references only, or a hypothesis only."""


def _nothing() -> None:
    """Nothing is missing."""


@dataclass(frozen=True)
class CaptionMetric:
    """How a metric of the table is computed."""

    score: Callable[[TokenizedCaptions, DocumentFrequencies | None], tuple[Score, ...]]
    why_not: Callable[[], str | None] = _nothing
    """What is missing here to compute it, with the command that brings it; None: nothing."""


CAPTION_METRICS: dict[str, CaptionMetric] = {
    "bleu": CaptionMetric(lambda captions, _: score_bleu(captions)),
    "rouge_l": CaptionMetric(lambda captions, _: score_rouge_l(captions)),
    "cider": CaptionMetric(score_cider),
    "cider_d": CaptionMetric(score_cider_d),
    "meteor": CaptionMetric(lambda captions, _: score_meteor(captions), meteor_missing),
}
"""Name to metric, in the order of results. One metric may give several scores."""


@dataclass(frozen=True, kw_only=True)
class CaptionScores:
    """The scores of one system's captions."""

    ids: tuple[str, ...]
    """The items, in the order of every `per_item` array."""
    scores: tuple[Score, ...]
    tokenizer: str
    counts: Mapping[str, int]
    """num_items, num_references, num_empty (hypotheses without a word), and what was left out:
    num_without_hypothesis, num_without_references."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Metrics that could not be computed here, and why."""

    @cached_property
    def corpus(self) -> dict[str, float]:
        """Each score of all items together, by result key."""
        everything = np.arange(len(self.ids))
        return {score.key: score.of_items(everything) for score in self.scores}

    @property
    def per_item(self) -> dict[str, NDArray[np.float64]]:
        """Each score of each item alone, by result key."""
        return {score.key: score.per_item_N for score in self.scores}

    def intervals(
        self, *, seed: int = 0, level: float = 0.95, num_resamples: int = 1000
    ) -> dict[str, tuple[float, float]]:
        """Bootstrap intervals: items are drawn again and again, whole, as many as there are.

        Document frequencies stay those of the whole set.
        """
        import torch

        from lrcn.metrics.intervals import bootstrap_interval

        return {
            score.key: bootstrap_interval(
                score.of_items,
                np.arange(len(self.ids)),
                generator=torch.Generator().manual_seed(seed),
                level=level,
                num_resamples=num_resamples,
            )
            for score in self.scores
        }

    def to_dict(self, *, per_item: bool = True, intervals: bool = True, seed: int = 0) -> Any:
        """The JSON form of `lrcn score --json`."""
        found: dict[str, Any] = {**self.counts, "tokenizer": self.tokenizer, **self.corpus}
        if intervals:
            for key, interval in self.intervals(seed=seed).items():
                found[f"{key}_interval"] = list(interval)
        if self.left_out:
            found["left_out"] = dict(self.left_out)
        if per_item:
            columns = {key: values.tolist() for key, values in self.per_item.items()}
            found["per_item"] = {
                item: {key: column[i] for key, column in columns.items()}
                for i, item in enumerate(self.ids)
            }
        return found


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One score of two systems on the same items."""

    key: str
    first: float
    second: float
    difference: float
    """Second minus first."""
    interval: tuple[float, float]
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "first": self.first,
            "second": self.second,
            "difference": self.difference,
            "difference_interval": list(self.interval),
            "p_value": self.p_value,
            "test": "paired bootstrap over items",
        }


def score_captions(
    references: References,
    hypotheses: Hypotheses,
    *,
    metrics: Sequence[str] | None = None,
    tokenizer: str = "ptb",
    frequencies: DocumentFrequencies | None = None,
    missing: Missing = "error",
) -> CaptionScores:
    """Score captions as coco-caption does.

    Args:
        references: By item id the captions that people wrote.
        hypotheses: By item id the caption to be scored.
        metrics: Names from `CAPTION_METRICS`; default: all that can be computed here.
        tokenizer: "ptb" is what official scores use; others as in `lrcn.text.tokenize`.
        frequencies: For CIDEr and CIDEr-D; default: counted in the references.
        missing: "error", or "skip": items without a hypothesis or without references are left
            out, and counted.

    Raises:
        ConfigError: a name is unknown, or a metric that was asked for cannot be computed here.
        DataError: the ids do not match, an item has no reference, or nothing is left.
    """
    chosen, left_out = _choose(metrics)
    if frequencies is not None and frequencies.tokenizer != tokenizer:
        raise ConfigError(
            f"the document frequencies were counted with tokenizer {frequencies.tokenizer!r},"
            f" the captions are cut with {tokenizer!r}; both must be alike."
            " Choose that tokenizer, or count the frequencies again"
        )
    both = references
    counts = {"num_without_hypothesis": 0, "num_without_references": 0}
    if missing == "skip":
        both = {item: refs for item, refs in references.items() if item in hypotheses and refs}
        hypotheses, unknown = _parted(hypotheses, both)
        counts["num_without_hypothesis"] = sum(item not in hypotheses for item in references)
        counts["num_without_references"] = unknown
    captions = tokenize_pairs(both, hypotheses, splitter(tokenizer))
    return CaptionScores(
        ids=captions.ids,
        scores=tuple(
            score for name in chosen for score in CAPTION_METRICS[name].score(captions, frequencies)
        ),
        tokenizer=tokenizer,
        counts={
            "num_items": len(captions),
            "num_references": int(captions.reference_counts.sum()),
            "num_empty": sum(not tokens for tokens in captions.hypotheses),
            **counts,
        },
        left_out=left_out,
    )


def compare_captions(
    first: CaptionScores, second: CaptionScores, *, seed: int = 0, num_resamples: int = 1000
) -> dict[str, Difference]:
    """Whether the second system's captions score higher than the first's by more than chance.

    Each draw of items serves both systems (a paired bootstrap).

    Args:
        first: The baseline.
        second: The other system, on the same items.
        seed: Of the draws.
        num_resamples: How many.

    Returns:
        By result key, for the scores that both have.

    Raises:
        DataError: they are not of the same items.
    """
    import torch

    from lrcn.metrics.intervals import paired_bootstrap

    if set(first.ids) != set(second.ids):
        unlike = set(first.ids) ^ set(second.ids)
        raise DataError(
            f"the two systems were scored on different items: {len(unlike)} of them occur in one"
            f" only ({', '.join(sorted(map(repr, unlike))[:3])}); a paired test needs the same"
            " ones. Score both on the items that both describe"
        )
    place = {item: i for i, item in enumerate(second.ids)}
    match = np.array([place[item] for item in first.ids], dtype=np.int64)
    others = {score.key: score for score in second.scores}
    found = {}
    for mine in first.scores:
        if mine.key not in others:
            continue
        other = others[mine.key]

        def gain(places: NDArray[np.int64], mine: Score = mine, other: Score = other) -> float:
            return other.of_items(match[places]) - mine.of_items(places)

        interval, p_value = paired_bootstrap(
            gain,
            np.arange(len(match)),
            generator=torch.Generator().manual_seed(seed),
            num_resamples=num_resamples,
        )
        before, after = first.corpus[mine.key], second.corpus[mine.key]
        found[mine.key] = Difference(
            key=mine.key,
            first=before,
            second=after,
            difference=after - before,
            interval=interval,
            p_value=p_value,
        )
    return found


def splitter(tokenizer: str) -> SplitAll:
    """The tokenizer of a name, for many captions.

    Raises:
        ConfigError: there is none.
    """
    if tokenizer == "ptb":
        from lrcn.text.ptb import ptb_tokenize_all

        return ptb_tokenize_all
    from lrcn.text.tokenize import get_tokenizer

    split = get_tokenizer(tokenizer).split
    return lambda texts: [split(text) for text in texts]


def _choose(metrics: Sequence[str] | None) -> tuple[list[str], dict[str, str]]:
    """The metrics to compute, and those left out with the reason."""
    for name in metrics or ():
        if name not in CAPTION_METRICS:
            raise ConfigError(
                f"metric {name!r} is unknown; there are {', '.join(CAPTION_METRICS)}."
                f"{did_you_mean(name, list(CAPTION_METRICS))} Choose among them"
            )
    wanted = list(CAPTION_METRICS) if metrics is None else list(dict.fromkeys(metrics))
    reasons = {name: CAPTION_METRICS[name].why_not() for name in wanted}
    left_out = {name: why for name, why in reasons.items() if why is not None}
    if metrics is not None and left_out:
        raise ConfigError("; ".join(left_out.values()))
    return [name for name in wanted if name not in left_out], left_out


def _parted(hypotheses: Hypotheses, kept: References) -> tuple[dict[str, str], int]:
    """The hypotheses of the items that are kept, and how many others there are."""
    mine = {item: text for item, text in hypotheses.items() if item in kept}
    return mine, len(hypotheses) - len(mine)
