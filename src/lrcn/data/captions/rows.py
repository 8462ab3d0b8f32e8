"""CSV and TSV with captions as rows of named text.

Captions hold commas and quotes that nobody escaped. What can be read in one way only is read: the
last column takes the rest of a line without quotes, and a file separated by tabs or bars in which
quotes make no cells has quotes in its text. Anything else is refused with the line's number.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

from lrcn.data.captions.files import read_text
from lrcn.data.datasets.tables import Row
from lrcn.data.datasets.walk import has_media_name
from lrcn.data.images import is_photo_path
from lrcn.errors import DataError

_DELIMITERS = "\t,;|"
_HEADERLESS = ["path", "caption"]


def read_rows(
    path: Path, captions_of: Callable[[list[str]], tuple[str, ...] | None]
) -> tuple[list[Row], list[str]]:
    """The rows of a list and the names of its columns.

    Args:
        path: the list.
        captions_of: which of a line's cells name columns with captions; None when the line is no
            header.

    Returns:
        Rows, whose cells are keyed by column name; names. Without a header, but with a path at
        the start of every line, the columns are path and caption.

    Raises:
        DataError: not UTF-8, empty, no known columns, or a line with too few or many cells.
    """
    lines = read_text(path).split("\n")
    filled = [line for line in lines if line.strip()]
    if not filled:
        raise DataError(
            f"{path} is empty; a list has one line per caption. Fill it, or give another."
        )
    for delimiter in _DELIMITERS:
        names = [cell.strip() for cell in _cells(filled[0], delimiter)]
        captions = captions_of(names)
        if captions is not None:
            _refuse_double(path, names)
            body = _body(path, lines, delimiter, names, takes_rest=captions == (names[-1],))
            break
    else:
        names, body = _HEADERLESS, _headerless(path, lines)
    rows = [
        Row(dict(zip(names, cells, strict=True)), f"{path.name}, line {number}")
        for number, cells in body
    ]
    if not rows:
        raise DataError(
            f"{path} has a header and no line below it; a list has one line per caption. Fill it."
        )
    return rows, names


def _body(
    path: Path, lines: list[str], delimiter: str, names: list[str], *, takes_rest: bool
) -> list[tuple[int, list[str]]]:
    try:
        return _quoted(path, lines, delimiter, names, takes_rest=takes_rest)[1:]
    except DataError:
        if delimiter not in "\t|":
            raise
        plain = _plain(lines, delimiter, len(names))
        if plain is None:
            raise
        return plain[1:]


def _quoted(
    path: Path, lines: list[str], delimiter: str, names: list[str], *, takes_rest: bool
) -> list[tuple[int, list[str]]]:
    """(line number, cells) as CSV is meant: quotes around cells that hold the delimiter."""
    reader = csv.reader(
        (line + "\n" for line in lines), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    rows: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for read in reader:
            raw = lines[start - 1]
            if any(cell.strip() for cell in read):
                cells = read
                if takes_rest and len(read) > len(names) and '"' not in raw:
                    cells = raw.split(delimiter, len(names) - 1)
                elif len(read) == len(names) - 1:
                    cells = _with_number_apart(read, names)
                _check_width(path, start, cells, delimiter, names)
                rows.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path.name}, line {start}: {error}. A cell that holds {delimiter!r} or a quote is "
            f'written in quotes, quotes inside it twice ("a ""b"", c"). Mend the line.'
        ) from error
    return rows


def _with_number_apart(cells: list[str], names: list[str]) -> list[str]:
    """A line of Flickr30k's results.csv lacks a bar: `2199200615.jpg| 4   A dog runs ...`."""
    found = re.fullmatch(r"(\d+)\s+(\S.*)", cells[-1])
    if found is None or not names[-2].lower().endswith("number"):
        return cells
    return [*cells[:-1], found[1], found[2]]


def _check_width(
    path: Path, number: int, cells: list[str], delimiter: str, names: list[str]
) -> None:
    if len(cells) != len(names):
        raise DataError(
            f"{path.name}, line {number} has {len(cells)} cells where the header has {len(names)} "
            f"({', '.join(names)}; delimiter {delimiter!r}): {delimiter.join(cells)[:200]!r}. A "
            f"cell that holds the delimiter is written in quotes. Mend the line."
        )


def _plain(lines: list[str], delimiter: str, width: int) -> list[tuple[int, list[str]]] | None:
    """Cells without quoting; None unless every line has as many."""
    rows = [
        (number, [cell.strip() for cell in line.split(delimiter, width - 1)])
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    return rows if all(len(cells) == width for _, cells in rows) else None


def _headerless(path: Path, lines: list[str]) -> list[tuple[int, list[str]]]:
    filled = [line for line in lines if line.strip()]
    for delimiter in _DELIMITERS:
        first = filled[0].split(delimiter, 1)
        if len(first) == 2 and _is_media(first[0].strip()):
            body = _quoted(path, lines, delimiter, _HEADERLESS, takes_rest=True)
            bad = next(((n, cells) for n, cells in body if not _is_media(cells[0].strip())), None)
            if bad is None:
                return body
            raise DataError(
                f"{path.name}, line {bad[0]}: {bad[1][0]!r} is no photo or video, as the first "
                f"cell of the other lines is. Add a header (path,caption), or mend the line."
            )
    raise DataError(
        f"{path.name} is not understood: its first line is {filled[0][:120]!r}. A list has a "
        f"header with a column for the path and one for the caption (path,caption), or lines of "
        f"a path, a delimiter and a caption. Add a header."
    )


def _is_media(name: str) -> bool:
    return is_photo_path(name) or has_media_name(name)


def _refuse_double(path: Path, names: list[str]) -> None:
    lowered = [name.lower() for name in names]
    double = [name for name in names if lowered.count(name.lower()) > 1]
    if double:
        raise DataError(
            f"{path.name} has the column {double[0]!r} twice; which one is meant cannot be told. "
            f"Number them (caption_1, caption_2), or rename one."
        )


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
