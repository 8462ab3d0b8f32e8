"""Measure the 1-nearest-neighbour baseline: say of a photo what people said of the most alike one.

Paper: row C10, Table 3 of the conference version. The most alike training photo is found by the
features of a CNN. Its captions are the candidates: scores are averaged over them, and for
retrieval a caption counts as much as its words are like theirs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lrcn.evaluate.caption_record import CaptionProtocol, Viewer, Watch
from lrcn.evaluate.protocol import DataChoice
from lrcn.metrics.caption_scores import splitter
from lrcn.metrics.neighbours import (
    Similarity,
    nearest_places,
    score_candidates,
    word_similarities,
)
from lrcn.metrics.retrieval import chance_retrieval, measure_retrieval
from lrcn.structures import CaptionItem, CaptionList, SkippedFile

_TOKENIZER = "ptb"


@dataclass(frozen=True, kw_only=True)
class NeighbourResults:
    """What the baseline scores."""

    metrics: Mapping[str, float]
    """Means over the captions of each item's neighbour."""
    retrieval: Mapping[str, float]
    chance: Mapping[str, float]
    protocol: CaptionProtocol
    num_known: int
    """Training items among which neighbours were looked for."""
    similarity: Similarity
    neighbours: Mapping[str, CaptionItem]
    """By item id the most alike training item."""
    skipped: tuple[SkippedFile, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "format": 1,
            "task": "neighbours",
            **self.metrics,
            **self.retrieval,
            "chance": dict(self.chance),
            "num_known": self.num_known,
            "similarity": self.similarity,
            "protocol": dataclasses.asdict(self.protocol),
            "neighbours": {
                item_id: {"item_id": near.item_id, "captions": list(near.captions)}
                for item_id, near in self.neighbours.items()
            },
            "skipped": [dataclasses.asdict(file) for file in self.skipped],
        }


def evaluate_neighbours(
    viewer: Viewer,
    known: CaptionList,
    captions: CaptionList,
    *,
    similarity: Similarity = "cosine",
    metrics: Sequence[str] | None = None,
    choice: DataChoice | None = None,
    model_path: str = "",
    watch: Watch | None = None,
) -> NeighbourResults:
    """Find every item's neighbour and score its captions.

    Args:
        viewer: Whose CNN tells what is alike; its words are not needed.
        known: Training items.
        captions: Items to measure on.
        similarity: By the angle between features, or by their distance.
        metrics: Names of `metrics.caption_scores.CAPTION_METRICS`; all when left out.
        choice: Which part of the data `captions` is.
        model_path: Where the CNN came from, for the record.
        watch: Called after each item that is looked at.

    Raises:
        MissingFilesError: files cannot be read and that is an error, or none can.
        ConfigError: a score is not possible.
    """
    trained, known_MD = _seen(viewer, known, watch)
    items, features_ND = _seen(viewer, captions, watch)
    places = nearest_places(features_ND, known_MD, similarity=similarity)
    near = [trained[place] for place in places]
    owners = [row for row, item in enumerate(items) for _ in item.captions]
    split_all = splitter(_TOKENIZER)
    scores_IC = word_similarities(
        [split_all(list(one.captions)) for one in near],
        split_all([text for item in items for text in item.captions]),
    )
    protocol = viewer.record(
        captions,
        items,
        choice or DataChoice(),
        seed=0,
        model_path=model_path,
        tokenizer=_TOKENIZER,
        document_frequencies="the references of these items",
        left_out={},
        decoding={},
        interval_method="none",
    )
    return NeighbourResults(
        metrics=score_candidates(
            {item.item_id: item.captions for item in items},
            {item.item_id: one.captions for item, one in zip(items, near, strict=True)},
            metrics=metrics,
            tokenizer=_TOKENIZER,
        ),
        retrieval=measure_retrieval(scores_IC, owners),
        chance=chance_retrieval(len(items), owners),
        protocol=protocol,
        num_known=len(trained),
        similarity=similarity,
        neighbours={item.item_id: one for item, one in zip(items, near, strict=True)},
        skipped=(*known.skipped, *captions.skipped, *viewer.skipped),
    )


def _seen(
    viewer: Viewer, captions: CaptionList, watch: Watch | None
) -> tuple[list[CaptionItem], torch.Tensor]:
    """Items that can be read and the mean features of their frames, N x D."""
    items: list[CaptionItem] = []
    rows = []
    for seen in viewer.look(captions, watch):
        items += seen.items
        weights_BT1 = seen.valid_mask_BT.float()[..., None]
        rows.append((seen.features_BTD * weights_BT1).sum(1) / weights_BT1.sum(1))
    return items, torch.cat(rows).cpu()
