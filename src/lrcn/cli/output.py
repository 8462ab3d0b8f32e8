"""Results on stdout, messages on stderr, files that are never overwritten by accident."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrcn.errors import OutputError
from lrcn.structures import SkippedFile

if TYPE_CHECKING:
    from lrcn.metrics.caption_scores import Difference

_PIPE_WIDTH = 160
"""Columns of a table that is not shown on a terminal: nothing is cut off."""


def print_line(text: str = "") -> None:
    """One line of a result."""
    sys.stdout.write(text + "\n")


def print_json(document: Any) -> None:
    """Exactly one JSON document; NaN and infinity, which JSON lacks, become null."""
    text = json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(text + "\n")


def print_table(
    headers: Sequence[str], rows: Sequence[Sequence[Any]], *, whole_names: bool = False
) -> None:
    """A table for people; numbers to the right, nothing cut off when piped.

    Args:
        headers: Of the columns.
        rows: Their cells.
        whole_names: The first column holds short names to be copied, which no line breaks.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=_PIPE_WIDTH)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for i, header in enumerate(headers):
        numeric = any(isinstance(row[i], int | float) for row in rows)
        table.add_column(
            header,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=whole_names and i == 0,
        )
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)


def print_differences(differences: Mapping[str, Difference]) -> None:
    """How much higher a second system's captions score than a first's."""
    rows = []
    for key, found in differences.items():
        low, high = found.interval
        between = f"{low:+.4f} to {high:+.4f}"
        rows.append(
            (key, found.first, found.second, f"{found.difference:+.4f}", between, found.p_value)
        )
    headers = ("score", "first", "second", "gain", "95 % interval", "p")
    print_line("second against first, on the same items (paired bootstrap)")
    print_table(headers, rows)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    return str(value)


def say(message: str, *, quiet: bool = False) -> None:
    """A message for people, on stderr."""
    if not quiet:
        sys.stderr.write(message + "\n")
        sys.stderr.flush()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(below) for below in value]
    if isinstance(value, Path):
        return str(value)
    return value


def refuse_existing_file(path: Path, *, overwrite: bool) -> None:
    """Make sure before the work that a file can be written at its end.

    Raises:
        OutputError: it exists and `overwrite` is False, or it is a folder.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file to write")
    if path.exists() and not overwrite:
        raise OutputError(
            f"{path} exists already. Add --overwrite to replace it, or choose another name"
        )


def refuse_existing_folder(
    path: Path, *, overwrite: bool, is_ours: Callable[[Path], bool], what: str
) -> None:
    """Make sure that a folder can be filled; what stands there is replaced only when it is ours.

    Args:
        path: The folder to be made.
        overwrite: Whether one of our own may be replaced.
        is_ours: Tells from a folder whether this program made it.
        what: What this program would have made, for the message ("a demo").

    Raises:
        OutputError: it exists and may not be replaced.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"{path} is a file; --out names a folder. Choose another place")
    if not path.is_dir() or not any(path.iterdir()):
        return
    if not overwrite:
        raise OutputError(
            f"{path} exists already. Add --overwrite to replace it, or choose another --out"
        )
    if not is_ours(path):
        raise OutputError(
            f"{path} does not look like {what}, so it is not overwritten."
            " Remove it yourself, or choose another --out"
        )


def write_file(path: Path, text: str) -> None:
    """Write a text file atomically, with the folders above it.

    Raises:
        OutputError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.draft-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}. Check the place and its free space"
        ) from error


def report_skipped(skipped: Sequence[SkippedFile], *, quiet: bool = False, shown: int = 5) -> int:
    """Name the files that were left out, on stderr; the exit code that follows from them.

    Returns:
        1 when a file that is there could not be read; 0 otherwise: files that a list names but
        that are absent were left out as told.
    """
    broken = [file for file in skipped if os.path.lexists(file.path)]
    absent = [file for file in skipped if not os.path.lexists(file.path)]
    for file in broken:
        say(f"left out {with_path(file.path, file.reason)}")
    for file in absent[:shown]:
        say(f"left out {with_path(file.path, file.reason)}", quiet=quiet)
    if len(absent) > shown:
        say(f"left out {len(absent) - shown} more absent files", quiet=quiet)
    if broken:
        say(f"{len(skipped)} left out, {len(broken)} of them because they cannot be used")
    return 1 if broken else 0


def with_path(path: str, reason: str) -> str:
    """The reason with the path before it, unless it names it already."""
    return reason if path in reason else f"{path}: {reason}"


@contextmanager
def watcher(label: str, *, quiet: bool = False) -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar on stderr while the block runs; None where nobody would see it.

    Yields:
        A function of (how many are done, of how many, what was done last).
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def watch(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{label} {name}")

        yield watch
