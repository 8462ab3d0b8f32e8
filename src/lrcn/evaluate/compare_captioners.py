"""Two captioners on the same items: the difference of every score, and whether it is chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrcn.errors import ResultsError
from lrcn.evaluate.caption_results import load_caption_results, newest_caption_results, task_of_file
from lrcn.evaluate.captions import CaptionResult, CaptionResults
from lrcn.evaluate.results_folder import results_path
from lrcn.evaluate.truth import with_truth
from lrcn.metrics.caption_scores import CaptionScores, Difference, compare_captions, score_captions

MUST_AGREE = ("tokenizer", "allow_leaks")
"""Protocol keys, besides the items and their files, that make two results comparable. Model, search
and machine may differ."""


@dataclass(frozen=True, kw_only=True)
class CaptionComparison:
    """The second captioner against the first; a positive difference: the second is better."""

    first: str
    second: str
    num_items: int
    differences: Mapping[str, Difference]
    """By result key."""
    unlike: tuple[str, ...] = ()
    """In what the protocols differ, where that was allowed."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; the differences as in `lrcn score --hypotheses2`."""
        return {
            "task": "caption",
            "first": self.first,
            "second": self.second,
            "num_items": self.num_items,
            "differences": {key: found.to_dict() for key, found in self.differences.items()},
            "unlike": list(self.unlike),
        }


def captioner_results(place: Path) -> CaptionResults | None:
    """The sentences of a results file, or the newest ones of a run folder; None: other results.

    Raises:
        ResultsError: there are no results, they are damaged, or they are a retrieval's.
    """
    path = results_path(place)
    task = task_of_file(path)
    if task == "retrieval" and place.is_dir():
        found = newest_caption_results(path.parent.parent)
        if found is not None:
            return found
    if task == "retrieval":
        raise ResultsError(
            f"{path} holds a retrieval, of which two are compared by their numbers alone. To"
            " compare sentences, give results of `lrcn evaluate` without --retrieval"
        )
    return load_caption_results(path) if task == "caption" else None


def compare_captioners(
    first: CaptionResults,
    second: CaptionResults,
    *,
    names: tuple[str, str] = ("first", "second"),
    allow_unlike: bool = False,
    seed: int = 0,
) -> CaptionComparison:
    """Pair two results item by item, and test each score by a paired bootstrap.

    Args:
        first: the baseline.
        second: the captioner that may be better.
        names: what to call them.
        allow_unlike: compare in spite of other items or another protocol; then only items that
            both have, with the same references, are counted.
        seed: of the bootstrap.

    Raises:
        ResultsError: the protocols differ and that was not allowed, or no item is shared.
    """
    unlike = _protocol_differences(first, second)
    if unlike and not allow_unlike:
        raise ResultsError(
            f"{names[0]} and {names[1]} were not measured alike: {'; '.join(unlike)}."
            " Only results of the same items and protocol can be compared; evaluate one of them"
            " again, or pass --allow-unlike"
        )
    others = {one.item_id: one for one in second.captions}
    pairs = [(one, others[one.item_id]) for one in first.captions if one.item_id in others]
    pairs = [(one, two) for one, two in pairs if one.references == two.references]
    if not pairs:
        raise ResultsError(
            f"{names[0]} and {names[1]} share no item with the same references (they have"
            f" {len(first.captions)} and {len(second.captions)}); evaluate both on the same data"
        )
    scores = [_scored([pair[i] for pair in pairs], first.protocol.tokenizer) for i in (0, 1)]
    return CaptionComparison(
        first=names[0],
        second=names[1],
        num_items=len(pairs),
        differences=compare_captions(*scores, seed=seed),
        unlike=tuple(unlike),
    )


def _scored(captions: list[CaptionResult], tokenizer: str) -> CaptionScores:
    """The scores of some items, as `evaluate_captions` computes them."""
    references = {one.item_id: one.references for one in captions}
    hypotheses = {one.item_id: one.caption for one in captions}
    scores = score_captions(references, hypotheses, tokenizer=tokenizer)
    return with_truth(scores, references, hypotheses)


def _protocol_differences(first: CaptionResults, second: CaptionResults) -> list[str]:
    """In what two protocols differ, in words."""
    one, two = first.protocol, second.protocol
    found = []
    if one.list_hash != two.list_hash:
        ids = [{c.item_id for c in results.captions} for results in (first, second)]
        only = len(ids[0] - ids[1]), len(ids[1] - ids[0])
        what = f"{only[0]} only in the first, {only[1]} only in the second"
        found.append(f"items ({what if any(only) else 'the same, with other references'})")
    elif one.content_hash != two.content_hash:
        found.append("files (the same names, other bytes)")
    for key in MUST_AGREE:
        a, b = getattr(one, key), getattr(two, key)
        if a != b:
            found.append(f"{key} ({a} and {b})")
    return found
