"""A division as a file, so that later runs use the same one.

A CSV that any program reads: path, video_id, labels, group, split, start_seconds, end_seconds.
Its first line, `# lrcn division {...}`, says how it was made and carries two hashes: of the data
that were divided, and of the lines. Given as DATA it is an ordinary list with a split column.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lrcn.data.datasets.build import with_items
from lrcn.data.datasets.entries import SPLIT_WORDS, count
from lrcn.data.datasets.tables import COMMENT_MARK, NAME_ERRORS
from lrcn.data.split import Division
from lrcn.errors import DataError, OutputError
from lrcn.structures import Split, VideoItem, VideoList

FIELDS = ("path", "video_id", "labels", "group", "split", "start_seconds", "end_seconds")


def save_division(division: Division, path: str | os.PathLike[str]) -> None:
    """Write the division, replacing the file in one step.

    Raises:
        OutputError: the file cannot be written.
    """
    rows = [_row(item, Path(path)) for item in division.items]
    about = {
        "how": division.how,
        "val_how": division.val_how,
        "seed": division.seed,
        "val_fraction": division.val_fraction,
        "test_fraction": division.test_fraction,
        "data_hash": data_hash(division.items),
        "lines_hash": _lines_hash(rows),
        "warnings": list(division.warnings),
    }
    write_list(rows, Path(path), f"{COMMENT_MARK} division {json.dumps(about)}\n")


def load_division(path: str | os.PathLike[str], video_list: VideoList) -> Division:
    """Take up a saved division of the same data set.

    Raises:
        DataError: the file is not a division, was changed by hand, or the data set now has other
            items, labels or groups than were divided.
    """
    place = Path(path)
    about, rows = _read(place)
    if about.get("lines_hash") != _lines_hash(rows):
        raise DataError(
            f"{place} was changed after it was written (its lines do not fit its hash). To use "
            f"it with your changes, give it as DATA; to divide anew, remove it."
        )
    split_of = {_row_key(row): SPLIT_WORDS[row["split"]] for row in rows}
    _refuse_other_data(place, video_list, split_of)
    if about.get("data_hash") != data_hash(video_list.items):
        raise DataError(
            f"{place} divides the same videos with other labels or groups than "
            f"{video_list.source} has now. Remove it to divide anew, or give it as DATA."
        )
    parts: dict[Split, list[VideoItem]] = {"train": [], "val": [], "test": []}
    for item in video_list.items:
        part = split_of[_item_key(item)]
        parts[part].append(replace(item, split=part))
    lists = {
        name: with_items(video_list, items) if items else None for name, items in parts.items()
    }
    train = lists["train"]
    if train is None:
        raise DataError(f"{place} has no train part. Remove it to divide anew.")
    return Division(
        train=train,
        val=lists["val"],
        test=lists["test"],
        how=about["how"],
        val_how=about["val_how"],
        seed=about["seed"],
        val_fraction=about["val_fraction"],
        test_fraction=about["test_fraction"],
        warnings=tuple(about["warnings"]),
    )


def write_items(items: Sequence[VideoItem], path: Path, remark: str | None) -> None:
    """Write items as a list that `read_dataset` reads; `remark` says in the first line what it is.

    Without a remark it is a plain list, which makes the folder that it lies in a data set.

    Raises:
        OutputError: the file cannot be written.
    """
    write_list(
        [_row(item, path) for item in items], path, f"{COMMENT_MARK} {remark}\n" if remark else ""
    )


def write_list(rows: Sequence[dict[str, str]], path: Path, before: str) -> None:
    """Write rows under `before` and a header, beside the target first, then in its place.

    Raises:
        OutputError: the file cannot be written.
    """
    text = io.StringIO()
    text.write(before)
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text.getvalue(), encoding="utf-8", errors=NAME_ERRORS, newline="")
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Choose a place that you may "
            f"write to."
        ) from error


def data_hash(items: Iterable[VideoItem]) -> str:
    """32 hexadecimal digits for ids, intervals, labels and groups, whatever the order.

    Where the files lie and how they are divided does not count.
    """
    lines = sorted(
        json.dumps([*_item_key(item), sorted(item.class_names), item.group]) for item in items
    )
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _item_key(item: VideoItem) -> tuple[str, str, str]:
    return item.video_id, _number(item.start_seconds), _number(item.end_seconds)


def _row_key(row: dict[str, str]) -> tuple[str, str, str]:
    return row["video_id"], row["start_seconds"], row["end_seconds"]


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def _row(item: VideoItem, target: Path) -> dict[str, str]:
    return {
        "path": _path_for(item.path, target),
        "video_id": item.video_id,
        "labels": ";".join(item.class_names),
        "group": item.group or "",
        "split": item.split or "",
        "start_seconds": _number(item.start_seconds),
        "end_seconds": _number(item.end_seconds),
    }


def _path_for(path: str, target: Path) -> str:
    """Relative to the list where the file lies below its folder, else absolute."""
    absolute, folder = Path(path).absolute(), target.absolute().parent
    if absolute.is_relative_to(folder):
        return absolute.relative_to(folder).as_posix()
    return os.path.normpath(absolute)


def _lines_hash(rows: Sequence[dict[str, str]]) -> str:
    lines = sorted(json.dumps([row[name] for name in FIELDS if name != "path"]) for row in rows)
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _read(path: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", errors=NAME_ERRORS, newline="") as file:
            first = file.readline()
            mark = f"{COMMENT_MARK} division "
            about = json.loads(first[len(mark) :]) if first.startswith(mark) else None
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as a saved division: {error}. Remove it to divide anew."
        ) from error
    if not isinstance(about, dict) or any(set(row) != set(FIELDS) for row in rows):
        raise DataError(
            f"{path} is not a division that this program wrote. To use a list with a split column "
            f"give it as DATA; to divide anew, remove it."
        )
    return about, rows


def _refuse_other_data(
    path: Path, video_list: VideoList, split_of: dict[tuple[str, str, str], Split]
) -> None:
    now = {_item_key(item) for item in video_list.items}
    new, gone = sorted(now - set(split_of)), sorted(set(split_of) - now)
    if new or gone:
        changes = [
            f"{count(len(keys), 'item')} {what} ({keys[0][0]}, ...)"
            for keys, what in ((new, "not in it"), (gone, "gone"))
            if keys
        ]
        raise DataError(
            f"{path} divides another state of {video_list.source}: {' and '.join(changes)}. "
            f"Restore the files, or remove it to divide anew."
        )
