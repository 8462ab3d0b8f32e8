"""Files of references and of hypotheses, for `lrcn score`: captions by item id, no pictures needed.

=====================  ==========================================================================
file                   what is an item
=====================  ==========================================================================
`.json`, COCO          `annotations` (references) or a plain list of objects (results): each with
                       an id and a caption
`.json`, by id         an object of id → caption, or id → list of captions
`.jsonl`               one object a line, as in the lists of COCO; `captions` may hold several
`.csv`                 a header with a column of ids and one called `caption`; one caption a row
any other              text: line n of every file belongs to item n; tabs part several references
=====================  ==========================================================================

The id is the first of `image_id`, `video_id`, `item_id`, `id`, `file_name`, `path`, `image`.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lrcn.errors import DataError

_IDS = ("image_id", "video_id", "item_id", "id", "file_name", "path", "image")
_CAPTIONS = ("caption", "captions", "sentence", "text")

Pairs = list[tuple[str, str]]
"""Item id and caption, in the order of the file."""


def read_references(paths: Sequence[Path]) -> dict[str, list[str]]:
    """The captions of each item from one or several files.

    Args:
        paths: Files as above. Several files add their captions to the same items: of text files,
            line n of each is a reference of item n. Blank lines of text are left out.

    Raises:
        DataError: a file is not understood, or has other lines than the first text file.
        OSError: it cannot be read.
    """
    found: dict[str, list[str]] = {}
    lengths: dict[Path, int] = {}
    for path in paths:
        if _is_text(path):
            lines = _lines(path)
            lengths[path] = len(lines)
            for number, line in enumerate(lines, start=1):
                own = [text for text in line.split("\t") if text.strip()]
                found.setdefault(str(number), []).extend(own)
        else:
            for item, caption in _pairs(path):
                found.setdefault(item, []).append(caption)
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{path} has {count} lines" for path, count in lengths.items())
        raise DataError(
            f"the files of references do not match: {said}; line n of each belongs to item n."
            " Give files with as many lines, blank ones where there is no reference"
        )
    empty = [item for item, captions in found.items() if not captions]
    if empty:
        raise DataError(
            f"{len(empty)} items have no reference (the first is line {empty[0]}); each needs one"
            " or more. Remove the line from all files"
        )
    return found


def read_hypotheses(path: Path) -> dict[str, str]:
    """The one caption of each item from one file; it may be empty.

    Raises:
        DataError: the file is not understood, or an item has several captions.
        OSError: it cannot be read.
    """
    if _is_text(path):
        lines = _lines(path)
        for number, line in enumerate(lines, start=1):
            if "\t" in line:
                raise DataError(
                    f"{path}, line {number} has a tab; a line is one caption of one item."
                    " For captions with ids give JSON Lines or CSV"
                )
        return {str(number): line for number, line in enumerate(lines, start=1)}
    pairs = _pairs(path)
    found = dict(pairs)
    if len(found) < len(pairs):
        double, _ = Counter(item for item, _ in pairs).most_common(1)[0]
        raise DataError(
            f"{path} has {len(pairs)} captions for {len(found)} items, several for {double!r};"
            " a system submits one of each. Keep the best one"
        )
    return found


def _is_text(path: Path) -> bool:
    return path.suffix.lower() not in (".json", ".jsonl", ".csv")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is no UTF-8 text ({error.reason} at byte {error.start}). Save it as UTF-8"
        ) from error


def _lines(path: Path) -> list[str]:
    """Lines end at line feeds only: other breaks may stand inside of a caption."""
    lines = _read(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.rstrip("\r") for line in lines]


def _pairs(path: Path) -> Pairs:
    text = _read(path)
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _rows(path, _table(path, text))
    if suffix == ".jsonl":
        parsed = [
            _json(path, line, f", line {number}")
            for number, line in enumerate(text.split("\n"), start=1)
            if line.strip()
        ]
        return _rows(path, parsed)
    document = _json(path, text)
    if isinstance(document, list):
        return _rows(path, document)
    if isinstance(document, dict) and isinstance(document.get("annotations"), list):
        return _rows(path, document["annotations"])
    if isinstance(document, dict) and document and "annotations" not in document:
        rows = [{"id": item, "captions": captions} for item, captions in document.items()]
        return _rows(path, rows)
    raise DataError(
        f"{path} holds no captions; a list of objects, a COCO document with `annotations`, or an"
        " object of ids and captions is expected. Check that it is the right file"
    )


def _json(path: Path, text: str, where: str = "") -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}{where} is no JSON: {error}. Check or make it again") from error


def _rows(path: Path, rows: Iterable[Any]) -> Pairs:
    found: Pairs = []
    for number, row in enumerate(rows, start=1):
        fields: Mapping[str, Any] = row if isinstance(row, Mapping) else {}
        item = _id_text(next((fields[key] for key in _IDS if fields.get(key) is not None), None))
        captions: Any = next((fields[k] for k in _CAPTIONS if fields.get(k) is not None), None)
        if isinstance(captions, str):
            captions = [captions]
        if item is None or not _are_texts(captions):
            raise DataError(
                f"{path}, entry {number} is {_short(row)}; an id ({', '.join(_IDS)}: a text or a"
                " whole number) and a `caption` (a text) are needed. Mend it, or rename its fields"
            )
        found += [(item, caption) for caption in captions]
    return found


def _table(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        return list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise DataError(
            f"{path} is no CSV: {error}. A cell that holds a comma or a quote is written in"
            ' quotes, quotes inside it twice ("a ""b"", c"). Check the quotes'
        ) from error


def _id_text(value: Any) -> str | None:
    """An id as it is compared: 7, 7.0 and "7" are one; None where it is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _are_texts(captions: Any) -> bool:
    return isinstance(captions, list) and all(isinstance(text, str) for text in captions)


def _short(row: Any) -> str:
    text = json.dumps(row, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
