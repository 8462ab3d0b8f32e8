"""`lrcn data check`: read every file of a data set once and say what is there and what is wrong."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lrcn.data.datasets import read_dataset
from lrcn.data.inspect_text import inspection_text
from lrcn.data.leaks import Leak, refuse_leaks
from lrcn.data.scan import FileReport, scan_file
from lrcn.data.split_file import write_items
from lrcn.data.suspects import (
    LookAlike,
    Suspect,
    begins_after_end,
    find_look_alikes,
    find_suspects,
)
from lrcn.data.twins import Identity, find_twins, identity
from lrcn.errors import DataError
from lrcn.structures import Split, VideoItem, VideoList


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found. `str(inspection)` is a readable text, `to_dict()` the JSON form."""

    video_list: VideoList
    reports: Mapping[Identity, FileReport] = field(repr=False)
    """What was found in each file (for feature files, in each array)."""
    duplicates: tuple[tuple[VideoItem, ...], ...]
    """Items whose files have equal content."""
    look_alikes: tuple[LookAlike, ...]
    suspects: tuple[Suspect, ...]
    """Mislabelled-looking files."""
    leaks: tuple[tuple[str, str, Leak], ...]
    """(part, other part, leak) where the data set has parts of its own."""

    @property
    def files(self) -> tuple[FileReport, ...]:
        """The reports in the order of the list."""
        return tuple(self.reports.values())

    def with_status(self, status: str) -> tuple[FileReport, ...]:
        """The files that are "ok", "truncated" or "unreadable"."""
        return tuple(report for report in self.files if report.status == status)

    @property
    def repeating(self) -> tuple[FileReport, ...]:
        """Videos in which frames repeat the one before, regularly or often; all can be used."""
        return tuple(r for r in self.files if r.repeats is not None and r.repeats.notable)

    @property
    def blank(self) -> tuple[FileReport, ...]:
        """Stored flow images of which one in twenty or more shows no motion; all can be used."""
        return tuple(r for r in self.files if (r.num_blank or 0) >= 0.05 * (r.num_frames or 1))

    @property
    def num_problems(self) -> int:
        """Absent, unreadable and truncated files, duplicates, suspects and leaks together."""
        return (
            len(self.video_list.skipped)
            + len(self.with_status("unreadable"))
            + len(self.with_status("truncated"))
            + sum(len(same) - 1 for same in self.duplicates)
            + len(self.suspects)
            + len(self.leaks)
        )

    def left_out(self) -> dict[VideoItem, str]:
        """The items that a clean list does without, and why.

        Unreadable files; of equal files all but the first, and all of them where their labels
        contradict; intervals beyond the end; what leaks, on the side of training. Truncated and
        merely suspicious files stay: they can be used.
        """
        out: dict[VideoItem, str] = {}
        for item in self.video_list.items:
            report = self.reports[identity(item)]
            if report.status == "unreadable":
                out[item] = report.reason or "unreadable"
            elif begins_after_end(item, report):
                out[item] = "its interval begins after the end"
        for same in self.duplicates:
            contradicting = len({frozenset(item.class_names) for item in same}) > 1
            for item in same if contradicting else same[1:]:
                if contradicting or identity(item) != identity(same[0]):
                    out.setdefault(
                        item, "equal content, other label" if contradicting else "equal content"
                    )
        for part, _, leak in self.leaks:
            for item in self.video_list.items:
                if item.split == part and item.video_id in leak.train_ids:
                    out.setdefault(item, f"leaks: {leak}")
        return out

    def clean_list(self, path: str | os.PathLike[str]) -> int:
        """Write the good items as a CSV that is a data set of its own.

        Returns:
            How many items were written.

        Raises:
            OutputError: the file cannot be written.
            DataError: nothing is left.
        """
        out = self.left_out()
        good = [item for item in self.video_list.items if item not in out]
        if not good:
            raise DataError(
                f"none of the {len(out)} items of {self.video_list.source} is usable, the first: "
                f"{next(iter(out.values()))}. A clean list needs at least one; replace the files."
            )
        write_items(good, Path(path), f"clean list: {len(good)} items, {len(out)} left out")
        return len(good)

    def class_counts(self) -> dict[str, int]:
        """Items per class, in the order of the classes."""
        counts = Counter(name for item in self.video_list.items for name in item.class_names)
        return {name: counts[name] for name in self.video_list.class_names}

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of `lrcn data check --json`."""
        videos = self.video_list
        out = self.left_out()
        return {
            "data": videos.source,
            "layout": videos.layout,
            "num_items": len(videos),
            "num_files": len(self.reports),
            "num_problems": self.num_problems,
            "class_counts": self.class_counts(),
            "grouping": videos.grouping,
            "num_groups": len({item.group for item in videos.items if item.group}),
            "splits": dict(Counter(item.split for item in videos.items if item.split)),
            "missing": [asdict(skipped) for skipped in videos.skipped],
            "unreadable": [report.to_dict() for report in self.with_status("unreadable")],
            "truncated": [report.to_dict() for report in self.with_status("truncated")],
            "repeating": [
                {"path": r.path, **r.repeats.to_dict()} for r in self.repeating if r.repeats
            ],
            "blank_flow": [
                {"path": r.path, "num_frames": r.num_frames, "num_blank": r.num_blank}
                for r in self.blank
            ],
            "duplicates": [[item.path for item in same] for same in self.duplicates],
            "look_alikes": [pair.to_dict() for pair in self.look_alikes],
            "suspects": [suspect.to_dict() for suspect in self.suspects],
            "leaks": [
                {"parts": [first, second], **asdict(leak)} for first, second, leak in self.leaks
            ],
            "left_out": [{"path": item.path, "reason": why} for item, why in out.items()],
            "notes": list(videos.notes),
            "files": [report.to_dict() for report in self.files],
        }

    def __str__(self) -> str:
        return inspection_text(self)


def inspect(
    data: str | os.PathLike[str] | VideoList,
    *,
    threads: int = 0,
    progress: Callable[[int, int], None] | None = None,
    **reading: Any,
) -> Inspection:
    """Read every file of a data set from end to end.

    Args:
        data: as for `read_dataset`, or a list read already.
        threads: files read at a time; 0 for the number of processors. One chunk of frames per
            thread is in memory.
        progress: called with (files done, files in all).
        **reading: settings of `read_dataset`. Absent files are listed, not refused.

    Raises:
        DataError: the data set as a whole cannot be read.
        ConfigError: a setting of `read_dataset` is wrong.
    """
    if isinstance(data, VideoList):
        videos = data
    else:
        videos = read_dataset(data, **{"missing": "skip", "min_classes": 1, **reading})
    reports = _scan(videos, threads or os.cpu_count() or 1, progress)
    duplicates = [[videos.items[i] for i in places] for places in find_twins(videos.items)]
    look_alikes = find_look_alikes(videos.items, reports, duplicates)
    return Inspection(
        video_list=videos,
        reports=reports,
        duplicates=tuple(tuple(same) for same in duplicates),
        look_alikes=tuple(look_alikes),
        suspects=tuple(find_suspects(videos.items, reports, duplicates, look_alikes)),
        leaks=refuse_leaks(_parts(videos), allow_leaks=True),
    )


def _scan(
    videos: VideoList, threads: int, progress: Callable[[int, int], None] | None
) -> dict[Identity, FileReport]:
    firsts: dict[Identity, VideoItem] = {}
    for item in videos.items:
        firsts.setdefault(identity(item), item)
    reports: dict[Identity, FileReport] = {}
    with ThreadPoolExecutor(threads) as pool:
        for key, report in zip(firsts, pool.map(scan_file, firsts.values()), strict=True):
            reports[key] = report
            if progress is not None:
                progress(len(reports), len(firsts))
    return reports


def _parts(videos: VideoList) -> dict[str, VideoList]:
    names: tuple[Split, ...] = ("train", "val", "test")
    parts = {n: tuple(item for item in videos.items if item.split == n) for n in names}
    return {name: replace(videos, items=items) for name, items in parts.items() if items}
