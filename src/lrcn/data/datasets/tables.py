"""List files as rows of named text: CSV, TSV and JSON lines.

What people's files look like is allowed: a byte-order mark, CRLF, quoted cells, blank lines, a
header in any letter case, or no header but `path label` on every line. What cannot be understood
in one way only is refused with the line's number; nothing is guessed per line.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrcn.errors import DataError
from lrcn.settings import did_you_mean

TEXT_EXTENSIONS = frozenset({".csv", ".tsv", ".txt", ".lst"})
JSON_EXTENSIONS = frozenset({".jsonl", ".ndjson", ".json"})

COLUMNS: dict[str, tuple[str, ...]] = {
    "path": ("path", "video", "file", "filename", "file_name", "filepath", "file_path",
             "video_path"),
    "label": ("label", "labels", "class", "classes", "class_name", "class_names", "action",
              "category"),
    "group": ("group", "group_id", "source", "subject", "person"),
    "split": ("split", "subset", "partition"),
    "start": ("start_seconds", "start", "start_time", "time_start"),
    "end": ("end_seconds", "end", "end_time", "time_end"),
    "video_id": ("video_id", "id"),
}  # fmt: skip
"""Role to the column names that mean it, in any letter case; the first found is taken."""

COMMENT_MARK = "# lrcn"
"""A first line that starts so describes the list (`lrcn.data.split`) and is no row."""


_PAPER_LINE = re.compile(r"[^/\s]+/[^/]+\s\d+", re.ASCII)
"""`Archery/v_Archery_g01_c01 0` (paper.md 5.3)."""

NAME_ERRORS = "surrogateescape"
"""File names need not be text: what this program writes keeps their bytes, and reads them back."""


@dataclass(frozen=True)
class Row:
    """One line: role to cell. JSON cells may be numbers or lists; CSV cells are text."""

    cells: Mapping[str, Any]
    where: str
    """"labels.csv, line 3"."""

    def text(self, role: str) -> str:
        """The cell as stripped text; empty when there is none.

        Raises:
            DataError: the cell is true, false, a list or an object.
        """
        value = self.cells.get(role)
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise DataError(
                f"{self.where}: {role} is {json.dumps(value)}; text or a number is needed. "
                f"Change the value."
            )
        return str(value).strip()

    def seconds(self, role: str) -> float | None:
        """The cell as seconds, None when empty.

        Raises:
            DataError: not a finite number of zero or more.
        """
        text = self.text(role)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise DataError(
                f"{self.where}: {role} is {text!r}; seconds are needed, a number of zero or more "
                f'("12.5"). Change the cell.'
            )
        return value


@dataclass(frozen=True)
class Table:
    """The rows of a list file and the roles that its columns have."""

    path: Path
    rows: tuple[Row, ...]
    roles: frozenset[str]


def read_table(
    path: Path, *, columns: Mapping[str, str], looks_like_path: Callable[[str], bool]
) -> Table:
    """Read a list file.

    Args:
        path: with an extension of `TEXT_EXTENSIONS` or `JSON_EXTENSIONS`.
        columns: role to column name, where the file's names are not those of `COLUMNS`.
        looks_like_path: tells a path from a heading in a list without a header.

    Raises:
        DataError: unreadable, not text, no rows, no known columns, ragged rows.
    """
    text = _read_text(path)
    if path.suffix.lower() in JSON_EXTENSIONS:
        return _json_table(path, text, columns)
    return _text_table(path, text, columns, looks_like_path)


def read_header(path: Path) -> tuple[str, ...]:
    """The cells of the first line in lower case (the keys of the first object of JSON lines)."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline=None) as file:
            line = file.readline(1 << 16).strip()
            if line.startswith(COMMENT_MARK):
                line = file.readline(1 << 16).strip()
    except OSError:
        return ()
    if path.suffix.lower() in JSON_EXTENSIONS:
        try:
            first = json.loads(line)
        except (ValueError, RecursionError):
            return ()
        return tuple(str(k).lower() for k in first) if isinstance(first, dict) else ()
    delimiter = next((d for d in ("\t", ",", ";", "|") if d in line), " ")
    return tuple(cell.strip().lower() for cell in next(csv.reader([line], delimiter=delimiter), []))


def written_here(path: Path) -> bool:
    """Whether the list was written by this program (it starts with `COMMENT_MARK`)."""
    try:
        with path.open("rb") as file:
            return file.read(len(COMMENT_MARK)) == COMMENT_MARK.encode()
    except OSError:
        return False


def has_roles(header: tuple[str, ...], *roles: str) -> bool:
    """Whether a header names a column for each of the roles."""
    return all(set(COLUMNS[role]) & set(header) for role in roles)


def _read_text(path: Path) -> str:
    try:
        errors = NAME_ERRORS if written_here(path) else "strict"
        return path.read_text(encoding="utf-8-sig", errors=errors)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.start}); list files are UTF-8. "
            f"Save it again as UTF-8."
        ) from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. DATA is a folder or a list file; "
            f"check the path."
        ) from error


def _assign_roles(names: list[str], columns: Mapping[str, str], where: str) -> dict[str, str]:
    """Role to column name as written in the file."""
    by_lower = {name.strip().lower(): name for name in names}
    roles: dict[str, str] = {}
    for role, synonyms in COLUMNS.items():
        wanted = (columns[role].strip().lower(),) if role in columns else synonyms
        found = [by_lower[w] for w in wanted if w in by_lower]
        if found:
            roles[role] = found[0]
        elif role in columns:
            raise DataError(
                f"{where} has no column {columns[role]!r} for the {role}; its columns are "
                f"{', '.join(names)}.{did_you_mean(wanted[0], list(by_lower))} Name one of them."
            )
    return roles


def _text_table(
    path: Path, text: str, columns: Mapping[str, str], looks_like_path: Callable[[str], bool]
) -> Table:
    lines = text.split("\n")
    if lines and lines[0].startswith(COMMENT_MARK):
        lines[0] = ""
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise DataError(
            f"{path} is empty; a list has one line per video. Fill it, or give a folder."
        )
    delimiter = _header_delimiter(filled[0], columns)
    if delimiter is not None:
        numbered = _split_lines(path, lines, delimiter)
        names = [cell.strip() for cell in numbered[0][1]]
        roles = _assign_roles(names, columns, path.name)
        place = {role: names.index(name) for role, name in roles.items()}
        body = numbered[1:]
    else:
        numbered = _split_headerless(path, lines, looks_like_path)
        place = {"path": 0, "label": 1}
        body = numbered
    rows = tuple(
        Row({r: cells[i] for r, i in place.items()}, f"{path.name}, line {number}")
        for number, cells in body
    )
    return Table(path, rows, frozenset(place))


def _header_delimiter(line: str, columns: Mapping[str, str]) -> str | None:
    """The delimiter under which the line names a path or an id; None when it is no header."""
    known = {*COLUMNS["path"], *COLUMNS["video_id"], "youtube_id"}
    known |= {columns[role].strip().lower() for role in ("path", "video_id") if role in columns}
    if line.strip().lower() in known:
        return ","
    for delimiter in ("\t", ",", ";", "|", " "):
        cells = next(csv.reader([line], delimiter=delimiter), [])
        if len(cells) > 1 and any(cell.strip().lower() in known for cell in cells):
            return delimiter
    return None


def _split_lines(path: Path, lines: list[str], delimiter: str) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every row, each as long as the first."""
    text = io.StringIO("\n".join(line.strip(" ") for line in lines))
    reader = csv.reader(text, delimiter=delimiter, strict=True, skipinitialspace=True)
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path.name}, line {start}: {error}. A cell that holds {delimiter!r} or a quote is "
            f'written in quotes, quotes inside it twice ("a ""b"", c"). Mend the line.'
        ) from error
    width = len(rows[0][1])
    for number, cells in rows:
        if len(cells) != width:
            raise DataError(
                f"{path.name}, line {number} has {len(cells)} cells where the first line has "
                f"{width} (delimiter {delimiter!r}): {delimiter.join(cells)[:200]!r}. A cell that "
                f"holds the delimiter is written in quotes. Mend the line."
            )
    return rows


def _split_headerless(
    path: Path, lines: list[str], looks_like_path: Callable[[str], bool]
) -> list[tuple[int, list[str]]]:
    """Rows of `path label`: the one delimiter under which every first cell is a path.

    A blank separates at its last place, so that paths may hold blanks: "my clip.avi 3".
    """
    filled = [(n, line) for n, line in enumerate(lines, 1) if line.strip()]
    for delimiter in ("\t", ",", ";", "|"):
        if delimiter not in filled[0][1]:
            continue
        first = next(csv.reader([filled[0][1]], delimiter=delimiter))
        if len(first) == 2 and looks_like_path(first[0].strip()):
            return _split_lines(path, lines, delimiter)
    blank = [(n, line.rstrip().rsplit(maxsplit=1)) for n, line in filled]
    if len(blank[0][1]) == 2 and looks_like_path(blank[0][1][0]):
        for number, cells in blank:
            if len(cells) != 2:
                raise DataError(
                    f"{path.name}, line {number}: {' '.join(cells)!r} has no label; every line of "
                    f"this list is `path label`. Mend the line."
                )
        return blank
    raise DataError(
        f"{path.name} is not understood: its first line is {filled[0][1][:120]!r}. A list has a "
        f"header with a column for the path ({', '.join(COLUMNS['path'])}) and one for the label "
        f"({', '.join(COLUMNS['label'])}), or lines of `path,label` or `path label`. "
        f"{_advice(filled[0][1])}"
    )


def _advice(line: str) -> str:
    """What to do about a list whose first line is neither a header nor a path with a label."""
    if _PAPER_LINE.fullmatch(line.strip()) is None:
        return "Add a header."
    return (
        "Lines of `ClassFolder/video label` are the paper's: say so with --layout paper_frames, or"
        " name the list as the paper does (ucf101_split1_trainVideos.txt)."
    )


def _json_table(path: Path, text: str, columns: Mapping[str, str]) -> Table:
    objects = _json_objects(path, text)
    if not objects:
        raise DataError(
            f"{path} is empty; a list has one line per video. Fill it, or give a folder."
        )
    names = list(dict.fromkeys(key for _, entry in objects for key in entry))
    roles = _assign_roles(names, columns, path.name)
    rows = tuple(
        Row({role: entry.get(name) for role, name in roles.items()}, f"{path.name}, line {number}")
        for number, entry in objects
    )
    return Table(path, rows, frozenset(roles))


def _json_objects(path: Path, text: str) -> list[tuple[int, dict[str, Any]]]:
    """(line number, object) per line; a single array of objects is taken too."""
    try:
        if text.lstrip().startswith("["):
            numbered = list(enumerate(json.loads(text), 1))
        else:
            numbered = []
            for number, line in enumerate(text.split("\n"), 1):
                if line.strip():
                    numbered.append((number, json.loads(line)))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path.name} is not JSON lines: {error}. Every line is one object "
            f'({{"path": "a.mp4", "label": "run"}}). Mend the line.'
        ) from error
    for number, entry in numbered:
        if not isinstance(entry, dict):
            raise DataError(
                f"{path.name}, line {number} is {json.dumps(entry)[:80]}; every line is one object "
                f'({{"path": "a.mp4", "label": "run"}}). Mend the line.'
            )
    return numbered
