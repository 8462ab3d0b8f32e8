"""Dividing a data set of captions: by its official lists, by a column, or by photo or video.

All captions of a photo stand on one side, and so do copies of one file under several names and
the intervals of one video. What is held out depends on seed and content of the list, not on its
order.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lrcn.data.captions.build import with_caption_items
from lrcn.data.datasets.entries import count
from lrcn.data.leaks import Leak, refuse_leaks
from lrcn.data.split import check_fractions
from lrcn.data.twins import find_twins, identity
from lrcn.errors import DataError
from lrcn.structures import CaptionItem, CaptionList, Split, VideoItem, VideoList

How = Literal["official", "column", "by image", "by video"]


@dataclass(frozen=True, kw_only=True)
class CaptionDivision:
    """A data set in parts; every item has its `split` set."""

    train: CaptionList
    val: CaptionList | None
    test: CaptionList | None
    how: How
    """Where the division comes from; for an official one the test part, see `val_how`."""
    val_how: How | None
    """How `val` was made; None when there is none."""
    seed: int
    warnings: tuple[str, ...] = ()

    @property
    def parts(self) -> dict[Split, CaptionList]:
        """The parts that exist, by name."""
        named: dict[Split, CaptionList | None] = {
            "train": self.train,
            "val": self.val,
            "test": self.test,
        }
        return {name: part for name, part in named.items() if part is not None}


def divide_captions(
    captions: CaptionList,
    *,
    val_fraction: float = 0.1,
    test_fraction: float = 0.0,
    seed: int = 0,
) -> CaptionDivision:
    """Divide a data set of captions into train, val and test.

    Parts that the data set itself has are taken as they are; what is asked for and not there
    (fractions above zero) is taken from train, by photo or video.

    Args:
        captions: as read.
        val_fraction: part of the photos or videos for validation, 0 to below 1.
        test_fraction: part for testing; 0 for none.
        seed: decides which; equal seeds give equal divisions.

    Raises:
        ConfigError: the fractions are out of range.
        DataError: no train part, or too few photos or videos.
    """
    check_fractions(val_fraction, test_fraction)
    given = {item.split for item in captions.items if item.split is not None}
    if given and "train" not in given:
        raise DataError(
            f"{captions.source} has no train part, only {', '.join(sorted(given))}. Training needs "
            f"one; mark lines as train, or leave the split out."
        )
    train = [item for item in captions.items if item.split in ("train", None)]
    fractions: tuple[tuple[Split, float], ...] = (("val", val_fraction), ("test", test_fraction))
    wanted = {name: share for name, share in fractions if name not in given and share > 0}
    made, warnings = _take(captions, train, wanted, seed)
    parts: dict[Split, list[CaptionItem]] = {"train": [], "val": [], "test": []}
    for place, item in enumerate(train):
        parts[made.get(place, "train")].append(item)
    for item in captions.items:
        if item.split in ("val", "test"):
            parts[item.split].append(item)
    own: How = "by image" if captions.media == "image" else "by video"
    how: How = own if not given else ("official" if captions.official_split else "column")
    lists = {
        name: with_caption_items(captions, [replace(item, split=name) for item in items])
        for name, items in parts.items()
    }
    return CaptionDivision(
        train=lists["train"],
        val=lists["val"] if parts["val"] else None,
        test=lists["test"] if parts["test"] else None,
        how=how,
        val_how=(own if "val" in wanted else how) if parts["val"] else None,
        seed=seed,
        warnings=tuple(warnings),
    )


def refuse_caption_leaks(
    parts: dict[str, CaptionList], *, allow_leaks: bool = False
) -> tuple[tuple[str, str, Leak], ...]:
    """Check that no file, by path or by content, stands in two parts (`leaks.refuse_leaks`).

    Raises:
        LeakError: one does, and `allow_leaks` is false.
    """
    return refuse_leaks(
        {name: as_videos(part) for name, part in parts.items()}, allow_leaks=allow_leaks
    )


def as_videos(captions: CaptionList) -> VideoList:
    """The same files as a list of videos without labels, for what looks at files alone."""
    return VideoList(
        items=tuple(map(as_video, captions.items)),
        class_names=(),
        layout=captions.layout,
        source=captions.source,
    )


def as_video(item: CaptionItem) -> VideoItem:
    """The same file, photo or video, without its captions."""
    return VideoItem(
        path=item.path,
        video_id=item.item_id,
        class_names=(),
        split=item.split,
        start_seconds=item.start_seconds,
        end_seconds=item.end_seconds,
    )


def _take(
    captions: CaptionList,
    items: Sequence[CaptionItem],
    wanted: dict[Split, float],
    seed: int,
) -> tuple[dict[int, Split], list[str]]:
    """Place to part, for what is taken from train; and warnings."""
    if not wanted:
        return {}, []
    twins = find_twins([as_video(item) for item in items])
    units = _units(items, twins)
    if len(units) <= len(wanted):
        raise DataError(
            f"{captions.source} has {count(len(units), captions.media)} to train on, too few to "
            f"hold out {' and '.join(wanted)}. Add some, or give validation data of its own "
            f"(--val-data)."
        )
    drawn = sorted(units, key=lambda places: _draw(seed, items, places))
    made: dict[int, Split] = {}
    first = 0
    for place, (name, share) in enumerate(wanted.items()):
        room = len(units) - first - (len(wanted) - place)  # train and the next part keep one
        number = min(max(1, round(share * len(units))), room)
        for places in drawn[first : first + number]:
            made |= dict.fromkeys(places, name)
        first += number
    warnings = []
    if twins:
        warnings.append(
            f"{count(sum(map(len, twins)), 'file')} of equal content kept on one side: "
            f"{', '.join(items[i].item_id for i in twins[0][:3])}"
        )
    return made, warnings


def _draw(seed: int, items: Sequence[CaptionItem], places: Sequence[int]) -> bytes:
    """A random number that depends on the seed and the id alone, not on the list's order."""
    name = min(items[place].item_id for place in places)
    return hashlib.blake2b(repr((seed, "hold out", name)).encode(), digest_size=16).digest()


def _units(items: Sequence[CaptionItem], twins: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """Places of items that must stay together: of one file, and of files of equal content."""
    together: dict[tuple[str, str], tuple[str, str]] = {}
    for same in twins:
        first = identity(as_video(items[same[0]]))
        for place in same:
            together[identity(as_video(items[place]))] = first
    units: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        own = identity(as_video(item))
        units[together.get(own, own)].append(place)
    return [tuple(places) for places in units.values()]
