"""CSV, TSV and JSON lines: one line per video or per interval of a video.

Columns (synonyms in `tables.COLUMNS`): a path, relative to the list; a label, several separated
by ";"; optional group, split (train, val, test), start_seconds, end_seconds, video_id.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lrcn.data.datasets.entries import Entry, Listing, Request, count, read_split_word
from lrcn.data.datasets.tables import COLUMNS, Row, Table, read_table
from lrcn.data.datasets.walk import MEDIA_EXTENSIONS, exists, has_media_name
from lrcn.errors import DataError
from lrcn.structures import Split

LABEL_SEPARATOR = ";"


def read_listfile(request: Request) -> Listing:
    """The reader of the layouts "csv" and "jsonl".

    Raises:
        DataError: the list or one of its lines is not understood.
    """
    return read_list(request.data, request)


def read_list(
    path: Path,
    request: Request,
    *,
    split: Split | None = None,
    label_of: Callable[[str], str] | None = None,
) -> Listing:
    """One list file.

    Args:
        path: the list.
        request: columns and `videos_root` (the folder that paths are relative to, otherwise the
            list's own).
        split: of every line, where the list's own name says it ("train.csv").
        label_of: the class by the path as written, where the list has no label column.

    Raises:
        DataError: the list or one of its lines is not understood.
    """
    base = request.videos_root or path.parent

    def looks_like_path(text: str) -> bool:
        return has_media_name(text) or exists(base / text)

    table = read_table(path, columns=request.columns, looks_like_path=looks_like_path)
    if "path" not in table.roles and "video_id" not in table.roles:
        raise DataError(_no_column(table, "path"))
    if "label" not in table.roles and label_of is None:
        raise DataError(_no_column(table, "label"))
    labels, multi_label = _read_labels(table, label_of)
    entries = [
        _entry(row, base, names, split=split) for row, names in zip(table.rows, labels, strict=True)
    ]
    return Listing(
        entries=tuple(entries),
        multi_label=multi_label,
        group_source="column" if "group" in table.roles else None,
    )


def join_listings(listings: list[Listing]) -> Listing:
    """Several lists of one data set (train.csv and test.csv) as one."""
    multi_label = any(part.multi_label for part in listings)
    return Listing(
        entries=tuple(entry for part in listings for entry in part.entries),
        multi_label=multi_label,
        group_source=next((p.group_source for p in listings if p.group_source), None),
        skipped=tuple(s for part in listings for s in part.skipped),
        notes=tuple(dict.fromkeys(n for part in listings for n in part.notes)),
    )


def _no_column(table: Table, role: str) -> str:
    others = ", ".join(sorted(table.roles)) or "none that is known"
    return (
        f"{table.path.name} has no column for the {role} (understood: {others}). "
        f"It may be called {', '.join(COLUMNS[role])}, in any letter case. Rename the column."
    )


def _entry(row: Row, base: Path, names: tuple[str, ...], *, split: Split | None) -> Entry:
    text = row.text("path")
    video_id = row.text("video_id") or None
    if not text and video_id is None:
        raise DataError(f"{row.where} has no path; every line names a video. Fill or remove it.")
    name = (text or str(video_id)).replace("\\", "/")
    start, end = row.seconds("start"), row.seconds("end")
    if end is not None and end <= (start or 0.0):
        raise DataError(
            f"{row.where}: the interval {start or 0.0} to {end} seconds is empty; the end comes "
            f"after the start. Mend the line."
        )
    return Entry(
        path=resolve(base, name),
        name=name,
        class_names=names,
        group=row.text("group") or None,
        split=read_split_word(row.text("split"), row.where) or split,
        start_seconds=start,
        end_seconds=end,
        video_id=video_id,
        where=row.where,
    )


def resolve(base: Path, text: str) -> Path:
    """The file that a list means: below `base`, or absolute; Windows separators are understood.

    Composed and decomposed accents ("é" as one character or two) are taken for each other; a
    name without an extension means the video, folder of frames or feature file of that name.
    """
    plain = text.replace("\\", "/")
    choices = [text, plain, *(unicodedata.normalize(form, plain) for form in ("NFC", "NFD"))]
    if not has_media_name(plain):
        choices += [plain + extension for extension in MEDIA_EXTENSIONS]
    return next((base / choice for choice in choices if exists(base / choice)), base / plain)


def _read_labels(
    table: Table, label_of: Callable[[str], str] | None
) -> tuple[list[tuple[str, ...]], bool]:
    """The class names of every row, and whether any row has other than one label by design."""
    cells: list[tuple[str, ...]] = []
    several = False
    empty: list[str] = []
    for row in table.rows:
        if "label" in table.roles:
            names = _split_labels(row)
        else:
            assert label_of is not None
            names = (label_of(row.text("path")),)
        several |= len(names) > 1
        if not names:
            empty.append(row.where)
        cells.append(names)
    if empty and not several:
        raise DataError(
            f"{count(len(empty), 'line')} without a label, the first: {empty[0]}. Every video has "
            f"one, or several separated by {LABEL_SEPARATOR!r}. Fill or remove the lines."
        )
    return cells, several


def _split_labels(row: Row) -> tuple[str, ...]:
    value = row.cells.get("label")
    if isinstance(value, list):
        parts = [replace_cell(row, part).text("label") for part in value]
    else:
        parts = row.text("label").split(LABEL_SEPARATOR)
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def replace_cell(row: Row, value: object) -> Row:
    """The row with another label."""
    return replace(row, cells={**row.cells, "label": value})
