"""Measure a captioner by retrieval: which sentence belongs to which photo, in both directions.

Paper: 3.7 (section 5.1.1 of the journal version). One JSON document, like `evaluate.captions`:
`caption_to_image_recall_at_1`, ..., `image_to_caption_median_rank` at the top level, each with its
interval beside it, and under `chance` what a model without an opinion gets.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lrcn.checkpoint import SavedCaptioner
from lrcn.data.captions import with_caption_items
from lrcn.decoding.describe import CaptionModel
from lrcn.decoding.pairs import pair_log_probs
from lrcn.errors import ConfigError, ModelError
from lrcn.evaluate.caption_record import (
    LEVEL,
    RESAMPLES,
    CaptionProtocol,
    Seen,
    Viewer,
    Watch,
)
from lrcn.evaluate.protocol import DataChoice
from lrcn.evaluate.results_folder import now, save_results
from lrcn.metrics.retrieval import (
    caption_to_image,
    chance_retrieval,
    image_to_caption,
    normalised_scores,
)
from lrcn.models.fast_captioner import fast_captioner
from lrcn.structures import CaptionItem, CaptionList, SkippedFile

_MOST_PAIRS = 2**28
"""Their scores take 2 GiB, and twice that while they are ranked."""


@dataclass(frozen=True, kw_only=True)
class RetrievalConfig:
    """What is ranked, and by which score."""

    num_images: int | None = None
    """Only so many items, drawn by the seed, with all their captions (paper: 1,000); None = all."""
    normalise: bool = True
    """Rank by what an item adds to a caption, as the paper's code does; else by log-probability."""
    count_eos: bool = False
    """Also score the end of a caption; the paper scores its words only."""

    def __post_init__(self) -> None:
        if self.num_images is not None and self.num_images < 2:
            raise ConfigError(
                f"num_images is {self.num_images}; at least 2 are needed to tell apart."
                " The paper takes 1000"
            )


@dataclass(frozen=True, kw_only=True)
class RetrievalResults:
    """One retrieval with one captioner."""

    created: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    chance: Mapping[str, float]
    """The same keys, for scores that are all equal."""
    protocol: CaptionProtocol
    skipped: tuple[SkippedFile, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        document: dict[str, Any] = {"format": 1, "task": "retrieval", "created": self.created}
        for key, value in self.metrics.items():
            document[key] = value
            document[f"{key}_interval"] = list(self.intervals[key])
        document["chance"] = dict(self.chance)
        document["protocol"] = dataclasses.asdict(self.protocol)
        document["skipped"] = [dataclasses.asdict(file) for file in self.skipped]
        return document

    def to_json(self) -> str:
        """The document as text, ending in a newline."""
        return json.dumps(self.to_dict(), ensure_ascii=False) + "\n"

    def save(self, run_dir: Path) -> Path:
        """Write `results/<UTC time>.json` below a run folder, whole or not at all.

        Raises:
            OutputError: the folder cannot be written.
        """
        return save_results(run_dir, self.created, self.to_json())


def evaluate_retrieval(
    saved: SavedCaptioner,
    captions: CaptionList,
    config: RetrievalConfig | None = None,
    *,
    choice: DataChoice | None = None,
    seed: int = 0,
    model_path: str = "",
    watch: Watch | None = None,
    **how: Any,
) -> RetrievalResults:
    """Score every caption for every item, and rank both ways.

    Each item's state is started once, captions that begin alike share their steps, and pairs are
    worked on in chunks: memory is that of the chunk and of one number per pair.

    Args:
        saved: The captioner; left in evaluation mode.
        captions: Items with the sentences that people wrote.
        config: What is ranked, and by which score.
        choice: Which part of the data the list is, for the record.
        seed: Of the items drawn and of the bootstrap.
        model_path: Where the model came from, for the record.
        watch: Called after each item that is looked at, then after each chunk of pairs.
        **how: Further arguments of `Viewer`: how it looks at items.

    Raises:
        MissingFilesError: files cannot be read and that is an error, or none can.
        ConfigError: fewer items are there than were asked for, or more pairs than can be held.
        ModelError: the model gives scores that are not numbers, or sees nothing.
    """
    if saved.model.config.visual == "none":
        raise ModelError(
            "a language model sees no picture, so every one is alike to it; a captioner is needed."
            " Train one from it: `lrcn train --init` it"
        )
    config = config or RetrievalConfig()
    chosen = _drawn(captions, config.num_images, seed)
    _refuse_too_many(chosen)
    viewer = Viewer(saved, **how)
    seen = _joined(list(viewer.look(chosen, watch)))
    owners = [row for row, item in enumerate(seen.items) for _ in item.captions]
    encode = viewer.model.vocabulary.encode
    # Packed float32: less than half the time, equal to rounding.
    words: CaptionModel[Any] = fast_captioner(viewer.model, precision="float32")
    log_probs_IC = pair_log_probs(
        words,
        seen.features_BTD,
        [encode(text) for item in seen.items for text in item.captions],
        valid_mask_IT=seen.valid_mask_BT,
        count_eos=config.count_eos,
        watch=watch,
    )
    scores_IC = normalised_scores(log_probs_IC) if config.normalise else log_probs_IC
    ranks = {
        "caption_to_image": caption_to_image(scores_IC, owners),
        "image_to_caption": image_to_caption(scores_IC, owners),
    }
    metrics: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    for way, found in ranks.items():
        generator = torch.Generator().manual_seed(seed)
        bounds = found.intervals(generator=generator, level=LEVEL, num_resamples=RESAMPLES)
        for key, value in found.compute().items():
            metrics[f"{way}_{key}"] = value
            intervals[f"{way}_{key}"] = bounds[key]
    protocol = viewer.record(
        chosen,
        seen.items,
        choice or DataChoice(),
        seed=seed,
        model_path=model_path,
        tokenizer=viewer.model.vocabulary.tokenizer,
        document_frequencies="",
        left_out={},
        decoding={},
        interval_method=f"bootstrap over {chosen.media}s with their captions, {RESAMPLES} draws;"
        " what is ranked among stays",
        retrieval={
            "num_images": len(seen.items),
            "num_captions": len(owners),
            "drawn_from": None if config.num_images is None else len(captions),
            "normalised": config.normalise,
            "count_eos": config.count_eos,
        },
    )
    return RetrievalResults(
        created=now(),
        metrics=metrics,
        intervals=intervals,
        chance=chance_retrieval(len(seen.items), owners),
        protocol=protocol,
        skipped=(*captions.skipped, *viewer.skipped),
    )


def _drawn(captions: CaptionList, number: int | None, seed: int) -> CaptionList:
    """So many items; which, depends on the seed and their ids alone, not on the list's order.

    Raises:
        ConfigError: there are fewer.
    """
    if number is None:
        return captions
    if number > len(captions):
        raise ConfigError(
            f"{number} {captions.media}s are asked for, and the data has {len(captions)};"
            " ask for fewer, or leave the number out for all of them"
        )

    def draw(item: CaptionItem) -> bytes:
        return hashlib.blake2b(repr((seed, "retrieval", item.item_id)).encode()).digest()

    kept = {item.item_id for item in sorted(captions.items, key=draw)[:number]}
    return with_caption_items(captions, [i for i in captions.items if i.item_id in kept])


def _refuse_too_many(captions: CaptionList) -> None:
    pairs = len(captions) * sum(len(item.captions) for item in captions.items)
    if pairs > _MOST_PAIRS:
        raise ConfigError(
            f"{len(captions)} {captions.media}s and their captions are {pairs} pairs; at most"
            f" {_MOST_PAIRS} fit. Draw some of them, as the paper does: --num-images 1000"
        )


def _joined(parts: list[Seen]) -> Seen:
    """All batches as one, padded to the longest item."""
    longest = max(part.features_BTD.shape[1] for part in parts)

    def padded(rows: torch.Tensor) -> torch.Tensor:
        room = rows.new_zeros(len(rows), longest - rows.shape[1], *rows.shape[2:])
        return torch.cat([rows, room], dim=1)

    return Seen(
        items=[item for part in parts for item in part.items],
        features_BTD=torch.cat([padded(part.features_BTD) for part in parts]),
        valid_mask_BT=torch.cat([padded(part.valid_mask_BT) for part in parts]),
    )
