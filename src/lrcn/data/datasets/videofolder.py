"""Hugging Face's `videofolder`: videos with a metadata.csv or metadata.jsonl beside them.

The file lies in DATA, or in each of DATA/train, DATA/test, ...; its `file_name` is relative to
it. A label comes from a column, or from the folder that holds the video.
Source: https://huggingface.co/docs/datasets/video_dataset
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lrcn.data.datasets.entries import SPLIT_WORDS, Entry, Listing, Request
from lrcn.data.datasets.listfile import join_listings, read_list
from lrcn.data.datasets.tables import read_header
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError
from lrcn.structures import Split

METADATA_NAMES = ("metadata.csv", "metadata.jsonl")


def read_videofolder(request: Request) -> Listing:
    """The reader of the layout "videofolder".

    Raises:
        DataError: no metadata file, two of them in one folder, or a line is not understood.
    """
    found = find_metadata(request.data)
    if not found:
        raise DataError(
            f"{request.data} has no {' or '.join(METADATA_NAMES)}, nor have its train, val and "
            f"test folders. The layout videofolder needs one; add it, or use class folders."
        )
    return join_listings([_read_one(path, split, request) for path, split in found])


def find_metadata(data: Path) -> list[tuple[Path, Split | None]]:
    """The metadata files of DATA and of its split folders; they have a column `file_name`.

    Raises:
        DataError: a folder has both a CSV and a JSONL.
    """
    places: list[tuple[Path, Split | None]] = [(data, None)]
    places += [
        (folder, SPLIT_WORDS[folder.name.lower()])
        for folder in visible(data)
        if folder.is_dir() and folder.name.lower() in SPLIT_WORDS
    ]
    found = []
    for folder, split in places:
        files = [folder / name for name in METADATA_NAMES]
        files = [path for path in files if "file_name" in read_header(path)]
        if len(files) > 1:
            raise DataError(
                f"{folder} has both {' and '.join(METADATA_NAMES)}; one is needed. Remove one."
            )
        found += [(path, split) for path in files]
    return found


def _read_one(path: Path, split: Split | None, request: Request) -> Listing:
    base = replace(request, videos_root=None)
    listing = read_list(path, base, split=split, label_of=lambda name: _folder_of(name, path))
    entries = [replace(e, name=_name_below(e, path, request.data)) for e in listing.entries]
    if all(entry.split is None for entry in entries):
        parts = [SPLIT_WORDS.get(entry.name.split("/")[0].lower()) for entry in entries]
        if all(parts):
            entries = [replace(e, split=part) for e, part in zip(entries, parts, strict=True)]
    return replace(listing, entries=tuple(entries))


def _folder_of(name: str, path: Path) -> str:
    parts = name.replace("\\", "/").split("/")
    if len(parts) < 2:
        raise DataError(
            f"{path} has no column for the label, and {name} lies in no class folder. Add a "
            f"column `label`, or put the videos into class folders."
        )
    return parts[-2]


def _name_below(entry: Entry, path: Path, data: Path) -> str:
    """Names of split folders' metadata start with the folder, so that ids stay unique."""
    below = path.parent.relative_to(data).as_posix()
    return entry.name if below == "." else f"{below}/{entry.name}"
