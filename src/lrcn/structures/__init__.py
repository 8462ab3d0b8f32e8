"""What crosses a floor: small frozen dataclasses, checked when they are made."""

from lrcn.structures.language import (
    Caption,
    CaptionBatch,
    CaptionItem,
    CaptionList,
    Description,
    Media,
)
from lrcn.structures.quirks import Quirk, quirks_of
from lrcn.structures.video import (
    IGNORE_INDEX,
    Clip,
    ClipBatch,
    Example,
    FlowConfig,
    Modality,
    Prediction,
    Preprocessing,
    Segment,
    SkippedFile,
    Split,
    VideoFeatures,
    VideoInfo,
    VideoItem,
    VideoList,
)

__all__ = [
    "IGNORE_INDEX",
    "Caption",
    "CaptionBatch",
    "CaptionItem",
    "CaptionList",
    "Clip",
    "ClipBatch",
    "Description",
    "Example",
    "FlowConfig",
    "Media",
    "Modality",
    "Prediction",
    "Preprocessing",
    "Quirk",
    "Segment",
    "SkippedFile",
    "Split",
    "VideoFeatures",
    "VideoInfo",
    "VideoItem",
    "VideoList",
    "quirks_of",
]
