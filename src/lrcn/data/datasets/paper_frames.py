"""The paper's layout: folders of frames and a split list (paper.md 5.3).

`ucf101_split1_trainVideos.txt` and `..._testVideos.txt` hold `ClassFolder/video_name label`, no
extension, labels from 0. Frames lie flat, without the class folder:
`frames/<video_name>/<video_name>.0001.jpg`. Class folders below `frames/`, which users keep
against the original code's wish (section 6, row 3), are found as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lrcn.data.datasets.entries import SPLIT_WORDS, Entry, Listing, Request
from lrcn.data.datasets.official import best_root, fold_of, read_lines
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError
from lrcn.structures import Split

_LIST = re.compile(r"(?P<set>.+)_split(?P<fold>\d)_(?P<split>train|val|test)Videos\.txt", re.I)
_GROUP = re.compile(r"_g(\d+)_c\d+$", re.IGNORECASE)


@dataclass(frozen=True)
class _Line:
    where: str
    class_name: str
    video: str
    label: int
    split: Split | None


def read_paper_frames(request: Request) -> Listing:
    """The reader of the layout "paper_frames"; the first fold that has lists unless one is named.

    Raises:
        DataError: no lists, or a line is not understood.
        ConfigError: no such fold.
    """
    lists = find_lists(request.data)
    if not lists:
        raise DataError(
            f"{request.data} has no split lists of the paper's form "
            f"(ucf101_split1_trainVideos.txt, ucf101_split1_testVideos.txt). Add them, or give a "
            f"list with path and label."
        )
    fold = fold_of(request, sorted({fold for _, fold, _ in lists}))
    lines = [
        _line(where, text, split)
        for path, number, split in lists
        if number == fold
        for where, text in read_lines(path)
    ]
    home = request.data if request.data.is_dir() else request.data.parent
    names = [line.video for line in lines]
    finder = best_root(request, [home / "frames", home], names)
    entries = []
    for line in lines:
        listed = f"{line.class_name}/{line.video}"
        match = _GROUP.search(line.video)
        entries.append(
            Entry(
                path=finder.find(listed) or finder.root / line.video,
                name=listed,
                class_names=(line.class_name,),
                group=f"{line.class_name}/g{match[1]}" if match else None,
                split=line.split,
                where=line.where,
            )
        )
    return Listing(
        entries=tuple(entries),
        class_names=_class_names(lines),
        official_split=all(line.split is not None for line in lines),
        group_source="official names (_gNN_)" if all(e.group for e in entries) else None,
    )


def find_lists(data: Path) -> list[tuple[Path, int, Split | None]]:
    """(list, fold, split) of DATA itself, or of the lists in it and one level below."""
    if data.is_file():
        match = _LIST.fullmatch(data.name)
        return [(data, int(match["fold"]) if match else 1, None)]
    if not data.is_dir():
        return []
    folders = [data, *(p for p in (data / "lists", data / "splits") if p.is_dir())]
    found: list[tuple[Path, int, Split | None]] = []
    for path in (p for folder in folders for p in visible(folder)):
        match = _LIST.fullmatch(path.name)
        if match:
            found.append((path, int(match["fold"]), SPLIT_WORDS[match["split"].lower()]))
    return found


def _line(where: str, text: str, split: Split | None) -> _Line:
    listed, _, label = text.rpartition(" ")
    class_name, _, video = listed.strip().rpartition("/")
    if not video or not class_name or not label.isdigit():
        raise DataError(
            f"{where}: {text!r}; the lines are `ClassFolder/video_name 0`, labels from 0. Mend "
            f"the line."
        )
    return _Line(where, class_name.rsplit("/", 1)[-1], video, int(label), split)


def _class_names(lines: list[_Line]) -> tuple[str, ...]:
    """Class folders in the order of their numbers.

    Raises:
        DataError: a number has two class folders, or a class folder two numbers.
    """
    by_label: dict[int, str] = {}
    by_name: dict[str, int] = {}
    for line in lines:
        name = by_label.setdefault(line.label, line.class_name)
        label = by_name.setdefault(line.class_name, line.label)
        if name != line.class_name or label != line.label:
            raise DataError(
                f"{line.where}: {line.class_name} has the number {line.label}, which contradicts "
                f"an earlier line ({name} is {line.label}, {line.class_name} is {label}). "
                f"Mend the list."
            )
    return tuple(by_label[label] for label in sorted(by_label))
