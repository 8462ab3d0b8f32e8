"""UCF101 with its official lists: `ucfTrainTestlist/` beside `videos/` or the class folders.

`classInd.txt` numbers the classes from 1; `trainlistNN.txt` and `testlistNN.txt` (folds 1, 2, 3)
name `Class/v_Class_gNN_cMM.avi`. Clips of one gNN of a class come from one source video, and no
fold divides them. One class is written `HandstandPushups/v_HandStandPushups_...` (paper.md 5.3).
Source: https://www.crcv.ucf.edu/data/UCF101.php
"""

from __future__ import annotations

import re
from pathlib import Path

from lrcn.data.datasets.entries import Entry, Listing, Request
from lrcn.data.datasets.official import best_root, fold_of, read_lines
from lrcn.data.datasets.walk import Finder, visible
from lrcn.errors import DataError
from lrcn.structures import Split

_GROUP = re.compile(r"_g(\d+)_c\d+", re.IGNORECASE)
_LIST = re.compile(r"(train|test)list0?(\d)\.txt", re.IGNORECASE)


def read_ucf101(request: Request) -> Listing:
    """The reader of the layout "ucf101"; fold 1 unless another is asked for.

    Raises:
        DataError: a list is absent or a line is not understood.
        ConfigError: no such fold.
    """
    lists = find_lists(request.data)
    if lists is None:
        raise DataError(
            f"{request.data} has no UCF101 lists (trainlist01.txt, testlist01.txt, ... in it or "
            f"in ucfTrainTestlist/). Unpack UCF101TrainTestSplits beside the videos, or use the "
            f"class folders alone (layout folder)."
        )
    fold = fold_of(request, sorted(_folds(lists)))
    lines: list[tuple[str, str, Split]] = []
    parts: tuple[Split, ...] = ("train", "test")
    for split in parts:
        path = lists / f"{split}list{fold:02d}.txt"
        lines += [(where, line, split) for where, line in read_lines(path)]
    names = [line.split()[0] for _, line, _ in lines]
    index = lists / "classInd.txt"
    class_names = (
        _read_classes(index)
        if index.is_file()
        else tuple(sorted({name.split("/")[0] for name in names}))
    )
    home = request.data if lists != request.data else lists.parent
    candidates = [home / "videos", home / "UCF-101", home / "UCF101", home, request.data]
    finder = best_root(request, candidates, names)
    entries = tuple(_entry(finder, class_names, *line) for line in lines)
    return Listing(
        entries=entries,
        class_names=class_names,
        official_split=True,
        group_source="official names (_gNN_)",
    )


def find_lists(data: Path) -> Path | None:
    """The folder with the lists of a fold: DATA itself or one directly in it."""
    if not data.is_dir():
        return None
    for folder in [data, *(p for p in visible(data) if p.is_dir())]:
        if _folds(folder):
            return folder
    return None


def _folds(lists: Path) -> set[int]:
    """The folds that have both lists."""
    found: dict[int, set[str]] = {}
    for path in visible(lists):
        match = _LIST.fullmatch(path.name)
        if match:
            found.setdefault(int(match[2]), set()).add(match[1].lower())
    return {fold for fold, kinds in found.items() if kinds == {"train", "test"}}


def _read_classes(path: Path) -> tuple[str, ...]:
    names = []
    for place, (where, line) in enumerate(read_lines(path), 1):
        number, _, name = line.partition(" ")
        if number != str(place) or not name.strip():
            raise DataError(
                f"{where}: {line!r}; the lines are `1 ApplyEyeMakeup`, numbered from 1 without "
                f"gaps. Fetch the official lists again."
            )
        names.append(name.strip())
    return tuple(names)


def _entry(
    finder: Finder, class_names: tuple[str, ...], where: str, line: str, split: Split
) -> Entry:
    name, _, number = line.partition(" ")
    class_name = name.split("/")[0]
    group = _GROUP.search(name)
    if "/" not in name or class_name not in class_names or group is None:
        raise DataError(
            f"{where}: {line!r}; the lines are `Class/v_Class_g01_c01.avi`, with a class of "
            f"classInd.txt. Fetch the official lists again."
        )
    if number.strip() not in ("", str(class_names.index(class_name) + 1)):
        raise DataError(
            f"{where}: {line!r}; among the classes {class_name} has the number "
            f"{class_names.index(class_name) + 1}. Fetch the official lists again."
        )
    return Entry(
        path=finder.find(name) or finder.root / name,
        name=name,
        class_names=(class_name,),
        group=f"{class_name}/g{group[1]}",
        split=split,
        where=where,
    )
