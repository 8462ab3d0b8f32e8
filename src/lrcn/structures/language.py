"""Captions: what is read, what is learnt from, what is generated.

An image is a video of one frame, so that one set of types serves photos, videos and semantic
predictions. Shape letters as in `lrcn.structures.video`, and **L** caption length (the end counts),
**G** captions of one item.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from lrcn.structures.video import SkippedFile, Split, check

if TYPE_CHECKING:
    from torch import Tensor

Media = Literal["image", "video"]
"""What the captions describe."""


@dataclass(frozen=True, kw_only=True)
class CaptionItem:
    """One photo, video or interval of a video with the sentences that people wrote about it."""

    path: str
    """Where the photo, video, folder of frames or feature file lies."""
    item_id: str
    """Stable id, unique in a list: the data set's own, or the path below the data set."""
    captions: tuple[str, ...]
    """As written; empty where there is no truth."""
    split: Split | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class CaptionList:
    """A data set of captions as read: its items, and what was left out."""

    items: tuple[CaptionItem, ...]
    layout: str
    """Name of the reader that understood it: "coco", "karpathy", "flickr", "csv", ..."""
    source: str
    """The DATA argument as given."""
    media: Media = "image"
    skipped: tuple[SkippedFile, ...] = ()
    official_split: bool = False
    """Whether the items' `split` comes from the data set's published lists."""
    notes: tuple[str, ...] = ()
    """What a reader of the results should know: empty captions, duplicates, ..."""

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        left_out = f", {len(self.skipped)} left out" if self.skipped else ""
        captions = sum(len(item.captions) for item in self.items)
        return (
            f"CaptionList({len(self.items)} {self.media}s with {captions} captions from"
            f" {self.source!r}, layout {self.layout}{left_out})"
        )


@dataclass(frozen=True, kw_only=True)
class CaptionBatch:
    """Captions to learn from, each row beside what it describes.

    A photo has T = 1; so has a vector of semantic predictions.
    """

    frames_BTCHW: Tensor | None
    """uint8 or float, 0...255, at the backbone's input size; None when features are given."""
    features_BTD: Tensor | None
    valid_mask_BT: Tensor
    """bool, True where a frame is real."""
    inputs_BL: Tensor
    """int64: `<bos>` and the words; `<pad>` after the end."""
    targets_BL: Tensor
    """int64: the words and `<eos>`; `IGNORE_INDEX` after the end."""
    item_ids: tuple[str, ...]

    def __post_init__(self) -> None:
        check(
            (self.frames_BTCHW is None) != (self.features_BTD is None),
            "a batch holds frames or features, one of the two",
        )
        check(
            self.inputs_BL.shape == self.targets_BL.shape,
            f"targets_BL must have shape {tuple(self.inputs_BL.shape)},"
            f" not {tuple(self.targets_BL.shape)}",
        )
        visual = self.frames_BTCHW if self.frames_BTCHW is not None else self.features_BTD
        assert visual is not None
        check(
            tuple(visual.shape[:2]) == tuple(self.valid_mask_BT.shape)
            and len(visual) == len(self.inputs_BL) == len(self.item_ids),
            f"rows do not match: {len(visual)} of frames or features,"
            f" {len(self.inputs_BL)} captions, {len(self.item_ids)} ids",
        )

    def __len__(self) -> int:
        return int(self.inputs_BL.shape[0])

    def to(self, device: Any, *, non_blocking: bool = False) -> CaptionBatch:
        """The same batch on another device."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=non_blocking)

        return CaptionBatch(
            frames_BTCHW=None if self.frames_BTCHW is None else move(self.frames_BTCHW),
            features_BTD=None if self.features_BTD is None else move(self.features_BTD),
            valid_mask_BT=move(self.valid_mask_BT),
            inputs_BL=move(self.inputs_BL),
            targets_BL=move(self.targets_BL),
            item_ids=self.item_ids,
        )


@dataclass(frozen=True, kw_only=True)
class Caption:
    """One finished sentence of a model."""

    text: str
    token_ids: tuple[int, ...]
    """Without `<bos>`; with `<eos>` where the sentence ended by itself."""
    log_prob: float
    """Sum of the tokens' log-probabilities at temperature 1, `<eos>` included."""
    score: float
    """What candidates are ranked by: `log_prob` after the length penalty."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a model says of one photo or video, or why it could not (`error`)."""

    path: str
    item_id: str
    captions: tuple[Caption, ...] = ()
    """Best first; as many as were asked for."""
    features_TD: Tensor | None = field(default=None, repr=False)
    error: str | None = None

    @property
    def text(self) -> str | None:
        """The best sentence; None on error."""
        return self.captions[0].text if self.captions else None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of `lrcn caption --json`."""
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        first = self.captions[0]
        return {
            "path": self.path,
            "item_id": self.item_id,
            "caption": first.text,
            "log_prob": first.log_prob,
            "score": first.score,
            "captions": [
                {"caption": c.text, "log_prob": c.log_prob, "score": c.score} for c in self.captions
            ],
        }
