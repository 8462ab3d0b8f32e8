"""The readable form of an `Inspection`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import TYPE_CHECKING

from lrcn.data.datasets.entries import count

if TYPE_CHECKING:
    from lrcn.data.inspect import Inspection

_SHOWN = 10
"""Lines per list; the JSON form has all."""


def inspection_text(found: Inspection) -> str:
    """Sections of short lines: what is there, then what is wrong, then a last line that sums up."""
    return "\n".join([*_overview(found), *_classes(found), *_problems(found), *_verdict(found)])


def _overview(found: Inspection) -> list[str]:
    videos = found.video_list
    lines = [
        f"{videos.source}: {count(len(videos), 'item')} in {count(len(found.reports), 'file')}, "
        f"{count(len(videos.class_names), 'class')} (layout {videos.layout})"
    ]
    splits = Counter(item.split for item in videos.items if item.split)
    if splits:
        published = "published" if videos.official_split else "its own"
        parts = ", ".join(f"{number:,} {name}" for name, number in sorted(splits.items()))
        lines.append(f"  split ({published}): {parts}")
    groups = {item.group for item in videos.items if item.group}
    if groups:
        lines.append(f"  groups ({videos.grouping}): {len(groups):,}")
    else:
        lines.append("  groups: none found; a division would be by file, which may leak")
    read = [report for report in found.files if report.num_frames]
    if read:
        frames = [report.num_frames or 0 for report in read]
        lines.append(
            f"  length: {min(frames):,} to {max(frames):,} frames, median {median(frames):,.0f}, "
            f"{sum(frames):,} in all"
        )
    seconds = [report.duration_seconds for report in read if report.duration_seconds]
    if seconds:
        lines.append(
            f"  duration: {min(seconds):.2f} to {max(seconds):.2f} seconds, "
            f"{sum(seconds) / 60:.1f} minutes in all"
        )
    rates = Counter(f"{report.fps:.5g}" for report in read if report.fps)
    lines += _tally("frames per second", rates)
    lines += _tally("pixels", Counter(f"{r.width}x{r.height}" for r in read if r.width))
    lines += _tally("codec", Counter(r.codec for r in read if r.codec))
    lines += _tally("feature_dim", Counter(str(r.feature_dim) for r in read if r.feature_dim))
    lines += [f"  note: {note}" for note in videos.notes]
    return lines


def _tally(name: str, counts: Counter[str]) -> list[str]:
    if not counts:
        return []
    shown = ", ".join(f"{value} ({number:,})" for value, number in counts.most_common(4))
    more = f" and {len(counts) - 4} more" if len(counts) > 4 else ""
    return [f"  {name}: {shown}{more}"]


def _classes(found: Inspection) -> list[str]:
    counts = found.class_counts()
    width = max(map(len, counts), default=0)
    groups: dict[str, set[str]] = {name: set() for name in counts}
    for item in found.video_list.items:
        for name in item.class_names:
            groups[name].add(item.group or "")
    grouped = found.video_list.grouping is not None
    lines = ["classes:"]
    for name, number in counts.items():
        in_groups = f" in {count(len(groups[name]), 'group')}" if grouped else ""
        lines.append(f"  {name:<{width}}  {number:,}{in_groups}")
    if counts and max(counts.values()) >= 3 * min(counts.values()):
        lines.append(
            f"  the largest class has {max(counts.values()) / min(counts.values()):.1f} times the "
            f"items of the smallest: look at the mean class accuracy too"
        )
    return lines


def _problems(found: Inspection) -> list[str]:
    alike = [pair for pair in found.look_alikes if pair.same_class]
    lines = _section("missing", (f"{s.path}: {s.reason}" for s in found.video_list.skipped))
    for status in ("unreadable", "truncated"):
        reports = found.with_status(status)
        lines += _section(status, (_with_path(r.path, r.reason or "") for r in reports))
    lines += _section(
        "repeated frames (without motion: blank flow)",
        (f"{r.path}: {r.repeats}" for r in found.repeating),
    )
    if any(r.num_blank is not None for r in found.files):
        lines += _section(
            "blank flow images",
            (
                f"{r.path}: {r.num_blank} of {r.num_frames} show no motion; were its frames taken"
                " at a higher rate than the video has?"
                for r in found.blank
            ),
        )
    lines += _section(
        "duplicates (equal content)",
        (" = ".join(item.path for item in same) for same in found.duplicates),
    )
    lines += _section("mislabelled-looking", (f"{s.path}: {s.reason}" for s in found.suspects))
    lines += _section(
        "look-alikes of one class (one source?)",
        (f"{pair.first} ~ {pair.second} ({pair.bits:.1f} of 64 bits apart)" for pair in alike),
    )
    lines += _section("leaks", (f"{leak} in {one} and {two}" for one, two, leak in found.leaks))
    return lines


def _with_path(path: str, reason: str) -> str:
    return reason if path in reason else f"{path}: {reason}"


def _section(title: str, texts: Iterable[str]) -> list[str]:
    lines = [f"  {text}" for text in texts]
    if not lines:
        return [f"{title}: none"]
    more = [f"  ... and {len(lines) - _SHOWN:,} more"] if len(lines) > _SHOWN else []
    return [f"{title}: {len(lines):,}", *lines[:_SHOWN], *more]


def _verdict(found: Inspection) -> list[str]:
    out = len(found.left_out())
    good = len(found.video_list) - out
    if not found.num_problems:
        return [f"nothing wrong was found: {count(good, 'item')} usable"]
    return [
        f"{count(found.num_problems, 'problem')}: {count(good, 'item')} usable, a clean list does "
        f"without {out:,}"
    ]
