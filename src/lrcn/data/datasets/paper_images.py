"""The paper's lists for single frames: one line per picture (paper.md 5.3).

`ucf101_singleFrame_RGB_train_split1.txt` holds `v_Archery_g01_c01/v_Archery_g01_c01.0001.jpg 0`;
its sisters are `flow` and `test`. The original shows its network every line for itself. Here the
folder of a picture is the video, as everywhere: a single-frame model sees each of its frames in
evaluation, and one at random per epoch in training.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lrcn.data.datasets.entries import SPLIT_WORDS, Entry, Listing, Request
from lrcn.data.datasets.official import best_root, fold_of
from lrcn.data.datasets.paper_frames import class_names_by_label
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError
from lrcn.structures import Split

_LIST = re.compile(
    r".+_singleFrame_(?P<modality>RGB|flow)_(?P<split>train|val|test)_split(?P<fold>\d)\.txt", re.I
)
_VIDEO = re.compile(r"v_(?P<name>.+)_g(?P<group>\d+)_c\d+", re.I)


@dataclass(frozen=True)
class _Folder:
    """The lines of one folder of pictures."""

    where: str
    folder: str
    label: int
    split: Split | None

    @property
    def match(self) -> re.Match[str] | None:
        return _VIDEO.fullmatch(self.folder.rsplit("/", 1)[-1])


def is_image_list(path: Path) -> bool:
    """Whether a file is named as such a list."""
    return _LIST.fullmatch(path.name) is not None


def find_image_lists(folder: Path) -> list[tuple[Path, int, Split]]:
    """(list, fold, split) of each list in a folder; those of flow where there are no others."""
    found = [
        (match["modality"].lower(), path, int(match["fold"]), SPLIT_WORDS[match["split"].lower()])
        for path in visible(folder)
        if (match := _LIST.fullmatch(path.name))
    ]
    modality = "rgb" if any(kind == "rgb" for kind, *_ in found) else "flow"
    return [(path, fold, split) for kind, path, fold, split in found if kind == modality]


def read_paper_images(request: Request) -> Listing:
    """The reader of the layout "paper_images"; the first fold unless one is named.

    Raises:
        DataError: no lists, a line is not understood, or a folder has two labels.
        ConfigError: no such fold.
    """
    data = request.data
    lists: list[tuple[Path, int, Split | None]] = []
    if data.is_file():
        match = _LIST.fullmatch(data.name)
        lists = [(data, int(match["fold"]) if match else 1, None)]
    else:
        lists += find_image_lists(data)
    if not lists:
        raise DataError(
            f"{data} has no lists of single frames of the paper's form "
            "(ucf101_singleFrame_RGB_train_split1.txt). Add them, or give a list with path and "
            "label."
        )
    fold = fold_of(request, sorted({fold for _, fold, _ in lists}))
    folders = [f for path, n, split in lists if n == fold for f in _folders(path, split)]
    home = data if data.is_dir() else data.parent
    finder = best_root(
        request,
        [home, home / "frames", home / "flow_images"],
        [folder.folder for folder in folders],
    )
    names = _class_names(folders)
    entries = [
        Entry(
            path=finder.find(folder.folder) or finder.root / folder.folder,
            name=_name(folder, names[folder.label]),
            class_names=(names[folder.label],),
            group=f"{names[folder.label]}/g{match['group']}" if (match := folder.match) else None,
            split=folder.split,
            where=folder.where,
        )
        for folder in folders
    ]
    return Listing(
        entries=tuple(entries),
        class_names=tuple(names[label] for label in sorted(names)),
        official_split=all(folder.split is not None for folder in folders),
        group_source="official names (_gNN_)" if all(e.group for e in entries) else None,
    )


def _name(folder: _Folder, class_name: str) -> str:
    """As the lists of videos write it, `ClassFolder/video`, so that results match by id."""
    flat = folder.match is not None and "/" not in folder.folder
    return f"{class_name}/{folder.folder}" if flat else folder.folder


def _folders(path: Path, split: Split | None) -> Iterator[_Folder]:
    """Every folder once; the lists have more than a million lines.

    Raises:
        DataError: a line is not understood, or a folder has two labels.
    """
    labels: dict[str, int] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        listed, label = [*line.replace("\\", "/").rsplit(None, 1), ""][:2]
        folder = listed.strip().removeprefix("./").rpartition("/")[0]
        where = f"{path.name}, line {number}"
        if not folder or not (label.isascii() and label.isdigit()):
            raise DataError(
                f"{where}: {line.strip()!r}; the lines are `folder/picture.jpg 0`, labels from 0. "
                "Mend the line."
            )
        if folder not in labels:
            labels[folder] = int(label)
            yield _Folder(where, folder, int(label), split)
        elif labels[folder] != int(label):
            raise DataError(
                f"{where}: {folder} has the label {label}, but {labels[folder]} before; all "
                "pictures of a folder are one video with one label. Mend the list."
            )


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from file
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}. Fetch it again.") from error


def _class_names(folders: list[_Folder]) -> dict[int, str]:
    """From the names of the videos, where all have UCF101's form; else the labels themselves."""
    matches = [folder.match for folder in folders]
    if not all(matches):
        return {folder.label: str(folder.label) for folder in folders}
    named = [
        (match["name"], folder) for match, folder in zip(matches, folders, strict=True) if match
    ]
    return class_names_by_label([(folder.where, name, folder.label) for name, folder in named])
