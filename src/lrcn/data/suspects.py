"""What looks wrong in a data set: signs, not proofs. Each rule says what it saw.

- **Equal content**: two files have the same bytes.
- **Look-alikes**: the frames that both were looked at (every 32nd, 8 at most) differ by 8 of 64
  bits or less in the mean. On the 204 clips of six UCF101 classes clips of one source video come
  as low as 0.4, clips of two sources never below 14.
- **Names**: nine files of ten bear their class in their name, and this one bears another.
- **Intervals** that begin after the last frame.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from lrcn.data.datasets.walk import strip_media_extension
from lrcn.data.scan import FileReport, bits_apart
from lrcn.data.twins import Identity, identity
from lrcn.structures import VideoItem

_ALIKE_BITS = 8.0
_CONVENTION = 0.9
_MIN_NAME_LETTERS = 3


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One file that looks wrong, and what was seen."""

    path: str
    kind: Literal["content", "look-alike", "name", "interval"]
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class LookAlike:
    """Two files that show nearly the same, though nothing says that they are one source."""

    first: str
    second: str
    bits: float
    """Differing bits of 64 per frame, in the mean."""
    same_class: bool
    same_split: bool

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)


def find_look_alikes(
    items: Sequence[VideoItem],
    reports: Mapping[Identity, FileReport],
    duplicates: Sequence[Sequence[VideoItem]],
) -> list[LookAlike]:
    """Pairs of files that look alike and are not known to belong together.

    Files of one group and files of equal content are.
    """
    equal = {frozenset((a.path, b.path)) for same in duplicates for a in same for b in same}
    one_each = list({identity(item): item for item in reversed(items)}.values())[::-1]
    one_each = [i for i in one_each if _informative(reports[identity(i)]) > 0]
    marks = [reports[identity(item)].fingerprint for item in one_each]
    firsts = np.array([next(m for m in f if m is not None) for f in marks], dtype=np.uint64)
    pairs: list[LookAlike] = []
    for i, item in enumerate(one_each):
        near = np.flatnonzero(np.bitwise_count(firsts[i + 1 :] ^ firsts[i]) <= 2 * _ALIKE_BITS)
        for j in (int(n) + i + 1 for n in near):
            other = one_each[j]
            apart = bits_apart(marks[i], marks[j])
            # One frame alone says little, unless the videos have no more.
            enough = len(apart) >= min(2, _informative(reports[identity(item)]))
            known = frozenset((item.path, other.path)) in equal or (
                item.group is not None and item.group == other.group
            )
            if enough and apart and sum(apart) / len(apart) <= _ALIKE_BITS and not known:
                pairs.append(
                    LookAlike(
                        first=item.path,
                        second=other.path,
                        bits=sum(apart) / len(apart),
                        same_class=set(item.class_names) == set(other.class_names),
                        same_split=item.split == other.split,
                    )
                )
    return pairs


def _informative(report: FileReport) -> int:
    return sum(mark is not None for mark in report.fingerprint)


def find_suspects(
    items: Sequence[VideoItem],
    reports: Mapping[Identity, FileReport],
    duplicates: Sequence[Sequence[VideoItem]],
    look_alikes: Sequence[LookAlike],
) -> list[Suspect]:
    """Mislabelled-looking files, by all rules."""
    found = [
        Suspect(
            path=item.path,
            kind="content",
            reason=f"labelled {_label(item)}, but {same[0].path} with the same content "
            f"is labelled {_label(same[0])}",
        )
        for same in duplicates
        for item in same[1:]
        if set(item.class_names) != set(same[0].class_names)
    ]
    label_of = {item.path: _label(item) for item in items}
    found += [
        Suspect(
            path=pair.second,
            kind="look-alike",
            reason=f"labelled {label_of[pair.second]}, but looks like {pair.first}, "
            f"labelled {label_of[pair.first]} ({pair.bits:.1f} of 64 bits apart)",
        )
        for pair in look_alikes
        if not pair.same_class
    ]
    return [*found, *_by_name(items), *_by_interval(items, reports)]


def _label(item: VideoItem) -> str:
    return ";".join(item.class_names) or "none"


def _by_name(items: Sequence[VideoItem]) -> list[Suspect]:
    """Files whose name holds another class, where names hold the class as a rule."""
    letters = {name: _letters(name) for item in items for name in item.class_names}
    named = {n: text for n, text in letters.items() if len(text) >= _MIN_NAME_LETTERS}
    single = [item for item in items if len(item.class_names) == 1]
    texts = {item.path: _file_letters(item) for item in single}
    keeping = [i for i in single if letters[i.class_names[0]] in texts[i.path]]
    if not single or len(keeping) < _CONVENTION * len(single):
        return []
    suspects = []
    for item in single:
        text = texts[item.path]
        if letters[item.class_names[0]] in text:
            continue
        others = [name for name, wanted in named.items() if wanted in text]
        if others:
            other = max(others, key=lambda name: len(named[name]))
            suspects.append(
                Suspect(
                    path=item.path,
                    kind="name",
                    reason=f"labelled {_label(item)}, but its name says {other}",
                )
            )
    return suspects


def _letters(text: str) -> str:
    """`brush_hair`, "Brush Hair" and "BrushHair" alike."""
    return re.sub(r"[\W_]+", "", text).casefold()


def _file_letters(item: VideoItem) -> str:
    return _letters(strip_media_extension(item.path.replace("\\", "/").rsplit("/", 1)[-1]))


def _by_interval(
    items: Sequence[VideoItem], reports: Mapping[Identity, FileReport]
) -> list[Suspect]:
    return [
        Suspect(
            path=item.path,
            kind="interval",
            reason=f"its interval begins at {item.start_seconds:g} seconds, the video ends at "
            f"{reports[identity(item)].duration_seconds:g}",
        )
        for item in items
        if begins_after_end(item, reports[identity(item)])
    ]


def begins_after_end(item: VideoItem, report: FileReport) -> bool:
    """Whether the item is an interval of which its video has no frame."""
    start, duration = item.start_seconds, report.duration_seconds
    return start is not None and duration is not None and start >= duration > 0
