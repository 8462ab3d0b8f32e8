"""Kinetics-style lists: label, youtube_id, time_start, time_end, split.

A clip lies anywhere below DATA (or --videos-root), flat or in class folders, and is called
`<id>_<start>_<end>.mp4` with six digits each (or as downloaders write them), cut already; a file
`<id>.mp4` is the whole video, of which the interval is used. The YouTube id is the group.
Source: https://github.com/cvdfoundation/kinetics-dataset
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from lrcn.data.datasets.entries import SPLIT_WORDS, Entry, Listing, Request, count, read_split_word
from lrcn.data.datasets.tables import TEXT_EXTENSIONS, read_header
from lrcn.data.datasets.walk import find_media, strip_media_extension, visible
from lrcn.errors import DataError
from lrcn.structures import Split

COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
_NEEDED = {"youtube_id", "time_start", "time_end"}


def read_kinetics(request: Request) -> Listing:
    """The reader of the layout "kinetics".

    Raises:
        DataError: no such list, or a line is not understood.
    """
    lists = find_lists(request.data)
    if not lists:
        raise DataError(
            f"{request.data} is no Kinetics list and holds none: a CSV with the columns "
            f"{', '.join(COLUMNS)}, in it or in its annotations/. Check the path."
        )
    root = request.videos_root or (request.data if request.data.is_dir() else request.data.parent)
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; it holds the videos. Check --videos-root.")
    by_stem: dict[str, list[Path]] = {}
    for path in find_media(root).media:
        by_stem.setdefault(strip_media_extension(path.name), []).append(path)
    entries: list[Entry] = []
    unlabelled = 0
    for path in lists:
        for where, cells in _rows(path):
            if not cells.get("label", "").strip():
                unlabelled += 1
                continue
            entries.append(_entry(cells, where, by_stem, root, _split_of(path)))
    notes = (f"{count(unlabelled, 'line')} without a label left out",) if unlabelled else ()
    return Listing(
        entries=tuple(entries),
        official_split=all(entry.split is not None for entry in entries),
        group_source="official names (YouTube ids)",
        notes=notes,
    )


def find_lists(data: Path) -> list[Path]:
    """DATA itself, or the Kinetics lists in it or in its annotations/ folder."""
    if data.is_file():
        return [data] if is_kinetics_list(data) else []
    folders = [data, data / "annotations"]
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in visible(folder)
        if path.suffix.lower() == ".csv" and is_kinetics_list(path)
    ]


def is_kinetics_list(path: Path) -> bool:
    """Whether the header is that of a Kinetics list."""
    return path.suffix.lower() in TEXT_EXTENSIONS and set(read_header(path)) >= _NEEDED


def _rows(path: Path) -> list[tuple[str, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True, restval="")
            reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
            return [(f"{path.name}, line {reader.line_num}", row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}. Fetch the list again.") from error


def _split_of(path: Path) -> Split | None:
    """`train.csv`, `kinetics-400_val.csv`: the part that the list's name says."""
    words = re.split(r"[^a-z]+", path.stem.lower())
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)


def _entry(
    cells: dict[str, str],
    where: str,
    by_stem: dict[str, list[Path]],
    root: Path,
    list_split: Split | None,
) -> Entry:
    video, label = cells["youtube_id"].strip(), cells["label"].strip()
    try:
        start, end = float(cells["time_start"]), float(cells["time_end"])
    except ValueError:
        start = end = 0.0
    if not video or not 0 <= start < end < float("inf"):
        raise DataError(
            f"{where}: {cells!r}; a line has a youtube_id and an interval in seconds whose end "
            f"comes after its start. Mend the line."
        )
    trimmed = f"{video}_{start:06.0f}_{end:06.0f}"
    path = _choose(by_stem.get(trimmed) or by_stem.get(f"{video}_{start:g}_{end:g}"), label)
    whole = None if path else _choose(by_stem.get(video), label)
    found = path or whole or root / f"{trimmed}.mp4"
    split = read_split_word(cells.get("split", ""), where) or list_split
    return Entry(
        path=found,
        name=video if whole else trimmed,
        class_names=(label,),
        group=video,
        split=split,
        start_seconds=start if whole else None,
        end_seconds=end if whole else None,
        where=where,
    )


def _choose(paths: list[Path] | None, label: str) -> Path | None:
    """Of several files of one name, the one in the label's folder."""
    if not paths:
        return None
    folders = {label, label.replace(" ", "_")}
    return next((p for p in paths if p.parent.name in folders), paths[0])
