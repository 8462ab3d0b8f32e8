"""Measure a captioner: what it says of every item, and the field's scores with intervals.

One JSON document, like `evaluate.results`: scores stand at the top level under their glossary keys
(`bleu_4`, `rouge_l`, `cider_d`, `meteor` where its tables are installed, `accuracy_exact` where
every sentence is true or false), each with its interval beside it; the rest under `task`,
`protocol`, `captions`, `skipped`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from lrcn.checkpoint import SavedCaptioner, weights_hash
from lrcn.data.cache import FeatureCache
from lrcn.data.content import content_hash
from lrcn.data.semantics import SemanticSource
from lrcn.data.visual_features import visual_features
from lrcn.decoding.describe import describe
from lrcn.decoding.options import DecodingOptions
from lrcn.engine import FastBackbone, Precision, choose_precision, describe_processor, fast_backbone
from lrcn.errors import MissingFilesError, OutputError
from lrcn.evaluate.protocol import DataChoice
from lrcn.evaluate.record import versions
from lrcn.evaluate.results import FOLDER, now, write_new
from lrcn.evaluate.truth import intervals_of, with_truth
from lrcn.metrics.caption_scores import score_captions
from lrcn.settings import to_dict
from lrcn.structures import Caption, CaptionItem, CaptionList, SkippedFile, VideoFeatures

Watch = Callable[[int, int, str], None]
_AT_ONCE = 64
"""Items described together; no sentence depends on it."""
_LEVEL = 0.95
_RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class CaptionProtocol:
    """Everything that a score of sentences depends on."""

    data: str
    """The data as given."""
    layout: str
    media: str
    split: str
    """Which part was measured: "test", "val", "all", ..."""
    split_how: str
    """How that part was chosen."""
    warnings: tuple[str, ...]
    allow_leaks: bool
    list_hash: str
    """Of the measured items: ids and sentences."""
    content_hash: str
    """Of the measured files' bytes."""
    num_items: int
    num_references: int
    num_skipped: int
    tokenizer: str
    """How the scores cut sentences."""
    document_frequencies: str
    """What CIDEr's weights were counted in."""
    left_out: Mapping[str, str]
    """Scores that could not be computed here, and why."""
    decoding: Mapping[str, Any]
    """How sentences were searched for."""
    preprocessing: Mapping[str, Any]
    model: str
    model_kind: str
    backbone: str
    model_hash: str
    vocabulary_hash: str
    engine: str
    """How the backbone was run, and why."""
    device: str
    threads: int
    processor: str
    seed: int
    interval_level: float
    interval_method: str
    versions: Mapping[str, str]
    seconds: float


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
        stem = self.created.replace(":", "-")
        folder = run_dir / FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in (stem, *(f"{stem}-{i}" for i in range(2, 1000))):
                if write_new(folder / f"{name}.json", self.to_json()):
                    return folder / f"{name}.json"
        except OSError as error:
            raise OutputError(
                f"results cannot be written below {run_dir}: {error.strerror or error}."
                " A folder that may be written is needed; choose another, or free the disk"
            ) from error
        raise OutputError(f"{folder} holds 999 results of {stem}; remove some")


def evaluate_captions(
    saved: SavedCaptioner,
    captions: CaptionList,
    options: DecodingOptions | None = None,
    *,
    choice: DataChoice | None = None,
    metrics: Sequence[str] | None = None,
    precision: Precision = "auto",
    device: torch.device | None = None,
    cache: FeatureCache | None = None,
    decode_threads: int = 1,
    missing: Literal["error", "skip"] = "error",
    seed: int = 0,
    model_path: str = "",
    watch: Watch | None = None,
    semantics: SemanticSource | None = None,
) -> CaptionResults:
    """Describe every item of a list and score the sentences.

    Args:
        saved: The captioner; left in evaluation mode.
        captions: Items with the sentences that people wrote.
        options: How to search; the model's own when left out.
        choice: Which part of the data the list is, for the record.
        metrics: Names of `metrics.caption_scores.CAPTION_METRICS`; all when left out.
        precision: Of the backbone.
        device: To compute on; the processor when left out.
        cache: Of features, used and filled.
        decode_threads: Files read at the same time.
        missing: What to do about files that cannot be read.
        seed: Of the bootstrap, and of sentences that are drawn.
        model_path: Where the model came from, for the record.
        watch: Called after each item.
        semantics: Predictions of the items, for a model that takes those.

    Raises:
        MissingFilesError: files cannot be read and `missing` is "error", or none can.
        ConfigError: a score or a decoder is not possible.
        ModelError: the model gives scores that are not numbers.
    """
    started = time.monotonic()
    device = device or torch.device("cpu")
    options = options or saved.decoding
    model = saved.model.to(device).eval()
    backbone = None
    if model.backbone is not None:
        chosen = choose_precision(precision, device)
        backbone = fast_backbone(model.backbone, device=device, precision=chosen)
    described: list[tuple[CaptionItem, Caption]] = []
    skipped: list[SkippedFile] = []
    features = visual_features(
        captions.items,
        backbone,
        model.preprocessing,
        media=captions.media,
        sampling=saved.sampling,
        feature_dim=model.feature_dim,
        cache=cache,
        decode_threads=decode_threads,
    )
    if semantics is not None:
        features = semantics.extract(captions.items)
    num_items = len(captions)
    for items, features_BTD, valid_mask_BT in _batches(
        captions.items, features, skipped, missing=missing, watch=watch
    ):
        found = describe(
            model,
            features_BTD.to(device),
            valid_mask_BT.to(device),
            options=options,
            seed=seed,
            row_keys=[item.item_id for item in items],
        )
        described += [(item, best[0]) for item, best in zip(items, found, strict=True)]
    if not described:
        raise MissingFilesError(
            f"none of the {num_items} items can be read, first {skipped[0].path}:"
            f" {skipped[0].reason}. At least one is needed; check the list"
        )
    return _results(
        saved,
        captions,
        described,
        skipped,
        options,
        choice=choice or DataChoice(),
        metrics=metrics,
        backbone=backbone,
        device=device,
        seed=seed,
        model_path=model_path,
        started=started,
        semantics=semantics,
    )


def _batches(
    items: Sequence[CaptionItem],
    features: Iterator[VideoFeatures | SkippedFile],
    skipped: list[SkippedFile],
    *,
    missing: str,
    watch: Watch | None,
) -> Iterator[tuple[list[CaptionItem], Tensor, Tensor]]:
    """Items with their features, padded to equal length."""
    waiting: list[tuple[CaptionItem, Tensor]] = []
    for number, (item, found) in enumerate(zip(items, features, strict=True), 1):
        if watch is not None:
            watch(number, len(items), item.item_id)
        if isinstance(found, SkippedFile):
            skipped.append(found)
            if missing == "error":
                raise MissingFilesError(
                    f"{found.path}, one of {len(items)} items, cannot be read: {found.reason}."
                    " Repair or remove it, or leave such files out with --missing skip"
                )
            continue
        waiting.append((item, found.features_VTD[0]))
        if len(waiting) == _AT_ONCE:
            yield _padded(waiting)
            waiting = []
    if waiting:
        yield _padded(waiting)


def _padded(
    waiting: Sequence[tuple[CaptionItem, Tensor]],
) -> tuple[list[CaptionItem], Tensor, Tensor]:
    longest = max(len(features_TD) for _, features_TD in waiting)
    features_BTD = torch.zeros(len(waiting), longest, waiting[0][1].shape[1])
    valid_mask_BT = torch.zeros(len(waiting), longest, dtype=torch.bool)
    for row, (_, features_TD) in enumerate(waiting):
        features_BTD[row, : len(features_TD)] = features_TD
        valid_mask_BT[row, : len(features_TD)] = True
    return [item for item, _ in waiting], features_BTD, valid_mask_BT


def _results(
    saved: SavedCaptioner,
    captions: CaptionList,
    described: Sequence[tuple[CaptionItem, Caption]],
    skipped: Sequence[SkippedFile],
    options: DecodingOptions,
    *,
    choice: DataChoice,
    metrics: Sequence[str] | None,
    backbone: FastBackbone | None,
    device: torch.device,
    seed: int,
    model_path: str,
    started: float,
    semantics: SemanticSource | None,
) -> CaptionResults:
    """Scores, intervals and the record of an evaluation."""
    model = saved.model
    references = {item.item_id: item.captions for item, _ in described}
    hypotheses = {item.item_id: caption.text for item, caption in described}
    scores = score_captions(references, hypotheses, metrics=metrics)
    if metrics is None:
        scores = with_truth(scores, references, hypotheses)
    rows = {item_id: row for row, item_id in enumerate(scores.ids)}
    per_item = scores.per_item
    everything = [item for item, _ in described]
    protocol = CaptionProtocol(
        data=captions.source,
        layout=captions.layout,
        media=captions.media,
        split=choice.split,
        split_how=choice.how,
        warnings=(*choice.warnings, *captions.notes),
        allow_leaks=choice.allow_leaks,
        list_hash=_hash(f"{i.item_id}\t{list(i.captions)}" for i in everything),
        content_hash=_content(everything, semantics),
        num_items=len(described),
        num_references=sum(len(item.captions) for item in everything),
        num_skipped=len(captions.skipped) + len(skipped),
        tokenizer=scores.tokenizer,
        document_frequencies="the references of these items",
        left_out=dict(scores.left_out),
        decoding=to_dict(options),
        preprocessing={} if model.preprocessing is None else to_dict(model.preprocessing),
        model=model_path or model.config.kind,
        model_kind=model.config.kind,
        backbone=model.config.backbone,
        model_hash=weights_hash(model),
        vocabulary_hash=model.vocabulary.hash,
        engine=_engine(backbone, semantics),
        device=str(device),
        threads=torch.get_num_threads(),
        processor=str(describe_processor().get("processor", "")),
        seed=seed,
        interval_level=_LEVEL,
        interval_method=f"bootstrap over items, {_RESAMPLES} draws",
        versions=versions(),
        seconds=round(time.monotonic() - started, 3),
    )
    return CaptionResults(
        created=now(),
        metrics=scores.corpus,
        intervals=intervals_of(scores, seed=seed, level=_LEVEL, num_resamples=_RESAMPLES),
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
        skipped=(*captions.skipped, *skipped),
    )


def _content(items: Sequence[CaptionItem], semantics: SemanticSource | None) -> str:
    """Of the files looked at, or of what was believed."""
    if semantics is None:
        return _hash(f"{i.item_id}\t{content_hash(i.path)}" for i in items)
    return _hash(f"{key}\t{beliefs}" for key, beliefs in semantics.semantics.items())


def _engine(backbone: FastBackbone | None, semantics: SemanticSource | None) -> str:
    if semantics is not None:
        return semantics.description
    return "features from files" if backbone is None else backbone.description


def _hash(lines: Iterator[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:32]
