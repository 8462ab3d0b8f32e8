"""What passes between a layout's reader and the builder of a list of captions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lrcn.structures import Media, SkippedFile, Split


@dataclass(frozen=True, kw_only=True)
class CaptionRequest:
    """What a layout's reader is asked for."""

    data: Path
    images: Path | None = None
    """Where the photos or videos lie, when not where the layout has them."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Role (of `tables.CAPTION_COLUMNS`) to column name."""


@dataclass(frozen=True, kw_only=True)
class CaptionEntry:
    """One photo, video or interval as the data set lists it, with some or all of its captions.

    Entries of one id become one item, so that a line for each caption is as good as a list.
    """

    name: str
    """The path as the data set writes it, "/" between its parts."""
    captions: tuple[str, ...]
    item_id: str | None = None
    """As published; None for the name."""
    names: tuple[str, ...] = ()
    """Further names under which the file may lie."""
    roots: tuple[Path, ...] = ()
    """Folders below which it lies, when nothing else was said; the first that has it."""
    split: Split | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    where: str = ""
    """For messages: "captions.csv, line 3"."""


@dataclass(frozen=True, kw_only=True)
class CaptionListing:
    """A data set as its layout's reader understood it, before any check."""

    entries: tuple[CaptionEntry, ...]
    media: Media | None = None
    """None where the names must tell."""
    official_split: bool = False
    skipped: tuple[SkippedFile, ...] = ()
    notes: tuple[str, ...] = ()


def join(listings: list[CaptionListing], *, official_split: bool = False) -> CaptionListing:
    """Several files of one data set (captions_train.json and captions_val.json) as one."""
    return CaptionListing(
        entries=tuple(entry for part in listings for entry in part.entries),
        media=next((part.media for part in listings if part.media), None),
        official_split=official_split or any(part.official_split for part in listings),
        skipped=tuple(s for part in listings for s in part.skipped),
        notes=tuple(dict.fromkeys(n for part in listings for n in part.notes)),
    )
