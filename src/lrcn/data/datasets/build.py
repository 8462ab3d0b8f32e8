"""From what a reader understood to a checked `VideoList`: missing files, doubles, ids, groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from lrcn.data.datasets.entries import Entry, Listing, Request, class_order, count
from lrcn.data.datasets.groups import GroupBy, find_groups
from lrcn.data.datasets.walk import Found, exists, strip_media_extension
from lrcn.errors import DataError, MissingFilesError
from lrcn.structures import SkippedFile, VideoItem, VideoList
from lrcn.video.features import is_feature_path

Missing = Literal["error", "skip"]


def build(
    listing: Listing,
    *,
    request: Request,
    layout: str,
    missing: Missing,
    group_by: GroupBy | None,
    group_pattern: str | None,
    min_classes: int,
) -> VideoList:
    """Check the entries and name, group and order them.

    Raises:
        MissingFilesError: files are absent and `missing` is "error".
        DataError: nothing left, too few classes, contradicting lines.
    """
    if not listing.entries:
        raise DataError(
            f"{request.data} holds no videos (read as {layout}). A data set has videos, folders "
            f"of frames or feature files; check the path, or name the layout."
        )
    present, absent = _without_absent(listing.entries, missing)
    if not present:
        raise DataError(
            f"none of the {len(absent):,} files of {request.data} exists, the first: "
            f"{absent[0].path}. Check the path, or say where the files lie (--videos-root)."
        )
    entries, doubles = _without_doubles(present)
    _refuse_two_labels(entries)
    _refuse_part_of_splits(entries)
    class_names, dropped = _classes(listing, entries)
    if len(class_names) < (1 if listing.multi_label else min_classes):
        raise DataError(
            f"{request.data} has {count(len(class_names), 'class')} with files "
            f"({', '.join(class_names)}); two or more are needed. Check that DATA is the folder "
            f"above the class folders, or the whole list."
        )
    groups, grouping = find_groups(listing, entries, group_by=group_by, group_pattern=group_pattern)
    ids = _video_ids(entries)
    items = tuple(
        _item(entry, video_id, group)
        for entry, video_id, group in zip(entries, ids, groups, strict=True)
    )
    return VideoList(
        items=items,
        class_names=class_names,
        layout=layout,
        source=str(request.data),
        multi_label=listing.multi_label,
        skipped=(*listing.skipped, *absent),
        official_split=listing.official_split,
        grouping=grouping,
        notes=(
            *listing.notes,
            *_notes(absent, doubles, dropped, _ungrouped(groups, grouping)),
            *_note_on_others(listing, missing),
        ),
    )


def _item(entry: Entry, video_id: str, group: str | None) -> VideoItem:
    return VideoItem(
        path=str(entry.path),
        video_id=video_id,
        class_names=entry.class_names,
        group=group,
        split=entry.split,
        start_seconds=entry.start_seconds,
        end_seconds=entry.end_seconds,
    )


def _without_absent(
    entries: Sequence[Entry], missing: Missing
) -> tuple[list[Entry], tuple[SkippedFile, ...]]:
    there = {path: exists(path) for path in {entry.path for entry in entries}}
    present = [entry for entry in entries if there[entry.path]]
    absent = [entry for entry in entries if not there[entry.path]]
    if absent and missing == "error":
        first = absent[0]
        where = f" ({first.where})" if first.where else ""
        raise MissingFilesError(
            f"{len(absent):,} of {count(len(entries), 'listed file')} are absent, the first: "
            f"{first.path}{where}. Every listed file must exist unless skipping is allowed; "
            f"restore them, say where they lie (--videos-root), or leave them out (--missing skip)."
        )
    return present, tuple(SkippedFile(path=str(e.path), reason="file not found") for e in absent)


def _without_doubles(entries: Sequence[Entry]) -> tuple[list[Entry], int]:
    """Lines that say the same twice, once."""
    seen: dict[object, Entry] = {}
    for entry in entries:
        seen.setdefault((*_place(entry), entry.class_names, entry.split, entry.group), entry)
    return list(seen.values()), len(entries) - len(seen)


def _place(entry: Entry) -> tuple[object, ...]:
    return *_file(entry), entry.start_seconds, entry.end_seconds


def _file(entry: Entry) -> tuple[object, ...]:
    """What is one video: a file, or one array in a feature file."""
    return entry.path, entry.video_id if is_feature_path(entry.path) else None


def _refuse_two_labels(entries: Sequence[Entry]) -> None:
    first: dict[tuple[object, ...], Entry] = {}
    for entry in entries:
        other = first.setdefault(_place(entry), entry)
        if other.class_names != entry.class_names:
            raise DataError(
                f"{entry.name} is labelled {';'.join(other.class_names)!r} "
                f"({other.where or 'first'}) and {';'.join(entry.class_names)!r} "
                f"({entry.where or 'again'}). A video, or an interval of one, has one line; "
                f"several labels stand in it separated by ';'. Mend the list."
            )


def _refuse_part_of_splits(entries: Sequence[Entry]) -> None:
    without = [entry for entry in entries if entry.split is None]
    if without and len(without) < len(entries):
        raise DataError(
            f"{count(len(without), 'line')} of {len(entries):,} without a split, the first: "
            f"{without[0].where or without[0].name}. Either every line says train, val or test, "
            f"or none does. Fill the cells, or leave the column out."
        )


def _classes(listing: Listing, entries: Sequence[Entry]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes with files, in order; and the published ones that have none."""
    used = {name for entry in entries for name in entry.class_names}
    if listing.class_names is None:
        return class_order(used), ()
    kept = tuple(name for name in listing.class_names if name in used)
    return kept, tuple(name for name in listing.class_names if name not in used)


def _video_ids(entries: Sequence[Entry]) -> list[str]:
    """The first of these that no two files share: as listed, name without extension, name, path."""
    forms: list[Callable[[Entry], str]] = [
        lambda e: e.video_id or _plain(strip_media_extension(e.name)),
        lambda e: _plain(strip_media_extension(e.name)),
        lambda e: _plain(e.name),
        lambda e: str(e.path),
        lambda e: f"{e.path}#{e.video_id}",
    ]
    ids = [forms[0](entry) for entry in entries]
    for form in forms[1:]:
        files_of: dict[str, set[object]] = defaultdict(set)
        for name, entry in zip(ids, entries, strict=True):
            files_of[name].add(_file(entry))
        ids = [
            form(entry) if len(files_of[name]) > 1 else name
            for name, entry in zip(ids, entries, strict=True)
        ]
    return ids


def _plain(name: str) -> str:
    """Without "./", "../" and a leading "/": the part that stays the same when data move."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return "/".join(parts)


def _ungrouped(groups: Sequence[str | None], grouping: str | None) -> int:
    return 0 if grouping is None else sum(group is None for group in groups)


def _notes(
    absent: Sequence[SkippedFile], doubles: int, dropped: Sequence[str], ungrouped: int
) -> list[str]:
    notes = []
    if absent:
        notes.append(f"{count(len(absent), 'listed file')} not found and left out")
    if doubles:
        notes.append(f"{count(doubles, 'line')} said the same as another and counted once")
    if ungrouped:
        notes.append(f"{count(ungrouped, 'item')} without a group, each a source of its own")
    if dropped:
        some = ", ".join(dropped[:5]) + (", ..." if len(dropped) > 5 else "")
        notes.append(f"{count(len(dropped), 'published class')} without any file dropped: {some}")
    return notes


def _note_on_others(listing: Listing, missing: Missing) -> list[str]:
    """What is no media; by name, unless it lies beside a video of its name."""
    if not listing.others:
        return []
    found = Found(videos=[e.path for e in listing.entries], others=list(listing.others))
    counted = ", ".join(f"{number} {kind}" for kind, number in found.kinds().most_common(4))
    names = [str(path) for path in found.strangers()]
    if missing == "error" and len(names) > 3:  # who lets files be left out is told of each
        names = [*names[:3], "..."]
    named = f": {', '.join(names)}" if names else ""
    number = count(len(listing.others), "item")
    return [f"{number} of other kinds left alone ({counted}){named}"]


def with_items(
    video_list: VideoList,
    items: Sequence[VideoItem],
    *,
    skipped: Sequence[SkippedFile] = (),
    notes: Sequence[str] = (),
) -> VideoList:
    """The same data set with fewer items; classes stay, so that labels keep their meaning."""
    return replace(
        video_list,
        items=tuple(items),
        skipped=(*video_list.skipped, *skipped),
        notes=(*video_list.notes, *notes),
    )
