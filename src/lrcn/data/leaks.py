"""Leaks: what stands on both sides of a split, by group, by file or by content.

UCF101's clips of one group come from one source video; a model tested on the training videos of
another fold reaches 99 % (paper.md 6, row 30). So a split that leaks is refused, with the list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from lrcn.data.datasets.entries import count
from lrcn.data.twins import identity, shared_content
from lrcn.errors import LeakError
from lrcn.structures import VideoItem, VideoList


@dataclass(frozen=True, kw_only=True)
class Leak:
    """One thing on both sides."""

    kind: Literal["group", "file", "content"]
    name: str
    """The group, the path, or the content's hash."""
    train_ids: tuple[str, ...]
    """`video_id` of the items on the training side."""
    other_ids: tuple[str, ...]

    def __str__(self) -> str:
        train, other = self.train_ids[0], self.other_ids[0]
        if self.kind == "group":
            return f"group {self.name} ({train} and {other})"
        if self.kind == "file":
            return f"file {self.name}"
        return f"equal content ({train} and {other})"


def check_leaks(train: VideoList, other: VideoList) -> tuple[Leak, ...]:
    """Groups, files and contents that stand in both lists, each said once.

    A file counts whatever its intervals are: minutes of one video resemble each other. Content is
    compared between files of equal size only, so that few files are read.
    """
    leaks: list[Leak] = []
    told: set[tuple[str, str]] = set()

    def add(kind: Literal["group", "file", "content"], shared: _Shared) -> None:
        for name, (left, right) in shared.items():
            pairs = {(a.video_id, b.video_id) for a in left for b in right}
            if pairs <= told:
                continue
            told.update(pairs)
            leaks.append(
                Leak(
                    kind=kind,
                    name=str(name),
                    train_ids=_ids(left),
                    other_ids=_ids(right),
                )
            )

    add("group", _shared([(i.group, i) for i in train.items], [(i.group, i) for i in other.items]))
    add("file", _shared([(_file(i), i) for i in train.items], [(_file(i), i) for i in other.items]))
    hashes = shared_content([*train.items, *other.items])
    add(
        "content",
        _shared(
            [(hashes.get(identity(i)), i) for i in train.items],
            [(hashes.get(identity(i)), i) for i in other.items],
        ),
    )
    return tuple(leaks)


def refuse_leaks(
    parts: dict[str, VideoList], *, allow_leaks: bool = False
) -> tuple[tuple[str, str, Leak], ...]:
    """Check every two parts of a split against each other.

    Args:
        parts: name ("train", "val", "test") to list.
        allow_leaks: return the leaks, for the results, where they would be refused.

    Returns:
        (first part, second part, leak) of every leak; empty when there is none.

    Raises:
        LeakError: a leak was found and `allow_leaks` is false; names how many and the first five.
    """
    found = tuple(
        (first, second, leak)
        for first, second in combinations(parts, 2)
        for leak in check_leaks(parts[first], parts[second])
    )
    if found and not allow_leaks:
        some = "; ".join(f"{leak} in {first} and {second}" for first, second, leak in found[:5])
        more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
        raise LeakError(
            f"the split leaks: {count(len(found), 'source')} on both sides: {some}{more}. One "
            f"source stands on one side only, or the accuracy is too high. Mend the split, let the "
            f"program divide by group (lrcn data split), or allow it (--allow-leaks)."
        )
    return found


_Shared = dict[Hashable, tuple[list[VideoItem], list[VideoItem]]]


def _shared(
    left: Sequence[tuple[Hashable | None, VideoItem]],
    right: Sequence[tuple[Hashable | None, VideoItem]],
) -> _Shared:
    sides: dict[Hashable, tuple[list[VideoItem], list[VideoItem]]] = defaultdict(lambda: ([], []))
    for side, pairs in enumerate((left, right)):
        for name, item in pairs:
            if name is not None:
                sides[name][side].append(item)
    return {name: both for name, both in sides.items() if both[0] and both[1]}


def _file(item: VideoItem) -> str:
    path, inside = identity(item)
    return f"{path}#{inside}" if inside else path


def _ids(items: Sequence[VideoItem]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.video_id for item in items))
