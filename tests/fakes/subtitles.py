"""Strict readers of WebVTT and SRT, written from what the formats demand, not from our writer.

They accept less than players do: whatever the syntax forbids is an error, and so are overlapping
cues and formatting, which no sentence should have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VTT_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_VTT_TIMINGS = re.compile(rf"{_VTT_TIME}[ \t]+-->[ \t]+{_VTT_TIME}")
_SRT_TIME = r"(\d{2,}):([0-5]\d):([0-5]\d),(\d{3})"
_SRT_TIMINGS = re.compile(rf"{_SRT_TIME} --> {_SRT_TIME}")
_ESCAPES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&lrm;": "\u200e", "&rlm;": "\u200f"}
_ESCAPES["&nbsp;"] = "\xa0"


@dataclass(frozen=True)
class Cue:
    """A cue with its text as a viewer reads it."""

    start_ms: int
    end_ms: int
    text: str


def parse_vtt(data: bytes) -> list[Cue]:
    """Section 4.1 to 4.3 of https://www.w3.org/TR/webvtt1/, without regions, styles and comments.

    Raises:
        ValueError: the file is no valid WebVTT.
    """
    text = _text_of(data).removeprefix("\ufeff")
    lines = re.split(r"\r\n|\n|\r", text)
    if not re.fullmatch(r"WEBVTT(?:[ \t].*)?", lines[0]) or "-->" in lines[0]:
        raise ValueError(f"a file begins with WEBVTT, not {lines[0]!r}")
    if len(lines) < 2 or lines[1] != "":
        raise ValueError("an empty line follows the header")
    cues = []
    for block in _blocks(lines[1:]):
        timings = _VTT_TIMINGS.fullmatch(block[0])
        if timings is None:
            raise ValueError(f"no timings: {block[0]!r}")
        cues.append(_cue(timings.groups(), "\n".join(map(_vtt_text, block[1:]))))
    return _in_order(cues)


def parse_srt(data: bytes) -> list[Cue]:
    """Numbers from 1, times with a comma, text, one empty line between cues.

    Raises:
        ValueError: the file is no SRT that every reader takes.
    """
    text = _text_of(data)
    if text.startswith("\ufeff") or "\r" in text:
        raise ValueError("the file has a byte order mark or mixed line ends")
    if not text:
        return []
    if not text.endswith("\n") or "\n\n\n" in text or text.startswith("\n"):
        raise ValueError("cues are divided by one empty line, and the last line ends")
    cues = []
    for number, block in enumerate(_blocks(text.split("\n")), 1):
        timings = _SRT_TIMINGS.fullmatch(block[1]) if len(block) > 1 else None
        if block[0] != str(number) or timings is None:
            raise ValueError(f"cue {number} begins with {block[:2]!r}")
        shown = "\n".join(block[2:])
        if "-->" in shown or re.search(r"</?\s*[A-Za-z][^<>]*>|\{\\", shown):
            raise ValueError(f"text that is read as times or formatting: {shown!r}")
        cues.append(_cue(timings.groups(), shown))
    return _in_order(cues)


def _text_of(data: bytes) -> str:
    text = data.decode("utf-8")
    if "\0" in text:
        raise ValueError("a file holds no NUL")
    return text


def _blocks(lines: list[str]) -> list[list[str]]:
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _vtt_text(line: str) -> str:
    if "-->" in line or "<" in line or ">" in line:
        raise ValueError(f"no text of a cue: {line!r}")
    for found in re.findall(r"&[^;&]*;?", line):
        if found not in _ESCAPES:
            raise ValueError(f"an ampersand that is no escape: {line!r}")
    return re.sub(r"&[a-z]+;", lambda match: _ESCAPES[match[0]], line)


def _cue(parts: tuple[str | None, ...], text: str) -> Cue:
    numbers = [int(part or 0) for part in parts]
    times = [
        ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest
        for hours, minutes, seconds, rest in (numbers[:4], numbers[4:])
    ]
    if not text.strip():
        raise ValueError("a cue without text")
    return Cue(times[0], times[1], text)


def _in_order(cues: list[Cue]) -> list[Cue]:
    end_ms = 0
    for cue in cues:
        if not end_ms <= cue.start_ms < cue.end_ms:
            raise ValueError(f"{cue} does not follow {end_ms} ms, or does not last")
        end_ms = cue.end_ms
    return cues
