"""Whether a captioner still looks at the picture: what its sentences betray.

A network that always says the same, nothing, or `<unk>` has a falling loss all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

_MIN_ITEMS = 10
"""Of fewer photos nothing can be said."""
_LEAST_DISTINCT = 0.02
_LEAST_WORDS = 2.0
_MOST_UNKNOWN = 0.5


def watch_sentences(
    sentences: Sequence[tuple[int, ...]],
    training: Collection[tuple[int, ...]],
    *,
    unk_rate: float,
) -> dict[str, float]:
    """What is told of the sentences about held-out items.

    Args:
        sentences: Token ids of each, without `<bos>` and `<eos>`.
        training: Those learnt from, likewise.
        unk_rate: Share of places at which `<unk>` is the likeliest word.

    Returns:
        `distinct_sentences` and `copied_sentences`, shares; `mean_words`; `unk_rate`.
    """
    number = max(len(sentences), 1)
    return {
        "distinct_sentences": len(set(sentences)) / number,
        "mean_words": sum(len(s) for s in sentences) / number,
        "unk_rate": unk_rate,
        "copied_sentences": sum(s in training for s in sentences) / number,
    }


def collapse_warning(watched: dict[str, float], num_items: int) -> str | None:
    """What is wrong, for people; None where nothing is."""
    found = []
    distinct = round(watched["distinct_sentences"] * num_items)
    if num_items >= _MIN_ITEMS and (
        distinct == 1 or watched["distinct_sentences"] < _LEAST_DISTINCT
    ):
        found.append(f"{distinct} different sentences for {num_items} items")
    if watched["mean_words"] < _LEAST_WORDS:
        found.append(f"{watched['mean_words']:.1f} words per sentence")
    if watched["unk_rate"] > _MOST_UNKNOWN:
        found.append(f"<unk> is the likeliest word at {watched['unk_rate']:.0%} of the places")
    if not found:
        return None
    return (
        f"the captioner collapses: {'; '.join(found)}. If it stays so, lower --train.lr, set"
        " --train.clip-norm, or lower --dataset.min-count"
    )
