"""Reading the lists themselves: UTF-8 text and JSON, with messages that say where it breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lrcn.errors import DataError


def read_text(path: Path) -> str:
    """A text file; a byte-order mark and line ends of any system are allowed.

    Raises:
        DataError: it cannot be read, or is not UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        bad = error.object[error.start : error.start + 1].hex()
        raise DataError(
            f"{path} is not UTF-8 text (line {line}, byte {error.start}: {bad}); captions are "
            f"UTF-8 in every language. Save it again as UTF-8."
        ) from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. DATA is a list of captions or the "
            f"folder of one; check the path."
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path) -> Any:
    """A JSON document.

    Raises:
        DataError: it cannot be read, or is no JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(
            f"{path.name} is not JSON: {error}. The file is damaged or cut off; download or write "
            f"it again."
        ) from error
    except RecursionError as error:
        raise DataError(
            f"{path.name} is nested too deeply to be a list of captions; a list of objects is "
            f"needed. Check the file."
        ) from error


def list_of_objects(value: Any, where: str) -> list[dict[str, Any]]:
    """A JSON list whose every member is an object.

    Raises:
        DataError: it is none.
    """
    if not isinstance(value, list):
        raise DataError(
            f"{where} is {shown(value)}; a list of objects is needed. Check the file's layout."
        )
    for place, member in enumerate(value):
        if not isinstance(member, dict):
            raise DataError(
                f"{where}[{place}] is {shown(member)}; an object is needed. Mend the file."
            )
    return value


def text_of(entry: dict[str, Any], key: str, where: str) -> str:
    """A text of an object; a number counts as text, 7.0 as 7.

    Raises:
        DataError: it is absent, empty, or no text.
    """
    value = entry.get(key)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (isinstance(value, str) or number) or not str(value).strip():
        raise DataError(
            f"{where} has {key} {shown(value)}; a name or number is needed. Mend the file."
        )
    return str(value).strip()


def caption_of(value: Any, where: str) -> str:
    """A caption; null is an empty one.

    Raises:
        DataError: it is no text.
    """
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise DataError(f"{where}: a caption is {shown(value)}; text is needed. Mend the file.")
    return value


def shown(value: Any) -> str:
    """A value in a message, cut to a readable length."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."
