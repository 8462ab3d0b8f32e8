"""Hugging Face's `imagefolder`: pictures with a metadata.csv or metadata.jsonl beside them.

The file lies in DATA, or in each of DATA/train, DATA/test, ...; its `file_name` is relative to it,
its caption in a column `text` or `caption`. `videofolder` with captions is read the same way.
Source: https://huggingface.co/docs/datasets/image_dataset
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lrcn.data.captions.entries import CaptionEntry, CaptionListing, CaptionRequest, join
from lrcn.data.captions.tables import is_caption_list, read_list
from lrcn.data.datasets.entries import SPLIT_WORDS
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError
from lrcn.structures import Split

METADATA_NAMES = ("metadata.csv", "metadata.jsonl")


def read_imagefolder(request: CaptionRequest) -> CaptionListing:
    """The reader of the layout "imagefolder".

    Raises:
        DataError: no metadata file, two of them in one folder, or a line is not understood.
    """
    data = request.data if request.data.is_dir() else request.data.parent
    found = find_metadata(data)
    if request.data.is_file():
        found = [(path, split) for path, split in found if path == request.data]
    if not found:
        raise DataError(
            f"{request.data} has no {' or '.join(METADATA_NAMES)} with a caption, nor have its "
            f"train, val and test folders. The layout imagefolder needs one; add it."
        )
    return join([_read_one(path, split, data, request) for path, split in found])


def find_metadata(data: Path) -> list[tuple[Path, Split | None]]:
    """The metadata files with captions of DATA and of its split folders.

    Raises:
        DataError: a folder has both a CSV and a JSONL.
    """
    places: list[tuple[Path, Split | None]] = [(data, None)]
    places += [
        (path, SPLIT_WORDS[path.name.lower()])
        for path in visible(data)
        if path.is_dir() and path.name.lower() in SPLIT_WORDS
    ]
    found = []
    for folder, split in places:
        files = [folder / name for name in METADATA_NAMES if is_caption_list(folder / name)]
        if len(files) > 1:
            raise DataError(
                f"{folder} has both {' and '.join(METADATA_NAMES)}; one is needed. Remove one."
            )
        found += [(path, split) for path in files]
    return found


def _read_one(
    path: Path, split: Split | None, data: Path, request: CaptionRequest
) -> CaptionListing:
    listing = read_list(path, request, split=split, roots=(path.parent,))
    below = path.parent.relative_to(data).as_posix()
    entries = [_named_below(entry, below) for entry in listing.entries]
    if all(entry.split is None for entry in entries):
        parts = [SPLIT_WORDS.get(entry.name.split("/")[0].lower()) for entry in entries]
        if all(parts):
            entries = [replace(e, split=part) for e, part in zip(entries, parts, strict=True)]
    return replace(listing, entries=tuple(entries))


def _named_below(entry: CaptionEntry, below: str) -> CaptionEntry:
    """Ids of split folders' pictures start with the folder, so that they stay unique."""
    if below == "." or entry.item_id is not None:
        return entry
    return replace(entry, item_id=f"{below}/{entry.name}")
