"""From what a reader understood to a checked `CaptionList`: ids, files, captions, parts."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lrcn.data.captions.entries import CaptionEntry, CaptionListing, CaptionRequest
from lrcn.data.captions.find import NOT_FOUND, MediaFinder, resolve
from lrcn.data.datasets.entries import count
from lrcn.data.datasets.walk import has_media_name
from lrcn.data.images import is_photo_path
from lrcn.errors import DataError, MissingFilesError
from lrcn.structures import CaptionItem, CaptionList, Media, SkippedFile, Split
from lrcn.video.features import is_feature_path

Missing = Literal["error", "skip"]

_REPLACEMENT = "\ufffd"
_NO_TEXT = re.compile("[\ud800-\udfff]")
"""Halves of a character, as a JSON file can spell them: they cannot be written again."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_ANIMATIONS = (".gif", ".apng", ".webp")


@dataclass
class _Cleaned:
    """What was found while captions were read."""

    num_empty: int = 0
    num_broken: int = 0
    num_replaced: int = 0


def build(
    listing: CaptionListing,
    *,
    request: CaptionRequest,
    layout: str,
    missing: Missing,
    media: Media | None,
    need_media: bool,
) -> CaptionList:
    """Join lines of one id, clean captions, find files.

    Raises:
        DataError: nothing there, an id for two files, no caption, photos and videos mixed.
        MissingFilesError: files are absent and `missing` is "error"; or all are.
    """
    if not listing.entries:
        raise DataError(
            f"{request.data} lists no photo and no video (read as {layout}). Check the path, or "
            f"name the layout (--layout)."
        )
    cleaned = _Cleaned()
    groups = _by_id(listing.entries)
    _refuse_part_of_splits(request, listing.entries)
    kind = media or listing.media or _media_of(request, [entries[0] for _, entries in groups])
    finder = MediaFinder(request.images)
    items: list[CaptionItem] = []
    without: list[SkippedFile] = []
    absent: list[tuple[SkippedFile, CaptionEntry]] = []
    for item_id, entries in groups:
        item, found = _item(item_id, entries, request, finder if need_media else None, cleaned)
        if not item.captions:
            without.append(SkippedFile(path=item.path, reason="has no caption"))
        elif not found:
            names = (entries[0].name, *entries[0].names)
            gone = SkippedFile(path=item.path, reason=finder.why_not(names))
            absent.append((gone, entries[0]))
        else:
            items.append(item)
    _refuse_no_captions(request, without, items, absent)
    _refuse_absent(request, absent, items, missing)
    return CaptionList(
        items=tuple(items),
        layout=layout,
        source=str(request.data),
        media=kind,
        skipped=(*listing.skipped, *without, *(gone for gone, _ in absent)),
        official_split=listing.official_split,
        notes=(*listing.notes, *_notes(cleaned, kind, without, absent, items)),
    )


def _by_id(entries: Sequence[CaptionEntry]) -> list[tuple[str, list[CaptionEntry]]]:
    """Entries of one photo, video or interval together, in the order of the first.

    Raises:
        DataError: an id stands for two files, or in two parts.
    """
    several = Counter(
        key for key, _ in {(_own_id(e), (e.start_seconds, e.end_seconds)) for e in entries}
    )
    groups: dict[str, list[CaptionEntry]] = {}
    for entry in entries:
        own = _own_id(entry)
        interval = entry.start_seconds is not None or entry.end_seconds is not None
        if interval and several[own] > 1:
            end = "" if entry.end_seconds is None else f"{entry.end_seconds:g}"
            own = f"{own}#{entry.start_seconds or 0:g}-{end}"
        groups.setdefault(own, []).append(entry)
    for item_id, same in groups.items():
        first = same[0]
        for other in same[1:]:
            if other.name != first.name:
                raise DataError(
                    f"the id {item_id} stands for {first.name} ({first.where}) and for "
                    f"{other.name} ({other.where}); an id belongs to one photo or video. Mend the "
                    f"list."
                )
            if other.split != first.split:
                raise DataError(
                    f"{first.name} stands in the part {first.split} ({first.where}) and in "
                    f"{other.split} ({other.where}); all captions of a photo or video belong to "
                    f"one part. Mend the list."
                )
    return list(groups.items())


def _own_id(entry: CaptionEntry) -> str:
    return entry.item_id or plain_name(entry.name)


def plain_name(name: str) -> str:
    """Without "./", "../" and a leading "/": what stays the same when data move."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _refuse_part_of_splits(request: CaptionRequest, entries: Sequence[CaptionEntry]) -> None:
    without = [entry for entry in entries if entry.split is None]
    if without and len(without) < len(entries):
        raise DataError(
            f"{count(len(without), 'line')} of {len(entries):,} of {request.data.name} without a "
            f"split, the first: {without[0].where or without[0].name}. Either every line says "
            f"train, val or test, or none does. Fill the cells, or leave the column out."
        )


def _media_of(request: CaptionRequest, entries: Sequence[CaptionEntry]) -> Media:
    """Photos or videos, by the endings of the names and by intervals."""
    if any(e.start_seconds is not None or e.end_seconds is not None for e in entries):
        return "video"
    names = [entry.name for entry in entries if Path(entry.name).suffix]
    moving = [name for name in names if not name.lower().endswith(_ANIMATIONS)]
    photos = [name for name in moving if is_photo_path(name)]
    videos = [n for n in moving if has_media_name(n) and not is_photo_path(n)]
    if photos and videos:
        raise DataError(
            f"{request.data} lists photos ({photos[0]}) and videos ({videos[0]}); a model "
            f"describes one kind. Divide the list, or say what all of them are (--media image)."
        )
    if photos or (names and not videos and all(is_photo_path(name) for name in names)):
        return "image"
    return "video" if videos or not names else "image"


def _item(
    item_id: str,
    entries: Sequence[CaptionEntry],
    request: CaptionRequest,
    finder: MediaFinder | None,
    cleaned: _Cleaned,
) -> tuple[CaptionItem, bool]:
    """The item, and whether its file was found (or need not be)."""
    first = entries[0]
    names = (first.name, *first.names)
    path = None if finder is None else finder.find(names, first.roots)
    expected = resolve(names, request.images, first.roots)
    texts = (text for entry in entries for text in entry.captions)
    item = CaptionItem(
        path=str(path or expected),
        item_id=item_id,
        captions=tuple(_clean(texts, cleaned)),
        split=first.split,
        start_seconds=first.start_seconds,
        end_seconds=first.end_seconds,
    )
    return item, finder is None or path is not None


def _clean(texts: Iterable[str], cleaned: _Cleaned) -> Iterable[str]:
    """Captions with something to say, as text that can be written again."""
    for text in texts:
        if _NO_TEXT.search(text):
            cleaned.num_broken += 1
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        elif _REPLACEMENT in text:
            cleaned.num_replaced += 1
        text = _CONTROLS.sub(" ", text).strip()
        if says_something(text):
            yield text
        else:
            cleaned.num_empty += 1


def says_something(text: str) -> bool:
    """Whether there is anything but blanks and punctuation.

    >>> says_something("Hund"), says_something(" ... ")
    (True, False)
    """
    return any(map(str.isalnum, text)) or any(unicodedata.category(c)[0] in "SM" for c in text)


def _refuse_no_captions(
    request: CaptionRequest,
    without: Sequence[SkippedFile],
    items: Sequence[CaptionItem],
    absent: Sequence[object],
) -> None:
    if without and not items and not absent:
        raise DataError(
            f"{request.data} has no caption for any of its {count(len(without), 'item')}, the "
            f"first: {without[0].path}. Data for captions have at least one sentence; give the "
            f"file with them, or describe the files with lrcn caption."
        )


def _refuse_absent(
    request: CaptionRequest,
    absent: Sequence[tuple[SkippedFile, CaptionEntry]],
    items: Sequence[CaptionItem],
    missing: Missing,
) -> None:
    if not absent or (items and missing == "skip"):
        return
    gone, first = absent[0]
    where = f" ({first.where})" if first.where else ""
    if gone.reason != NOT_FOUND:
        where += f": {gone.reason}"
    number = len(absent) + len(items)
    if not items:
        raise MissingFilesError(
            f"none of the {count(number, 'file')} that {request.data} lists was found, the first: "
            f"{gone.path}{where}. Check the path, or say in which folder they lie (--images)."
        )
    raise MissingFilesError(
        f"{len(absent):,} of {count(number, 'listed file')} are absent, the first: {gone.path}"
        f"{where}. Every listed file must exist unless skipping is allowed; restore them, say "
        f"where they lie (--images), or leave them out (--missing skip)."
    )


def _notes(
    cleaned: _Cleaned,
    media: Media,
    without: Sequence[SkippedFile],
    absent: Sequence[object],
    items: Sequence[CaptionItem],
) -> list[str]:
    notes = []
    if absent:
        notes.append(f"{count(len(absent), 'listed file')} not found and left out")
    if cleaned.num_empty:
        notes.append(f"{count(cleaned.num_empty, 'empty caption')} left out")
    if cleaned.num_broken:
        notes.append(
            f"{count(cleaned.num_broken, 'caption')} with characters that are no text; a "
            f"{_REPLACEMENT} stands for each"
        )
    if cleaned.num_replaced:
        notes.append(
            f"{count(cleaned.num_replaced, 'caption')} with {_REPLACEMENT}: characters were lost "
            f"before the file was written"
        )
    if without:
        notes.append(f"{count(len(without), media)} without a caption left out")
    whole = Counter(i.path for i in items if not _is_part(i) and not is_feature_path(i.path))
    double = [path for path, number in whole.items() if number > 1]
    if double:
        notes.append(
            f"{count(len(double), 'file')} listed under several ids, the first: {double[0]}"
        )
    return notes


def _is_part(item: CaptionItem) -> bool:
    return item.start_seconds is not None or item.end_seconds is not None


def with_caption_items(
    captions: CaptionList,
    items: Sequence[CaptionItem],
    *,
    skipped: Sequence[SkippedFile] = (),
    notes: Sequence[str] = (),
) -> CaptionList:
    """The same data set with other items."""
    return replace(
        captions,
        items=tuple(items),
        skipped=(*captions.skipped, *skipped),
        notes=(*captions.notes, *notes),
    )


def select_captions(captions: CaptionList, split: Split) -> CaptionList:
    """The items of one part.

    Raises:
        DataError: there are none.
    """
    items = [item for item in captions.items if item.split == split]
    if not items:
        there = sorted({str(item.split) for item in captions.items if item.split})
        raise DataError(
            f"{captions.source} has no {split} part; it has "
            f"{', '.join(there) or 'no split at all'}. Choose another part, or use all of it."
        )
    return with_caption_items(captions, items)
