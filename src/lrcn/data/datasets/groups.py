"""Groups: which items come from one source and must stay on one side of a split.

Looked for in this order, the first that holds for the whole data set is taken: a column or
published names; the sub-folder below the class folder; a pattern in the file names. A pattern is
taken only when it fits every file and leaves each class two groups or more: `video_0001.mp4`
shows no source, and one group per class would say that there is none to be had.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Literal

from lrcn.data.datasets.entries import Entry, Listing
from lrcn.data.datasets.walk import strip_media_extension
from lrcn.errors import ConfigError, DataError

GroupBy = Literal["column", "folder", "pattern", "file"]
GROUP_BY: tuple[GroupBy, ...] = ("column", "folder", "pattern", "file")

Groups = tuple[str | None, ...]


def find_groups(
    listing: Listing,
    entries: Sequence[Entry],
    *,
    group_by: GroupBy | None = None,
    group_pattern: str | None = None,
) -> tuple[Groups, str | None]:
    """The group of every entry, and how it was found (None: no grouping, every file for itself).

    Args:
        listing: knows whether groups were given.
        entries: those that are kept.
        group_by: only this way; "file" for none.
        group_pattern: a regular expression searched in each path below the data set; its groups
            in brackets, joined by "/", are the name of the group.

    Raises:
        DataError: the way that was asked for does not fit this data set.
        ConfigError: the pattern is not a regular expression with brackets, or contradicts
            `group_by`.
    """
    if group_by is not None and group_by not in GROUP_BY:
        raise ConfigError(f"group_by is {group_by!r}; it is one of {', '.join(GROUP_BY)}.")
    if group_pattern is not None:
        if group_by not in (None, "pattern"):
            raise ConfigError(f"a group pattern was given, and group_by {group_by}; give one.")
        return _by_own_pattern(entries, group_pattern), f"pattern {group_pattern}"
    if group_by == "file":
        return (None,) * len(entries), None
    ways: dict[str, Callable[[], tuple[Groups, str] | None]] = {
        "column": lambda: _given(listing, entries),
        "folder": lambda: _by_folder(entries),
        "pattern": lambda: _by_known_pattern(entries),
    }
    for name, way in ways.items():
        if group_by in (None, name):
            found = way()
            if found is not None:
                return found
    if group_by is not None:
        raise DataError(
            f"no groups by {group_by} were found in this data set: {_WHY[group_by]}. Choose "
            f"another way ({', '.join(GROUP_BY)}), or give a group pattern."
        )
    return (None,) * len(entries), None


_WHY = {
    "column": "the list has no column for the group, or it is empty",
    "folder": "files lie directly in their class folder, or one sub-folder holds a whole class",
    "pattern": "the file names show no source, or one source only in some class",
}


def _given(listing: Listing, entries: Sequence[Entry]) -> tuple[Groups, str] | None:
    if listing.group_source is None or not any(e.group for e in entries):
        return None
    return tuple(e.group for e in entries), listing.group_source


def _by_folder(entries: Sequence[Entry]) -> tuple[Groups, str] | None:
    groups = tuple(e.folder_group for e in entries)
    return (groups, "folder") if _useful(groups, entries) else None


def _by_known_pattern(entries: Sequence[Entry]) -> tuple[Groups, str] | None:
    for name, find in KNOWN_PATTERNS.items():
        groups = tuple(find(_stem(e), e.class_names) for e in entries)
        if _useful(groups, entries):
            return groups, f"pattern {name}"
    return None


def _by_own_pattern(entries: Sequence[Entry], pattern: str) -> Groups:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"the group pattern {pattern!r} is no regular expression: {error}. "
            f"An example: _(g\\d+)_"
        ) from error
    if expression.groups == 0:
        raise ConfigError(
            f"the group pattern {pattern!r} has no brackets; what stands in them is the group. "
            f"An example: _(g\\d+)_"
        )
    found = [expression.search(e.name) for e in entries]
    unmatched = [e.name for e, m in zip(entries, found, strict=True) if m is None]
    if unmatched:
        raise DataError(
            f"the group pattern {pattern!r} does not fit {len(unmatched)} of {len(entries)} "
            f"files, the first: {unmatched[0]}. It must fit every path; change it."
        )
    return tuple("/".join(part or "" for part in m.groups()) if m else None for m in found)


def _useful(groups: Groups, entries: Sequence[Entry]) -> bool:
    """Every file has a group, and every class with two files or more has two groups or more."""
    if not groups or any(g is None for g in groups):
        return False
    groups_of: dict[str, set[str]] = defaultdict(set)
    files_of: dict[str, set[str]] = defaultdict(set)
    for group, entry in zip(groups, entries, strict=True):
        for name in entry.class_names:
            groups_of[name].add(group or "")
            files_of[name].add(entry.name)
    return all(len(groups_of[n]) >= 2 or len(files) == 1 for n, files in files_of.items())


def _stem(entry: Entry) -> str:
    return strip_media_extension((entry.name).rsplit("/", 1)[-1])


_UCF = re.compile(r"_g(\d{1,3})_c\d{1,3}$", re.IGNORECASE)
_YOUTUBE = re.compile(r"^([\w-]{11})_\d{1,6}(?:\.\d+)?_\d{1,6}(?:\.\d+)?$", re.ASCII)
_PART = re.compile(
    r"^(.+?)[ _.-]+(?:clip|part|seg|segment|scene|shot|take|c)[ _.-]?\d{1,5}$", re.IGNORECASE
)


def _ucf_group(stem: str, class_names: tuple[str, ...]) -> str | None:
    """`v_Archery_g01_c02` -> "Archery/g01": numbers count anew in each class."""
    match = _UCF.search(stem)
    return f"{';'.join(class_names)}/g{match[1]}" if match else None


def _youtube_group(stem: str, class_names: tuple[str, ...]) -> str | None:
    """`0lh_UWF9ZP4_62_69` (MSVD, Kinetics) -> the YouTube id."""
    del class_names
    match = _YOUTUBE.match(stem)
    return match[1] if match else None


def _part_group(stem: str, class_names: tuple[str, ...]) -> str | None:
    """`match3_clip07`, `interview-part2` -> what stands before."""
    del class_names
    match = _PART.match(stem)
    return match[1] if match else None


def _before_class_group(stem: str, class_names: tuple[str, ...]) -> str | None:
    """`daria_walk`, `person01_walking_d1`, `April_09_brush_hair_u_nm` -> what stands before.

    A bare number says nothing: `001_walk` and `001_run` need not be one source.
    """
    for name in class_names:
        match = re.match(rf"(.+?)[ _-]{_any_separator(name)}(?:[ _-]|\d*$)", stem, re.IGNORECASE)
        if match and not match[1].isdigit():
            return match[1]
    return None


def _any_separator(name: str) -> str:
    words = [re.escape(word) for word in re.split(r"[ _-]+", name) if word]
    return "[ _-]?".join(words) or re.escape(name)


KNOWN_PATTERNS: dict[str, Callable[[str, tuple[str, ...]], str | None]] = {
    "_gNN_cNN": _ucf_group,
    "<youtube id>_<start>_<end>": _youtube_group,
    "<source>_clipN": _part_group,
    "<source>_<class>": _before_class_group,
}
"""Name as reported to how a file name shows its source; tried in this order."""
