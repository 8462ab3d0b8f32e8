"""Sentences with times as subtitle files that players accept: WebVTT and SubRip (SRT).

A file is written beside its place, sentence after sentence, and moved there when it is closed:
what was written until then is valid at every moment, also after Ctrl-C.

WebVTT: https://www.w3.org/TR/webvtt1/. SRT has no specification; this is what its readers have in
common: a number, a line of times with a comma, lines of text, an empty line.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from lrcn.errors import OutputError

SubtitleFormat = Literal["vtt", "srt"]

_LINE_ENDS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_INVISIBLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff]")
"""Control characters: some readers stop at them. A byte order mark is one at the file's start."""

_TAG = re.compile(r"<(/?\s*[A-Za-z][^<>]*)>")
"""What an SRT reader takes for formatting."""


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """What is said of an interval of a video."""

    start_seconds: float
    end_seconds: float
    text: str
    log_prob: float
    """Of the sentence under the model; where it was said of several intervals in a row, the mean
    over them, each counted by its length."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "start_seconds": self.start_seconds,
            "end_seconds": self.end_seconds,
            "text": self.text,
            "log_prob": self.log_prob,
        }


class SubtitleFile:
    """A subtitle file that grows sentence by sentence.

    Use it as a context manager. At the end, and after Ctrl-C, the file stands in its place with all
    that was written; after any other error nothing is left, and what was there before is untouched.
    """

    def __init__(self, path: str | os.PathLike[str], kind: SubtitleFormat) -> None:
        """Open it.

        Args:
            path: Replaced when the file is closed.
            kind: "vtt" or "srt"; the ending of the name does not matter.

        Raises:
            OutputError: the folder cannot be written.
        """
        self.path = Path(path)
        self._kind = kind
        self._draft = self.path.with_name(f".{self.path.name}.draft-{os.getpid()}")
        self._number = 0
        self._end_seconds = 0.0
        self._end_ms = 0
        self._size = 0
        with self._told():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: what an interruption leaves half written is cut off by `close`.
            self._file = self._draft.open("wb", buffering=0)
        self._append("WEBVTT\n" if kind == "vtt" else "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, KeyboardInterrupt):
            self.close()
        else:
            self.abort()

    def write(self, sentence: Sentence) -> None:
        """Append one sentence; one without a visible character is left out.

        Times are rounded to milliseconds. A sentence lasts one at least and does not begin before
        the last one has ended.

        Raises:
            OutputError: the disk refuses it.
            ValueError: a time is negative or not finite, or the last one has not ended.
        """
        lines = _lines(sentence.text)
        start_ms, end_ms = _milliseconds(sentence)
        if sentence.start_seconds < self._end_seconds:
            raise ValueError(
                f"a sentence starts at {sentence.start_seconds} seconds, before the last one has"
                f" ended ({self._end_seconds}); give sentences in order, without overlap"
            )
        self._end_seconds = sentence.end_seconds
        if not lines:
            return
        start_ms = max(start_ms, self._end_ms)
        end_ms = max(end_ms, start_ms + 1)
        render = _RENDER[self._kind]
        self._append(render(self._number + 1, start_ms, end_ms, lines))
        self._number += 1
        self._end_ms = end_ms

    def close(self) -> None:
        """Finish the file and move it to its place; a second call does nothing.

        Raises:
            OutputError: the disk refuses it.
        """
        if self._file.closed:
            return
        with self._told():
            self._file.truncate(self._size)
            self._file.close()
            self._draft.replace(self.path)

    def abort(self) -> None:
        """Remove what was written so far."""
        with contextlib.suppress(OSError):
            self._file.close()
            self._draft.unlink(missing_ok=True)

    def _append(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", errors="replace"))
        with self._told():
            self._file.seek(self._size)
            done = 0
            while done < len(data):
                done += self._file.write(data[done:]) or 0
        self._size += len(data)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What the system refuses becomes an error of ours, and the draft goes."""
        try:
            yield
        except OSError as error:
            with contextlib.suppress(OSError):
                self._draft.unlink(missing_ok=True)
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}."
                " Check the place and its free space"
            ) from error


def subtitle_time(milliseconds: int, *, mark: str = ".") -> str:
    """Hours (two digits or more), minutes, seconds and, after the mark, milliseconds.

    >>> subtitle_time(3_725_040)
    '01:02:05.040'
    """
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{rest:03}"


def _milliseconds(sentence: Sentence) -> tuple[int, int]:
    start, end = sentence.start_seconds, sentence.end_seconds
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start <= end):
        raise ValueError(
            f"a sentence lasts from {start} to {end} seconds; times are finite, 0 or more, and"
            " the end is not before the start"
        )
    return round(start * 1000), round(end * 1000)


def _lines(text: str) -> list[str]:
    """The lines that are not empty: an empty one would end the cue."""
    visible = (_INVISIBLE.sub("", line).strip() for line in _LINE_ENDS.split(text))
    return [line for line in visible if line]


def _vtt(number: int, start_ms: int, end_ms: int, lines: list[str]) -> str:
    del number  # WebVTT needs none
    text = "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"\n{subtitle_time(start_ms)} --> {subtitle_time(end_ms)}\n{text}\n"


def _srt(number: int, start_ms: int, end_ms: int, lines: list[str]) -> str:
    """SRT knows no escapes: what its readers would not show as text is replaced by its like."""
    text = _TAG.sub(r"‹\1›", "\n".join(lines)).replace("-->", "→").replace("{\\", "{ \\")
    times = f"{subtitle_time(start_ms, mark=',')} --> {subtitle_time(end_ms, mark=',')}"
    gap = "\n" if number > 1 else ""
    return f"{gap}{number}\n{times}\n{text}\n"


_RENDER: Mapping[SubtitleFormat, Callable[[int, int, int, list[str]], str]] = {
    "vtt": _vtt,
    "srt": _srt,
}
