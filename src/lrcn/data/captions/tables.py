"""Plain lists of captions: CSV and TSV with columns, JSON lines, a JSON list or a JSON mapping.

A path, and one caption or many: in a column, in numbered columns (caption_1, caption_2), as a
list, or one line each. Optional: split, id, start_seconds and end_seconds.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lrcn.data.captions.entries import CaptionEntry, CaptionListing, CaptionRequest, join
from lrcn.data.captions.files import caption_of, read_text, shown
from lrcn.data.captions.rows import read_rows
from lrcn.data.datasets.entries import SPLIT_WORDS, read_split_word
from lrcn.data.datasets.tables import COLUMNS, Row
from lrcn.data.datasets.walk import visible
from lrcn.errors import DataError
from lrcn.settings import did_you_mean
from lrcn.structures import Split

TEXT_EXTENSIONS = frozenset({".csv", ".tsv", ".txt"})
JSON_EXTENSIONS = frozenset({".jsonl", ".ndjson", ".json"})

CAPTION_COLUMNS: dict[str, tuple[str, ...]] = {
    "path": (*COLUMNS["path"], "image", "image_path", "image_name", "image_file", "img", "photo",
             "picture", "clip"),
    "caption": ("caption", "captions", "sentence", "sentences", "text", "texts", "description",
                "descriptions", "comment", "comments", "raw"),
    "split": COLUMNS["split"],
    "start": COLUMNS["start"],
    "end": COLUMNS["end"],
    "id": ("id", "item_id", "image_id", "video_id"),
}  # fmt: skip
"""Role to the column names that mean it, in any letter case; the first found is taken."""

_NUMBERED = re.compile(r"(caption|sentence|text|description|comment)s?[ _-]?\d+")


@dataclass(frozen=True)
class Roles:
    """Which column means what."""

    by_role: Mapping[str, str]
    captions: tuple[str, ...]
    """Columns with captions: one, or numbered ones."""

    @property
    def usable(self) -> bool:
        """Whether there is something to describe and a caption."""
        return bool(self.captions) and ("path" in self.by_role or "id" in self.by_role)


def read_tables(request: CaptionRequest) -> CaptionListing:
    """The reader of the layouts "csv" and "jsonl".

    Raises:
        DataError: no list, or one that is not understood.
    """
    if request.data.is_file():
        return read_list(request.data, request)
    lists = find_lists(request.data, request.columns)
    if not lists:
        raise DataError(
            f"{request.data} holds no list of captions: a CSV or JSON lines file with a path and a "
            f"caption. Give the list itself as DATA."
        )
    return join([read_list(path, request, split=split) for path, split in lists])


def read_list(
    path: Path,
    request: CaptionRequest,
    *,
    split: Split | None = None,
    roots: tuple[Path, ...] | None = None,
) -> CaptionListing:
    """One list.

    Args:
        path: the list.
        request: its `columns` name columns that `CAPTION_COLUMNS` does not know.
        split: of every line that says nothing else ("train.csv").
        roots: folders of the media; None for the list's own and `images` in it.

    Raises:
        DataError: the list or one of its lines is not understood.
    """

    def captions_of(names: list[str]) -> tuple[str, ...] | None:
        if request.columns and len(names) < 2:
            return None  # not the delimiter; with it, an absent column is an error
        found = assign_roles(names, request.columns, path.name)
        return found.captions if found.usable else None

    rows, roles = _json_rows(path) if is_json(path) else read_rows(path, captions_of)
    assigned = assign_roles(roles, request.columns, path.name)
    if not assigned.usable:
        raise DataError(_no_column(path, roles, assigned))
    places = roots if roots is not None else (path.parent, path.parent / "images")
    entries = [_entry(row, assigned, split, places) for row in rows]
    return CaptionListing(entries=tuple(entries))


def find_lists(folder: Path, columns: Mapping[str, str]) -> list[tuple[Path, Split | None]]:
    """The lists of captions that lie directly in a folder, with the part that their name says.

    Raises:
        DataError: two lists, and their names do not say which part each is.
    """
    found = [path for path in visible(folder) if is_caption_list(path, columns)]
    parts = [(path, part_of_name(path)) for path in found]
    named = [split for _, split in parts if split is not None]
    if len(found) > 1 and (len(set(named)) < len(found)):
        raise DataError(
            f"{folder} has {len(found)} lists of captions: {', '.join(p.name for p in found)}. "
            f"Give the one that is meant as DATA, or name them train, val and test."
        )
    return parts


def part_of_name(path: Path) -> Split | None:
    """The part of the data that a list's name says: train.csv, captions_val.jsonl."""
    words = re.split(r"[_.\- ]", path.stem.lower())
    return next((SPLIT_WORDS[word] for word in (words[0], words[-1]) if word in SPLIT_WORDS), None)


def is_caption_list(path: Path, columns: Mapping[str, str] | None = None) -> bool:
    """Whether a file is a list with captions, by its first lines."""
    extension = path.suffix.lower()
    if not path.is_file() or extension not in TEXT_EXTENSIONS | JSON_EXTENSIONS:
        return False
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            start = file.read(1 << 16)
    except OSError:
        return False
    known = dict(columns or {})
    try:
        if extension in JSON_EXTENSIONS:
            return assign_roles(_first_keys(start), known, path.name).usable
        line = next((line for line in start.splitlines() if line.strip()), "")
        return any(
            assign_roles(_cells(line, delimiter), known, path.name).usable for delimiter in "\t,;|"
        )
    except (DataError, csv.Error):
        return False


def is_json(path: Path) -> bool:
    """Whether the name says JSON."""
    return path.suffix.lower() in JSON_EXTENSIONS


def assign_roles(names: list[str], columns: Mapping[str, str], where: str) -> Roles:
    """Which column means what.

    Raises:
        DataError: a column that was named is not there.
    """
    by_lower = {name.strip().lower(): name for name in reversed(names)}
    roles: dict[str, str] = {}
    for role, synonyms in CAPTION_COLUMNS.items():
        wanted = (columns[role].strip().lower(),) if role in columns else synonyms
        found = [by_lower[name] for name in wanted if name in by_lower]
        if found:
            roles[role] = found[0]
        elif role in columns:
            raise DataError(
                f"{where} has no column {columns[role]!r} for the {role}; its columns are "
                f"{', '.join(names)}.{did_you_mean(wanted[0], list(by_lower))} Name one of them."
            )
    numbered = [name for name in names if _NUMBERED.fullmatch(name.strip().lower())]
    captions = (roles["caption"],) if "caption" in roles else ()
    if "caption" not in columns:
        captions = (*captions, *numbered)
    return Roles(roles, captions)


def _entry(row: Row, roles: Roles, split: Split | None, places: tuple[Path, ...]) -> CaptionEntry:
    cells = {role: row.cells.get(name) for role, name in roles.by_role.items() if role != "caption"}
    named = replace(row, cells=cells)
    item_id = named.text("id") or None
    name = named.text("path") or item_id
    if name is None:
        raise DataError(f"{row.where} has no path; every line names a file. Fill or remove it.")
    start, end = named.seconds("start"), named.seconds("end")
    if end is not None and end <= (start or 0.0):
        raise DataError(
            f"{row.where}: the interval {start or 0.0} to {end} seconds is empty; the end comes "
            f"after the start. Mend the line."
        )
    captions: list[str] = []
    for column in roles.captions:
        captions += _captions(row.cells.get(column), column, row.where)
    return CaptionEntry(
        name=name.replace("\\", "/"),
        item_id=item_id,
        captions=tuple(captions),
        roots=places,
        split=read_split_word(named.text("split"), row.where) or split,
        start_seconds=start,
        end_seconds=end,
        where=row.where,
    )


def _captions(value: Any, column: str, where: str) -> list[str]:
    """The captions in a cell: a text, a list, or (under a plural name) a list written as text."""
    if isinstance(value, str) and column.strip().lower().endswith("s"):
        value = _written_list(value)
    if not isinstance(value, list):
        return [caption_of(value, where)]
    return [
        caption_of(next((v[k] for k in ("raw", "caption", "text") if k in v), v), where)
        if isinstance(v, dict)
        else caption_of(v, where)
        for v in value
    ]


def _written_list(text: str) -> Any:
    """A list in JSON or Python's spelling, or the text as it is."""
    if not (text.strip().startswith("[") and text.strip().endswith("]")):
        return text
    parsers: tuple[Callable[[str], Any], ...] = (json.loads, ast.literal_eval)
    for parse in parsers:
        try:
            value = parse(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, list) else text
    return text


def _json_rows(path: Path) -> tuple[list[Row], list[str]]:
    """Objects as rows, and all their keys."""
    objects = _json_objects(path, read_text(path))
    if not objects:
        raise DataError(
            f"{path} is empty; a list has one line per photo or video. Fill it, or give another."
        )
    names = list(dict.fromkeys(key for _, entry in objects for key in entry))
    return [Row(entry, f"{path.name}, {where}") for where, entry in objects], names


def _json_objects(path: Path, text: str) -> list[tuple[str, dict[str, Any]]]:
    whole = _whole(text)
    if isinstance(whole, list):
        numbered = [(f"entry {n}", entry) for n, entry in enumerate(whole, 1)]
    elif isinstance(whole, dict) and _is_mapping(whole):
        return [(f"entry {name!r}", {"path": name, "captions": v}) for name, v in whole.items()]
    else:
        numbered = []
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                numbered.append((f"line {number}", _line(path, number, line)))
    for where, entry in numbered:
        if not isinstance(entry, dict):
            raise DataError(
                f"{path.name}, {where} is {shown(entry)}; every line is one object "
                f'({{"path": "a.jpg", "captions": ["A dog runs."]}}). Mend it.'
            )
    return numbered


def _whole(text: str) -> Any:
    """The document when it is one; None when it is JSON lines or damaged."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_mapping(document: dict[str, Any]) -> bool:
    """{"a.jpg": ["one", "two"], ...}, and not a single line of JSON lines."""
    by_path = all("." in name for name in document)
    return by_path and all(isinstance(v, str | list) for v in document.values())


def _line(path: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path.name}, line {number} is not JSON: {error}. Every line is one object "
            f'({{"path": "a.jpg", "captions": ["A dog runs."]}}). Mend the line.'
        ) from error


def _first_keys(start: str) -> list[str]:
    """The keys of the first object in the first lines of a JSON file."""
    text = start.lstrip().removeprefix("[").lstrip()
    try:
        first, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        keys = re.match(r'\{\s*"((?:[^"\\]|\\.)+)"\s*:\s*[\["]', text)
        return ["path", "captions"] if keys and "." in keys[1] else []
    if not isinstance(first, dict) or not first:
        return []
    return ["path", "captions"] if _is_mapping(first) else list(map(str, first))


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _no_column(path: Path, names: list[str], roles: Roles) -> str:
    missing = "path" if roles.captions else "caption"
    return (
        f"{path.name} has no column for the {missing}; its columns are "
        f"{', '.join(names)[:200] or 'none'}. It may be called "
        f"{', '.join(CAPTION_COLUMNS[missing])}, in any letter case. Rename the column."
    )
