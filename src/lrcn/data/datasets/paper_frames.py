"""The paper's layout: folders of frames and a split list (paper.md 5.3).

`ucf101_split1_trainVideos.txt` and `..._testVideos.txt` hold `ClassFolder/video_name label`, no
extension, labels from 0. Frames lie flat, without the class folder:
`frames/<video_name>/<video_name>.0001.jpg`. Class folders below `frames/`, which users keep
against the original code's wish (section 6, row 3), are found as well.

Flow images (`flow_images/<video_name>/flow_image_<video_name>.0002.jpg`) are taken where there
are no frames, or where --videos-root names their folder; features (`extracted_features_0.h5`,
one dataset per video name) where there are neither, or where --videos-root names them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lrcn.data.datasets.entries import SPLIT_WORDS, Entry, Listing, Request
from lrcn.data.datasets.features import FeatureIndex
from lrcn.data.datasets.official import best_root, fold_of, read_lines
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError
from lrcn.structures import Split
from lrcn.video.features import is_feature_path

_LIST = re.compile(r"(?P<set>.+)_split(?P<fold>\d)_(?P<split>train|val|test)Videos\.txt", re.I)
_GROUP = re.compile(r"_g(\d+)_c\d+$", re.IGNORECASE)

_SPELLING = {"HandStandPushups": "HandstandPushups"}
"""The one class of UCF101 whose videos are spelt otherwise than their class."""


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
    class_names = class_names_by_label([(n.where, n.class_name, n.label) for n in lines])
    entries = _place([_entry(line, class_names[line.label]) for line in lines], request)
    return Listing(
        entries=tuple(entries),
        class_names=tuple(class_names[label] for label in sorted(class_names)),
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
    listed, label = [*text.replace("\\", "/").rsplit(None, 1), ""][:2]
    class_name, _, video = listed.strip().rpartition("/")
    if not video or not class_name or not (label.isascii() and label.isdigit()):
        raise DataError(
            f"{where}: {text!r}; the lines are `ClassFolder/video_name 0`, labels from 0. Mend "
            f"the line."
        )
    return _Line(where, class_name.rsplit("/", 1)[-1], video, int(label), split)


def _entry(line: _Line, class_name: str) -> Entry:
    """The line's video; where it lies is not known yet."""
    match = _GROUP.search(line.video)
    return Entry(
        path=Path(line.video),
        name=f"{line.class_name}/{line.video}",
        class_names=(class_name,),
        group=f"{class_name}/g{match[1]}" if match else None,
        split=line.split,
        where=line.where,
    )


def _place(entries: list[Entry], request: Request) -> list[Entry]:
    """The entries with the paths of their frames, flow images or features."""
    home = request.data if request.data.is_dir() else request.data.parent
    root = request.videos_root
    if root is not None and is_feature_path(root):
        return _place_features(entries, root)
    finder = best_root(
        request,
        [home / "frames", home, home / "flow_images"],
        [str(entry.path) for entry in entries],
    )
    found = [finder.find(entry.name) for entry in entries]
    if not any(found):
        holding = finder.root if root is not None else home
        if any(is_feature_path(path) for path in visible(holding)):
            return _place_features(entries, holding)
    return [
        replace(entry, path=path or finder.root / entry.path)
        for entry, path in zip(entries, found, strict=True)
    ]


def _place_features(entries: list[Entry], root: Path) -> list[Entry]:
    """Arrays bear the video's name alone; ids have the class folder, as those of frames have."""
    index = FeatureIndex(root)
    folder = root if root.is_dir() else root.parent
    placed = [index.place(replace(entry, path=folder / f"{entry.path}.npy")) for entry in entries]
    return [
        entry
        if entry.video_id is None or "/" in entry.video_id
        else replace(entry, video_id=f"{entry.name.rpartition('/')[0]}/{entry.video_id}")
        for entry in placed
    ]


def class_names_by_label(lines: Sequence[tuple[str, str, int]]) -> dict[int, str]:
    """Label to class name, in the first writing of it; letter case aside.

    Args:
        lines: (where it stands, class name, label) of every line.

    Raises:
        DataError: a number has two class folders, or a class folder two numbers.
    """
    by_label: dict[int, str] = {}
    by_name: dict[str, int] = {}
    for where, written, number in lines:
        class_name = _SPELLING.get(written, written)
        name = by_label.setdefault(number, class_name)
        label = by_name.setdefault(class_name.casefold(), number)
        if name.casefold() != class_name.casefold() or label != number:
            raise DataError(
                f"{where}: {class_name} has the number {number}, which contradicts "
                f"an earlier line ({name} is {number}, {class_name} is {label}). "
                f"Mend the list."
            )
    return by_label
