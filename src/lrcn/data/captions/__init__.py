"""Data sets of captions: from what lies on the disk to a `CaptionList`. One file per layout.

`read_captions` is the way in. A new layout is one file with a reader (`CaptionRequest` to
`CaptionListing`), one line in `CAPTION_LAYOUTS`, and a fake in `tests/fakes/captions_<name>.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from lrcn.data.captions.build import Missing, build, select_captions, with_caption_items
from lrcn.data.captions.coco import read_coco
from lrcn.data.captions.detect import detect_caption_layout, holds_captions
from lrcn.data.captions.entries import CaptionListing, CaptionRequest
from lrcn.data.captions.flickr import read_flickr
from lrcn.data.captions.imagefolder import read_imagefolder
from lrcn.data.captions.karpathy import read_karpathy
from lrcn.data.captions.msrvtt import read_msrvtt
from lrcn.data.captions.msvd import read_msvd
from lrcn.data.captions.tables import CAPTION_COLUMNS, read_tables
from lrcn.data.datasets.walk import exists
from lrcn.errors import ConfigError, DataError
from lrcn.settings import did_you_mean
from lrcn.structures import CaptionList, Media, Split

__all__ = [
    "CAPTION_LAYOUTS",
    "detect_caption_layout",
    "holds_captions",
    "read_captions",
    "select_captions",
    "with_caption_items",
]

CAPTION_LAYOUTS: dict[str, Callable[[CaptionRequest], CaptionListing]] = {
    "coco": read_coco,
    "karpathy": read_karpathy,
    "flickr": read_flickr,
    "csv": read_tables,
    "jsonl": read_tables,
    "imagefolder": read_imagefolder,
    "msvd": read_msvd,
    "msrvtt": read_msrvtt,
}
"""Name of a layout to its reader."""


def read_captions(
    data: str | os.PathLike[str],
    *,
    layout: str | None = None,
    images: str | os.PathLike[str] | None = None,
    split: Split | None = None,
    missing: Missing = "error",
    media: Media | None = None,
    columns: Mapping[str, str] | None = None,
    need_media: bool = True,
) -> CaptionList:
    """Read a list of photos or videos with the sentences about them. No photo is opened.

    Args:
        data: a list, or the folder of one.
        layout: a name of `CAPTION_LAYOUTS`; found out when None.
        images: where the photos or videos lie, when not where the layout has them.
        split: only the items of this part.
        missing: "error" refuses a list that names absent files; "skip" leaves them out, listed
            in `skipped`.
        media: what the files are, where their names do not tell.
        columns: role ("path", "caption", "split", "start", "end", "id") to the name of a column,
            where a list calls it otherwise than `tables.CAPTION_COLUMNS`.
        need_media: False for sentences alone (language model, scores): files may be absent.

    Raises:
        DataError: DATA is absent, not understood, empty, or contradicts itself.
        MissingFilesError: listed files are absent and `missing` is "error"; or all are.
        ConfigError: an unknown layout, column role, or value of `missing` or `media`.
    """
    request = CaptionRequest(
        data=Path(data),
        images=None if images is None else Path(images),
        columns=_checked_columns(columns),
    )
    for name, value, allowed in (
        ("missing", missing, ("error", "skip")),
        ("media", media, ("image", "video", None)),
    ):
        if value not in allowed:
            words = " or ".join(str(word) for word in allowed if word)
            raise ConfigError(f"{name} is {value!r}; it is {words}. Choose one of them.")
    for path in (request.data, request.images):
        if path is not None and not exists(path):
            raise DataError(
                f"{path} does not exist. DATA is a list of captions or the folder of one, and the "
                f"photos or videos lie where it says or below --images; check the path."
            )
    if layout is not None and layout not in CAPTION_LAYOUTS:
        raise ConfigError(
            f"layout {layout!r} is unknown for captions; it is one of "
            f"{', '.join(CAPTION_LAYOUTS)}.{did_you_mean(layout, list(CAPTION_LAYOUTS))} Choose "
            f"one of them, or leave it out."
        )
    name = layout or _detected(request)
    captions = build(
        CAPTION_LAYOUTS[name](request),
        request=request,
        layout=name,
        missing=missing,
        media=media,
        need_media=need_media,
    )
    return captions if split is None else select_captions(captions, split)


def _detected(request: CaptionRequest) -> str:
    """With columns named by hand, DATA is a table whatever its header says."""
    if request.columns and request.data.is_file():
        return "jsonl" if request.data.suffix.lower() in (".json", ".jsonl", ".ndjson") else "csv"
    return detect_caption_layout(request.data)


def _checked_columns(columns: Mapping[str, str] | None) -> dict[str, str]:
    for role in columns or {}:
        if role not in CAPTION_COLUMNS:
            raise ConfigError(
                f"{role!r} is no role of a column; the roles are {', '.join(CAPTION_COLUMNS)}."
                f"{did_you_mean(role, list(CAPTION_COLUMNS))} Name one of them."
            )
    return dict(columns or {})
