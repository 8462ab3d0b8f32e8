"""Finding the list files of a folder: one list, or one per part (train.csv, test.csv)."""

from __future__ import annotations

from pathlib import Path

from lrcn.data.datasets.entries import SPLIT_WORDS, Listing, Request
from lrcn.data.datasets.listfile import join_listings, read_list
from lrcn.data.datasets.tables import (
    JSON_EXTENSIONS,
    TEXT_EXTENSIONS,
    has_roles,
    read_header,
    written_here,
)
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError
from lrcn.structures import Split

LIST_EXTENSIONS = TEXT_EXTENSIONS | JSON_EXTENSIONS


def find_lists(folder: Path) -> list[tuple[Path, Split | None]]:
    """The lists that lie directly in a folder, with the part that their name says.

    A list is a file named train, val or test; otherwise a file whose header names a path (or a
    video id) and a label. Lists that this program wrote (clean lists, divisions) do not count:
    they are used when they are given as DATA.

    Raises:
        DataError: two lists, and their names do not say which part each is.
    """
    files = [
        path
        for path in visible(folder)
        if path.is_file() and path.suffix.lower() in LIST_EXTENSIONS and not written_here(path)
    ]
    parts = [(p, SPLIT_WORDS[p.stem.lower()]) for p in files if p.stem.lower() in SPLIT_WORDS]
    if any(split in ("train", "test") for _, split in parts):
        if len({split for _, split in parts}) < len(parts):
            raise DataError(
                f"{folder} has two lists for one part of the split: "
                f"{', '.join(p.name for p, _ in parts)}. Remove one, or give one list as DATA."
            )
        return list(parts)
    known = [path for path in files if _is_list(path)]
    if len(known) > 1:
        raise DataError(
            f"{folder} has {len(known)} lists: {', '.join(p.name for p in known)}. Give the one "
            f"that is meant as DATA, or name them train, val and test."
        )
    return [(path, None) for path in known]


def read_lists(request: Request) -> Listing:
    """The lists of a folder as one data set.

    Raises:
        DataError: none, or a line is not understood.
    """
    lists = find_lists(request.data)
    if not lists:
        raise DataError(
            f"{request.data} holds no list: a CSV or JSON lines file with a path and a label. "
            f"Give the list itself as DATA."
        )
    return join_listings([read_list(path, request, split=split) for path, split in lists])


def _is_list(path: Path) -> bool:
    header = read_header(path)
    return has_roles(header, "label") and (
        has_roles(header, "path") or has_roles(header, "video_id")
    )
