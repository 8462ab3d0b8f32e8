"""HMDB51 with its official lists `<class>_test_split<N>.txt`: lines of `name.avi 0|1|2`.

1 is train, 2 is test, 0 is left out of the fold (70 and 30 clips per class, folds 1, 2, 3). The
lists were drawn so that one film's clips of an action stay together, but no list says which
these are: names give a group only where no fold divides it.
Source: https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from lrcn.data.datasets.entries import Entry, Listing, Request, count
from lrcn.data.datasets.official import best_root, fold_of, read_lines
from lrcn.data.datasets.walk import Finder, visible
from lrcn.errors import DataError
from lrcn.structures import Split

_LIST = re.compile(r"(.+)_test_split(\d)\.txt", re.IGNORECASE)
_PARTS: dict[str, Split | None] = {"0": None, "1": "train", "2": "test"}


def read_hmdb51(request: Request) -> Listing:
    """The reader of the layout "hmdb51"; fold 1 unless another is asked for.

    Raises:
        DataError: the lists are absent or a line is not understood.
        ConfigError: no such fold.
    """
    lists = find_lists(request.data)
    if lists is None:
        raise DataError(
            f"{request.data} has no HMDB51 lists (<class>_test_split1.txt, ... in it or in "
            f"testTrainMulti_7030_splits/). Unpack test_train_splits.rar beside the class folders, "
            f"or use these alone (layout folder)."
        )
    files = _lists_by_fold(lists)
    fold = fold_of(request, sorted(files))
    lines = [
        (class_name, where, line)
        for class_name, path in sorted(files[fold].items())
        for where, line in read_lines(path)
    ]
    home = request.data if lists != request.data else lists.parent
    candidates = [home / "videos", home / "hmdb51_org", home, request.data]
    finder = best_root(request, candidates, [f"{name}/" for name in sorted(files[fold])])
    read = [_entry(finder, class_name, where, line) for class_name, where, line in lines]
    entries = [entry for entry in read if entry is not None]
    unused = len(lines) - len(entries)
    return Listing(
        entries=_without_divided_groups(entries),
        class_names=tuple(sorted(files[fold])),
        official_split=True,
        group_source="official names (<film>_<class>)",
        notes=(f"{count(unused, 'clip')} not used by fold {fold}",) if unused else (),
    )


def _entry(finder: Finder, class_name: str, where: str, line: str) -> Entry | None:
    """A line's clip; None for one that the fold does not use."""
    name, _, part = line.rpartition(" ")
    if part not in _PARTS or not name.strip():
        raise DataError(
            f"{where}: {line!r}; the lines are `name.avi 1` with 0, 1 (train) or 2 (test). "
            f"Fetch the official lists again."
        )
    if _PARTS[part] is None:
        return None
    listed = f"{class_name}/{name.strip()}"
    return Entry(
        path=finder.find(listed) or finder.root / listed,
        name=listed,
        class_names=(class_name,),
        group=_source(name.strip(), class_name),
        split=_PARTS[part],
        where=where,
    )


def find_lists(data: Path) -> Path | None:
    """The folder with the lists: DATA itself or one directly in it."""
    if not data.is_dir():
        return None
    folders = [data, *(p for p in visible(data) if p.is_dir())]
    return next((f for f in folders if any(_LIST.fullmatch(p.name) for p in visible(f))), None)


def _lists_by_fold(lists: Path) -> dict[int, dict[str, Path]]:
    found: dict[int, dict[str, Path]] = {}
    for path in visible(lists):
        match = _LIST.fullmatch(path.name)
        if match:
            found.setdefault(int(match[2]), {})[match[1]] = path
    return found


def _source(name: str, class_name: str) -> str | None:
    """`April_09_brush_hair_u_nm_np1_ba_goo_0.avi` -> "brush_hair/April_09"."""
    film, found, _ = name.partition(f"_{class_name}_")
    return f"{class_name}/{film}" if found else None


def _without_divided_groups(entries: list[Entry]) -> tuple[Entry, ...]:
    """A film name on both sides names two films: the lists are right, the guess is not."""
    sides: dict[str | None, set[Split | None]] = {}
    for entry in entries:
        sides.setdefault(entry.group, set()).add(entry.split)
    return tuple(replace(e, group=None) if len(sides[e.group]) > 1 else e for e in entries)
