"""Measure a captioner: what it says of every item, and the field's scores with intervals.

One JSON document, like `evaluate.results`: scores stand at the top level under their glossary keys
(`bleu_4`, `rouge_l`, `cider_d`, `meteor` where its tables are installed, `accuracy_exact` where
every sentence is true or false), each with its interval beside it; the rest under `task`,
`protocol`, `captions`, `skipped`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrcn.checkpoint import SavedCaptioner
from lrcn.decoding.describe import describe
from lrcn.decoding.options import DecodingOptions
from lrcn.evaluate.caption_record import LEVEL, RESAMPLES, CaptionProtocol, Viewer, Watch
from lrcn.evaluate.protocol import DataChoice
from lrcn.evaluate.results_folder import now, save_results
from lrcn.evaluate.truth import intervals_of, with_truth
from lrcn.metrics.caption_scores import score_captions, splitter
from lrcn.metrics.diversity import measure_diversity
from lrcn.settings import to_dict
from lrcn.structures import Caption, CaptionItem, CaptionList, SkippedFile


@dataclass(frozen=True, kw_only=True)
class CaptionResult:
    """What was said of one item."""

    item_id: str
    path: str
    caption: str
    log_prob: float
    score: float
    references: tuple[str, ...]
    scores: Mapping[str, float]
    """Of this item alone, by result key."""


@dataclass(frozen=True, kw_only=True)
class CaptionResults:
    """One evaluation of one captioner."""

    created: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    protocol: CaptionProtocol
    captions: tuple[CaptionResult, ...]
    skipped: tuple[SkippedFile, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        document: dict[str, Any] = {"format": 1, "task": "caption", "created": self.created}
        for key, value in self.metrics.items():
            document[key] = value
            if key in self.intervals:
                document[f"{key}_interval"] = list(self.intervals[key])
        document["protocol"] = dataclasses.asdict(self.protocol)
        document["captions"] = [dataclasses.asdict(caption) for caption in self.captions]
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


def evaluate_captions(
    saved: SavedCaptioner,
    captions: CaptionList,
    options: DecodingOptions | None = None,
    *,
    choice: DataChoice | None = None,
    metrics: Sequence[str] | None = None,
    training: Sequence[str] | None = None,
    seed: int = 0,
    model_path: str = "",
    watch: Watch | None = None,
    **how: Any,
) -> CaptionResults:
    """Describe every item of a list and score the sentences.

    Args:
        saved: The captioner; left in evaluation mode.
        captions: Items with the sentences that people wrote.
        options: How to search; the model's own when left out.
        choice: Which part of the data the list is, for the record.
        metrics: Names of `metrics.caption_scores.CAPTION_METRICS`; all when left out.
        training: Captions that were trained on, where novelty is wanted.
        seed: Of the bootstrap, and of sentences that are drawn.
        model_path: Where the model came from, for the record.
        watch: Called after each item.
        **how: Further arguments of `Viewer`: how it looks at items.

    Raises:
        MissingFilesError: files cannot be read and that is an error, or none can.
        ConfigError: a score or a decoder is not possible.
        ModelError: the model gives scores that are not numbers.
    """
    options = options or saved.decoding
    viewer = Viewer(saved, **how)
    described: list[tuple[CaptionItem, Caption]] = []
    for seen in viewer.look(captions, watch):
        found = describe(
            viewer.model,
            seen.features_BTD,
            seen.valid_mask_BT,
            options=options,
            seed=seed,
            row_keys=[item.item_id for item in seen.items],
        )
        described += [(item, best[0]) for item, best in zip(seen.items, found, strict=True)]
    references = {item.item_id: item.captions for item, _ in described}
    hypotheses = {item.item_id: caption.text for item, caption in described}
    scores = score_captions(references, hypotheses, metrics=metrics)
    if metrics is None:
        scores = with_truth(scores, references, hypotheses)
    protocol = viewer.record(
        captions,
        [item for item, _ in described],
        choice or DataChoice(),
        seed=seed,
        model_path=model_path,
        tokenizer=scores.tokenizer,
        document_frequencies="the references of these items",
        left_out=dict(scores.left_out),
        decoding=to_dict(options),
        interval_method=f"bootstrap over items, {RESAMPLES} draws",
    )
    rows = {item_id: row for row, item_id in enumerate(scores.ids)}
    per_item = scores.per_item
    return CaptionResults(
        created=now(),
        metrics={**scores.corpus, **_variety(described, training, scores.tokenizer)},
        intervals=intervals_of(scores, seed=seed, level=LEVEL, num_resamples=RESAMPLES),
        protocol=protocol,
        captions=tuple(
            CaptionResult(
                item_id=item.item_id,
                path=item.path,
                caption=caption.text,
                log_prob=caption.log_prob,
                score=caption.score,
                references=item.captions,
                scores={key: float(v[rows[item.item_id]]) for key, v in per_item.items()},
            )
            for item, caption in described
        ),
        skipped=(*captions.skipped, *viewer.skipped),
    )


def _variety(
    described: Sequence[tuple[CaptionItem, Caption]],
    training: Sequence[str] | None,
    tokenizer: str,
) -> dict[str, float]:
    """How varied the sentences are, and how many were seen in training (paper: row C13)."""
    split_all = splitter(tokenizer)
    return measure_diversity(
        split_all([caption.text for _, caption in described]),
        split_all([text for item, _ in described for text in item.captions]),
        None if training is None else split_all(list(training)),
    )
