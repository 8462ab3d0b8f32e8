"""Class names for an imported net: `classInd.txt`, one name a line, or a list of the original."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from lrcn.errors import DataError

_NUMBERED = re.compile(r"(\d+)\s+(\S.*)")
_SPLIT_LINE = re.compile(r"(?:.*/)?([^/\s]+)/[^/\s]+\s+(\d+)")
_PICKLE_ENDINGS = frozenset({".p", ".pkl", ".pickle"})


def read_class_names(path: Path, num_classes: int) -> tuple[str, ...]:
    """The names of the outputs, in their order.

    Understood are, each for the whole file: `1 ApplyEyeMakeup` (UCF101's classInd.txt, from 1;
    or from 0), `Class/video 0` (a split list of the original code, from 0), and one name a line.

    Args:
        path: The file.
        num_classes: How many outputs the net has.

    Raises:
        DataError: absent, a pickle, no text, another number of classes, or a name twice.
    """
    lines = _lines(path)
    names = _from_split_list(lines, path) or _from_numbers(lines, path) or lines
    if len(names) != num_classes:
        raise DataError(
            f"{path} names {len(names)} classes, but the net has {num_classes} outputs."
            " Give the list that the net was trained with"
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"{path} names {repeated[0]!r} more than once; classes need different names."
            " Mend the list"
        )
    return tuple(names)


def _lines(path: Path) -> list[str]:
    advice = "Give classInd.txt, a text file with one class a line, or a split list instead"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}. {advice}") from error
    if path.suffix.lower() in _PICKLE_ENDINGS or content.startswith((b"\x80", b"(dp", b"(lp")):
        raise DataError(
            f"{path} is a pickle, which runs code when it is read, and is therefore never opened."
            f" {advice}"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text ({error}). {advice}") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _from_numbers(lines: list[str], path: Path) -> list[str]:
    """Names of lines that all start with their number; empty when they do not."""
    matches = [_NUMBERED.fullmatch(line) for line in lines]
    found = {int(match[1]): match[2] for match in matches if match}
    if len(found) < len(lines) or not lines:
        return []
    first = min(found)
    if first not in (0, 1) or sorted(found) != list(range(first, first + len(found))):
        raise DataError(
            f"{path} numbers its {len(found)} classes from {first} to {max(found)};"
            " the numbers run from 0 or 1 without a gap. Mend the list"
        )
    return [found[number] for number in sorted(found)]


def _from_split_list(lines: list[str], path: Path) -> list[str]:
    """Names by the labels of a split list; empty when it is none."""
    found: dict[int, str] = {}
    for line in lines:
        match = _SPLIT_LINE.fullmatch(line)
        if match is None:
            return []
        name = found.setdefault(int(match[2]), match[1])
        if name != match[1]:
            raise DataError(
                f"{path} gives the label {match[2]} to {name!r} and to {match[1]!r}. Mend the list"
            )
    if sorted(found) != list(range(len(found))):
        raise DataError(
            f"{path} has labels from {min(found)} to {max(found)}, but only {len(found)} different"
            " ones; a list that names the classes has each from 0 on. Give classInd.txt"
        )
    return [found[label] for label in sorted(found)]
