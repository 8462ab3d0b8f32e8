"""What passes between a layout's reader and the builder of the list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lrcn.errors import DataError
from lrcn.settings import did_you_mean
from lrcn.structures import SkippedFile, Split

SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
"""What people call the parts, in columns and as folders, to what they are called here."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a layout's reader is asked for."""

    data: Path
    fold: int | None = None
    videos_root: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """Role ("path", "label", "group", "split", "start", "end", "video_id") to column name."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a list, or one file found in a class folder; its file may be absent."""

    path: Path
    name: str
    """The path as the data set writes it, "/" between its parts: ids and patterns use it."""
    class_names: tuple[str, ...]
    group: str | None = None
    """From a column, or published with the data set."""
    folder_group: str | None = None
    """The sub-folder below the class folder: a group if nothing better is known."""
    split: Split | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    video_id: str | None = None
    """As listed; in a feature file that holds many arrays, the name of this one."""
    where: str = ""
    """For messages: "labels.csv, line 3"."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A data set as its layout's reader understood it, before any check."""

    entries: tuple[Entry, ...]
    class_names: tuple[str, ...] | None = None
    """In published order; None for sorted."""
    official_split: bool = False
    multi_label: bool = False
    group_source: str | None = None
    """How `Entry.group` is known ("column", "official names"); None where it is not."""
    skipped: tuple[SkippedFile, ...] = ()
    others: tuple[Path, ...] = ()
    """What lies among the media and is none: files of other kinds, empty folders."""
    notes: tuple[str, ...] = ()


def read_split_word(text: str, where: str) -> Split | None:
    """One of "train", "val" and "test" from a cell; None from an empty one.

    Raises:
        DataError: any other word.
    """
    word = text.strip().lower()
    if not word:
        return None
    if word not in SPLIT_WORDS:
        raise DataError(
            f"{where}: split {text!r} is unknown; it is one of train, val, test."
            f"{did_you_mean(word, list(SPLIT_WORDS))} Change the cell, or leave the column out."
        )
    return SPLIT_WORDS[word]


def class_order(names: set[str]) -> tuple[str, ...]:
    """Sorted; by value where all are whole numbers ("2" before "10")."""
    if names and all(n.isascii() and n.isdigit() for n in names):
        return tuple(sorted(names, key=lambda n: (int(n), n)))
    return tuple(sorted(names))


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 file", "2 files", "3 classes"."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"
