"""What is in a data set of captions and what is wrong with it: every photo is decoded once."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from lrcn.data.caption_split import as_video, refuse_caption_leaks
from lrcn.data.captions.build import with_caption_items
from lrcn.data.datasets.entries import count
from lrcn.data.images import read_image
from lrcn.data.leaks import Leak
from lrcn.data.scan import FileReport, scan_file
from lrcn.data.suspects import begins_after_end
from lrcn.data.twins import find_twins
from lrcn.errors import DataError, MediaError
from lrcn.structures import CaptionItem, CaptionList, Media, SkippedFile, Split
from lrcn.text.tokenize import get_tokenizer
from lrcn.video.features import is_feature_path, read_features

_SHOWN = 10
"""Lines per list; the JSON form has all."""
_TOO_LATE = "its interval begins after the end"


@dataclass(frozen=True, kw_only=True)
class CaptionInspection:
    """What was found. `str(inspection)` is a readable text, `to_dict()` the JSON form."""

    captions: CaptionList
    unreadable: tuple[SkippedFile, ...]
    """Files that are there and cannot be decoded."""
    duplicates: tuple[tuple[CaptionItem, ...], ...]
    """Items whose files have equal content under several names."""
    leaks: tuple[tuple[str, str, Leak], ...]
    """(part, other part, leak) where the data set has parts of its own."""
    too_late: tuple[CaptionItem, ...] = ()
    """Intervals that begin after the end of their video."""
    sizes: Counter[str] = field(repr=False)
    """"640x480" to how many photos or videos."""

    @property
    def num_problems(self) -> int:
        """All that is wrong, together: files, captions, intervals, duplicates and leaks."""
        return (
            len(self.captions.skipped)
            + len(self.unreadable)
            + len(self.too_late)
            + sum(len(same) - 1 for same in self.duplicates)
            + len(self.leaks)
        )

    def left_out(self) -> dict[str, str]:
        """Ids of the items that a clean list does without, and why: unreadable, or a leak."""
        reasons = {file.path: file.reason for file in self.unreadable}
        out = {i.item_id: reasons[i.path] for i in self.captions.items if i.path in reasons}
        out |= dict.fromkeys((item.item_id for item in self.too_late), _TOO_LATE)
        for part, _, leak in self.leaks:
            for item in self.captions.items:
                if item.split == part and item.item_id in leak.train_ids:
                    out.setdefault(item.item_id, f"leaks: {leak}")
        return out

    def clean_list(self, path: Path) -> int:
        """Write the good items as JSON lines that are a data set of their own.

        Returns:
            How many items were written.

        Raises:
            DataError: nothing is left.
            OSError: the file cannot be written.
        """
        out = self.left_out()
        good = [item for item in self.captions.items if item.item_id not in out]
        if not good:
            raise DataError(
                f"none of the {len(out)} items of {self.captions.source} is usable, the first: "
                f"{next(iter(out.values()))}. A clean list needs at least one; replace the files."
            )
        write_caption_list(good, path)
        return len(good)

    def words(self) -> Counter[str]:
        """How often every word occurs in the captions."""
        split = get_tokenizer("words").split
        return Counter(w for item in self.captions.items for c in item.captions for w in split(c))

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of `lrcn data check --json`."""
        found, lengths, words = self.captions, _lengths(self.captions), self.words()
        return {
            "data": found.source,
            "task": "caption",
            "layout": found.layout,
            "media": found.media,
            "num_items": len(found),
            "num_captions": sum(len(item.captions) for item in found.items),
            "num_problems": self.num_problems,
            "splits": dict(Counter(item.split for item in found.items if item.split)),
            "captions_per_item": dict(
                sorted(Counter(len(i.captions) for i in found.items).items())
            ),
            "num_words": {"least": min(lengths), "median": median(lengths), "most": max(lengths)},
            "num_different_words": len(words),
            "num_different_captions": len({c for item in found.items for c in item.captions}),
            "sizes": dict(self.sizes.most_common()),
            "missing": [asdict(skipped) for skipped in found.skipped],
            "unreadable": [asdict(file) for file in self.unreadable],
            "begins_after_end": [item.item_id for item in self.too_late],
            "duplicates": [[item.path for item in same] for same in self.duplicates],
            "leaks": [
                {"parts": [first, second], **asdict(leak)} for first, second, leak in self.leaks
            ],
            "left_out": [{"item_id": key, "reason": why} for key, why in self.left_out().items()],
            "notes": list(found.notes),
        }

    def __str__(self) -> str:
        return "\n".join([*_overview(self), *_problems(self), _verdict(self)])


def inspect_captions(
    captions: CaptionList,
    *,
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> CaptionInspection:
    """Decode every photo, and every video from end to end.

    Args:
        captions: as read, with `missing` "skip", so that absent files are listed.
        threads: files read at a time; 0 for the number of processors.
        progress: called with (files done, files in all).
    """
    firsts = {item.path: item for item in reversed(captions.items)}
    items = [firsts[path] for path in dict.fromkeys(item.path for item in captions.items)]
    unreadable: list[SkippedFile] = []
    sizes: Counter[str] = Counter()
    reports: dict[str, FileReport] = {}
    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        probes = pool.map(lambda item: _probe(item, captions.media), items)
        for done, (item, probe) in enumerate(zip(items, probes, strict=True), 1):
            if probe.fault is not None:
                unreadable.append(SkippedFile(path=item.path, reason=probe.fault))
            else:
                sizes[probe.size] += 1
            if probe.report is not None:
                reports[item.path] = probe.report
            if progress is not None:
                progress(done, len(items))
    twins = find_twins([as_video(item) for item in captions.items])
    return CaptionInspection(
        captions=captions,
        unreadable=tuple(unreadable),
        duplicates=tuple(tuple(captions.items[i] for i in places) for places in twins),
        leaks=refuse_caption_leaks(_parts(captions), allow_leaks=True),
        too_late=tuple(
            item
            for item in captions.items
            if item.path in reports and begins_after_end(as_video(item), reports[item.path])
        ),
        sizes=sizes,
    )


def write_caption_list(items: Sequence[CaptionItem], path: Path) -> None:
    """Write items as JSON lines that `read_captions` reads, beside the target first.

    Paths are relative to the list where they lie beside or below it.

    Raises:
        OSError: the file cannot be written.
    """
    lines = [json.dumps(_row(item, path), ensure_ascii=False) for item in items]
    beside = path.with_name(f".{path.name}.draft-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text("\n".join(lines) + "\n", encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _row(item: CaptionItem, path: Path) -> dict[str, Any]:
    place, home = Path(item.path).absolute(), path.absolute().parent
    row: dict[str, Any] = {
        "path": place.relative_to(home).as_posix() if place.is_relative_to(home) else str(place),
        "id": item.item_id,
        "captions": list(item.captions),
    }
    optional = {
        "split": item.split,
        "start_seconds": item.start_seconds,
        "end_seconds": item.end_seconds,
    }
    return row | {key: value for key, value in optional.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class _Probe:
    """What was found in one file."""

    size: str = ""
    """In pixels: "640x480"."""
    fault: str | None = None
    """Why the file cannot be used."""
    report: FileReport | None = None
    """Of a video that can be read."""


def _probe(item: CaptionItem, media: Media) -> _Probe:
    try:
        if is_feature_path(item.path):
            return _Probe(size=f"{read_features(item.path, item.item_id).shape[1]} features")
        if media == "image":
            height, width = read_image(item.path).shape[1:]
            return _Probe(size=f"{width}x{height}")
    except (MediaError, OSError) as error:
        return _Probe(fault=str(error).removeprefix(f"{item.path}: "))
    report = scan_file(as_video(item))
    if report.status == "unreadable":
        return _Probe(fault=report.reason or "unreadable")
    return _Probe(size=f"{report.width}x{report.height}", report=report)


def _parts(captions: CaptionList) -> dict[str, CaptionList]:
    names: tuple[Split, ...] = ("train", "val", "test")
    parts = {name: [item for item in captions.items if item.split == name] for name in names}
    return {name: with_caption_items(captions, items) for name, items in parts.items() if items}


def _lengths(captions: CaptionList) -> list[int]:
    split = get_tokenizer("words").split
    return [len(split(caption)) for item in captions.items for caption in item.captions]


def _overview(found: CaptionInspection) -> list[str]:
    captions, lengths, words = found.captions, _lengths(found.captions), found.words()
    lines = [
        f"{captions.source}: {count(len(captions), captions.media)} with "
        f"{count(len(lengths), 'caption')} (layout {captions.layout})"
    ]
    splits = Counter(item.split for item in captions.items if item.split)
    if splits:
        published = "published" if captions.official_split else "its own"
        parts = ", ".join(f"{number:,} {name}" for name, number in sorted(splits.items()))
        lines.append(f"  split ({published}): {parts}")
    numbers = Counter(len(item.captions) for item in captions.items)
    each = ", ".join(f"{n} ({k:,})" for n, k in numbers.most_common(4))
    rare = sum(1 for number in words.values() if number < 5)
    different = len({caption for item in captions.items for caption in item.captions})
    return [
        *lines,
        f"  captions each: {each}; {different:,} different ones",
        f"  words in a caption: {min(lengths)} to {max(lengths)}, median {median(lengths):g}",
        f"  different words: {len(words):,}, of which {rare:,} occur less than 5 times",
        f"  pixels: {', '.join(f'{s} ({k:,})' for s, k in found.sizes.most_common(4)) or 'none'}",
        *(f"  note: {note}" for note in captions.notes),
    ]


def _problems(found: CaptionInspection) -> list[str]:
    sections = (
        ("missing", [f"{s.path}: {s.reason}" for s in found.captions.skipped]),
        ("unreadable", [f"{file.path}: {file.reason}" for file in found.unreadable]),
        ("interval begins after the end", [_interval(item) for item in found.too_late]),
        (
            "duplicates (equal content)",
            [" = ".join(item.path for item in same) for same in found.duplicates],
        ),
        ("leaks", [f"{leak} in {one} and {two}" for one, two, leak in found.leaks]),
    )
    lines: list[str] = []
    for title, texts in sections:
        lines.append(f"{title}: {len(texts):,}" if texts else f"{title}: none")
        lines += [f"  {text}" for text in texts[:_SHOWN]]
        lines += [f"  ... and {len(texts) - _SHOWN:,} more"] if len(texts) > _SHOWN else []
    return lines


def _interval(item: CaptionItem) -> str:
    return f"{item.path} from {item.start_seconds:g} seconds"


def _verdict(found: CaptionInspection) -> str:
    out = len(found.left_out())
    good = count(len(found.captions) - out, "item")
    if not found.num_problems:
        return f"nothing wrong was found: {good} usable"
    return (
        f"{count(found.num_problems, 'problem')}: {good} usable, a clean list does without {out:,}"
    )
