"""What every evaluation of a captioner shares: what it sees of the items, and the record.

A captioner is measured by the sentences that it writes (`evaluate.captions`) or by how well it
tells which sentence belongs to which photo (`evaluate.retrieval`).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from lrcn.checkpoint import SavedCaptioner, weights_hash
from lrcn.data.cache import FeatureCache
from lrcn.data.content import content_hash
from lrcn.data.semantics import SemanticSource
from lrcn.data.visual_features import visual_features
from lrcn.engine import FastBackbone, Precision, choose_precision, describe_processor, fast_backbone
from lrcn.errors import MissingFilesError
from lrcn.evaluate.protocol import DataChoice
from lrcn.evaluate.record import versions
from lrcn.settings import to_dict
from lrcn.structures import CaptionItem, CaptionList, SkippedFile, VideoFeatures

Watch = Callable[[int, int, str], None]
_AT_ONCE = 64
"""Items given together; nothing depends on it."""
LEVEL = 0.95
RESAMPLES = 1000


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
    """How sentences were searched for; empty where none were."""
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
    retrieval: Mapping[str, Any] | None = None
    """Of a retrieval: `num_images`, `normalised`, `count_eos`, and of how many items they were
    drawn (`drawn_from`, None = all of them)."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Items that could be read, with what the model sees of them."""

    items: list[CaptionItem]
    features_BTD: Tensor
    valid_mask_BT: Tensor


class Viewer:
    """What a captioner sees of items, a batch at a time; it counts what it must leave out.

    Args:
        saved: The captioner; moved to the device and put into evaluation mode.
        precision: Of the backbone.
        device: To compute on; the processor when None.
        cache: Of features, used and filled.
        decode_threads: Files read at the same time.
        missing: What to do about files that cannot be read.
        semantics: Predictions of the items, for a model that takes those.
    """

    def __init__(
        self,
        saved: SavedCaptioner,
        *,
        precision: Precision = "auto",
        device: torch.device | None = None,
        cache: FeatureCache | None = None,
        decode_threads: int = 1,
        missing: Literal["error", "skip"] = "error",
        semantics: SemanticSource | None = None,
    ) -> None:
        self.started = time.monotonic()
        self.saved = saved
        self.device = device or torch.device("cpu")
        self.model = saved.model.to(self.device).eval()
        self.skipped: list[SkippedFile] = []
        self._cache = cache
        self._decode_threads = decode_threads
        self._missing = missing
        self._semantics = semantics
        self._backbone: FastBackbone | None = None
        if self.model.backbone is not None:
            chosen = choose_precision(precision, self.device)
            self._backbone = fast_backbone(
                self.model.backbone, device=self.device, precision=chosen
            )

    def look(self, captions: CaptionList, watch: Watch | None = None) -> Iterator[Seen]:
        """All items that can be read, with their features, padded to equal length.

        Args:
            captions: The items.
            watch: Called after each item.

        Raises:
            MissingFilesError: files cannot be read and that is an error, or none can.
        """
        waiting: list[tuple[CaptionItem, Tensor]] = []
        found_any = False
        items = captions.items
        for number, (item, found) in enumerate(
            zip(items, self._features(captions), strict=True), 1
        ):
            if watch is not None:
                watch(number, len(items), item.item_id)
            if isinstance(found, SkippedFile):
                self._leave_out(found, len(items))
                continue
            found_any = True
            waiting.append((item, found.features_VTD[0]))
            if len(waiting) == _AT_ONCE:
                yield self._padded(waiting)
                waiting = []
        if waiting:
            yield self._padded(waiting)
        if not found_any:
            first = self.skipped[0]
            raise MissingFilesError(
                f"none of the {len(items)} items can be read, first {first.path}:"
                f" {first.reason}. At least one is needed; check the list"
            )

    def _features(self, captions: CaptionList) -> Iterator[VideoFeatures | SkippedFile]:
        if self._semantics is not None:
            return self._semantics.extract(captions.items)
        return visual_features(
            captions.items,
            self._backbone,
            self.model.preprocessing,
            media=captions.media,
            sampling=self.saved.sampling,
            feature_dim=self.model.feature_dim,
            cache=self._cache,
            decode_threads=self._decode_threads,
        )

    def _leave_out(self, file: SkippedFile, num_items: int) -> None:
        self.skipped.append(file)
        if self._missing == "error":
            raise MissingFilesError(
                f"{file.path}, one of {num_items} items, cannot be read: {file.reason}."
                " Repair or remove it, or leave such files out with --missing skip"
            )

    def _padded(self, waiting: Sequence[tuple[CaptionItem, Tensor]]) -> Seen:
        longest = max(len(features_TD) for _, features_TD in waiting)
        features_BTD = torch.zeros(len(waiting), longest, waiting[0][1].shape[1])
        valid_mask_BT = torch.zeros(len(waiting), longest, dtype=torch.bool)
        for row, (_, features_TD) in enumerate(waiting):
            features_BTD[row, : len(features_TD)] = features_TD
            valid_mask_BT[row, : len(features_TD)] = True
        return Seen(
            items=[item for item, _ in waiting],
            features_BTD=features_BTD.to(self.device),
            valid_mask_BT=valid_mask_BT.to(self.device),
        )

    def record(
        self,
        captions: CaptionList,
        items: Sequence[CaptionItem],
        choice: DataChoice,
        *,
        seed: int,
        model_path: str,
        **about: Any,
    ) -> CaptionProtocol:
        """Everything that the scores depend on.

        Args:
            captions: The list that was measured on.
            items: Those of it that could be read.
            choice: Which part of the data the list is.
            seed: Of what was drawn.
            model_path: Where the model came from; its kind stands for an empty one.
            **about: The further fields of `CaptionProtocol`: `tokenizer`, `left_out`, ...
        """
        model = self.model
        return CaptionProtocol(
            data=captions.source,
            layout=captions.layout,
            media=captions.media,
            split=choice.split,
            split_how=choice.how,
            warnings=(*choice.warnings, *captions.notes),
            allow_leaks=choice.allow_leaks,
            list_hash=_hash(f"{i.item_id}\t{list(i.captions)}" for i in items),
            content_hash=self._content(items),
            num_items=len(items),
            num_references=sum(len(item.captions) for item in items),
            num_skipped=len(captions.skipped) + len(self.skipped),
            preprocessing={} if model.preprocessing is None else to_dict(model.preprocessing),
            model=model_path or model.config.kind,
            model_kind=model.config.kind,
            backbone=model.config.backbone,
            model_hash=weights_hash(model),
            vocabulary_hash=model.vocabulary.hash,
            engine=self._engine(),
            device=str(self.device),
            threads=torch.get_num_threads(),
            processor=str(describe_processor().get("processor", "")),
            seed=seed,
            interval_level=LEVEL,
            versions=versions(),
            seconds=round(time.monotonic() - self.started, 3),
            **about,
        )

    def _content(self, items: Sequence[CaptionItem]) -> str:
        """Of the files looked at, or of what was believed."""
        if self._semantics is None:
            return _hash(f"{i.item_id}\t{content_hash(i.path)}" for i in items)
        return _hash(f"{key}\t{beliefs}" for key, beliefs in self._semantics.semantics.items())

    def _engine(self) -> str:
        if self._semantics is not None:
            return self._semantics.description
        return "features from files" if self._backbone is None else self._backbone.description


def _hash(lines: Iterator[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:32]
